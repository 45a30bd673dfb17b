// Writes a safetensors file of tensors that are handed over piece by piece, so none has to be in memory
// whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "tensor/dtype.h"

namespace hadal {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // outermost first
};

struct TensorBytes {
  TensorSpec spec;
  std::span<const std::byte> bytes;
};

// The file appears under its name when finish() returns; without it nothing is left behind. Data lies sorted
// by element size, the widest first, so that every tensor is aligned. Not thread-safe. Errors of the system
// are Error(kIo).
class SafetensorsWriter {
 public:
  // Names are unique and not "__metadata__", dimensions are not negative: CHECKed.
  SafetensorsWriter(const std::filesystem::path& path, std::vector<TensorSpec> tensors,
                    const std::map<std::string, std::string>& metadata = {});

  // The next bytes of tensors[index], row-major; tensors may be filled in any order.
  void append(size_t index, std::span<const std::byte> bytes);
  // Every tensor must be complete (CHECKed).
  void finish();

 private:
  struct Range {
    int64_t next = 0, end = 0;
  };
  std::vector<TensorSpec> tensors_;
  std::vector<Range> ranges_;
  AtomicFile file_;
};

void write_safetensors(const std::filesystem::path& path, std::span<const TensorBytes> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace hadal
