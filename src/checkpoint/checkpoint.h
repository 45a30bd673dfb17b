// A released checkpoint as tensors by name: one safetensors file, or a folder with one or with an index and
// shards (spec/model.md section 2.1). The files are mapped read-only; opening reads their headers and nothing
// else, and no byte is copied or converted. Not here: which tensors a model needs (model/weights.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/view.h"

namespace hadal {

class MappedFile;
struct FusedExperts;
struct StoredTensor;

// One tensor. When a file stores the routed experts of a layer fused, each expert's matrix is a TensorInfo of
// its own whose bytes are a slice of the fused tensor; name is then the fused tensor's. Strings and bytes
// belong to the Checkpoint.
struct TensorInfo {
  std::string name;                 // as in the file
  std::string_view canonical_name;  // the inference name of spec 2.3 to 2.5
  std::string_view file;            // file name of the shard, for messages
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;        // outermost first; empty for a scalar
  std::span<const std::byte> bytes;  // in the mapping, row-major and dense; aligned as the file has it
  bool slice = false;                // a part of a fused tensor

  int64_t elements() const;
  // Rank at most 4 (larger tensors have no place in this model: CHECK). The bytes are read-only whatever the
  // type says.
  View view() const;
  // Where the bytes are, for messages: "model.safetensors: tensor NAME".
  std::string place() const;
};

// Immutable, safe to share between threads. Views and spans live as long as the Checkpoint.
class Checkpoint {
 public:
  // A .safetensors file, or a folder with model.safetensors.index.json or model.safetensors. Throws Error:
  // kNotFound, kInvalidFile naming file and tensor and what was expected, kIo.
  static std::shared_ptr<Checkpoint> open(const std::filesystem::path& folder_or_file);
  ~Checkpoint();

  // By inference name ("layers.0.attn.wq_a.weight"); null when the checkpoint has no such tensor. The scale
  // of a quantised "X.weight" is always "X.scale".
  const TensorInfo* find(std::string_view canonical_name) const;

  // Every tensor, fused ones as their slices, ordered by canonical name.
  const std::map<std::string, TensorInfo, std::less<>>& tensors() const { return tensors_; }
  size_t stored_tensors() const { return stored_tensors_; }  // as counted in the files
  int64_t stored_bytes() const { return stored_bytes_; }     // of tensor data
  size_t shards() const { return files_.size(); }
  const std::filesystem::path& path() const { return path_; }  // as given to open()

 private:
  Checkpoint() = default;

  struct Shard {
    std::string name;
    std::unique_ptr<MappedFile> file;
  };
  using WeightMap = std::map<std::string, std::string, std::less<>>;  // tensor name to shard
  // weight_map: what the index says, of which `expected` are this shard's; null for a single file, whose
  // tensors all count.
  void add_shard(const std::filesystem::path& path, const std::string& name, const WeightMap* weight_map,
                 std::span<const std::string_view> expected);
  void add(StoredTensor&& stored, const Shard& shard);
  void add_fused(const StoredTensor& stored, const FusedExperts& fused, const Shard& shard);
  void insert(std::string&& canonical, TensorInfo&& info);
  void check_fused_scales() const;

  std::filesystem::path path_;
  std::deque<Shard> files_;
  std::map<std::string, TensorInfo, std::less<>> tensors_;
  size_t stored_tensors_ = 0;
  int64_t stored_bytes_ = 0;
};

}  // namespace hadal
