#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/mapped_file.h"
#include "checkpoint/name_map.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"

namespace hadal {
namespace fs = std::filesystem;
namespace {

constexpr const char* kIndexName = "model.safetensors.index.json";
constexpr const char* kSingleName = "model.safetensors";
constexpr size_t kMaxIndexBytes = size_t{256} << 20;
constexpr int64_t kMaxExperts = 65536;  // a bound for hostile files; every expert becomes an entry in memory

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

// What lies in a folder that has no checkpoint, to help whoever gave the wrong one.
std::string other_weights(const fs::path& folder) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(".safetensors") || name.ends_with(".gguf") || name.ends_with(".bin"))
      return fmt::format("; it has {}, whose name says something else", printable_name(name));
  }
  return {};
}

}  // namespace

int64_t TensorInfo::elements() const {
  int64_t count = 1;
  for (const int64_t dim : shape) count *= dim;
  return count;
}

View TensorInfo::view() const {
  HADAL_CHECK(shape.size() <= 4, "{} has {} dimensions", name, shape.size());
  Shape dims;
  for (const int64_t dim : shape) dims.dim[dims.rank++] = dim;
  return View(const_cast<std::byte*>(bytes.data()), dtype, dims);
}

std::string TensorInfo::place() const {
  return fmt::format("{}: tensor {}", file, printable_name(name));
}

Checkpoint::~Checkpoint() = default;

const TensorInfo* Checkpoint::find(std::string_view canonical_name) const {
  const auto found = tensors_.find(canonical_name);
  return found == tensors_.end() ? nullptr : &found->second;
}

std::shared_ptr<Checkpoint> Checkpoint::open(const fs::path& folder_or_file) {
  std::error_code ignored;
  const fs::file_status status = fs::status(folder_or_file, ignored);
  if (!fs::exists(status))
    fail(ErrorCode::kNotFound, "{}: there is no such file or folder", folder_or_file.string());

  std::shared_ptr<Checkpoint> out(new Checkpoint);
  out->path_ = folder_or_file;
  fs::path index, single;
  if (fs::is_directory(status)) {
    if (fs::exists(folder_or_file / kIndexName, ignored))
      index = folder_or_file / kIndexName;
    else if (fs::exists(folder_or_file / kSingleName, ignored))
      single = folder_or_file / kSingleName;
    else
      fail(ErrorCode::kNotFound, "{}: no checkpoint in this folder, expected {} or {} with its shards{}",
           folder_or_file.string(), kSingleName, kIndexName, other_weights(folder_or_file));
  } else if (folder_or_file.extension() == ".json") {
    index = folder_or_file;
  } else {
    single = folder_or_file;
  }

  if (!single.empty()) {
    out->add_shard(single, single.filename().string(), nullptr, {});
  } else {
    const std::string index_name = index.filename().string();
    const auto weight_map = parse_shard_index(read_text_file(index, kMaxIndexBytes), index_name);
    std::map<std::string_view, std::vector<std::string_view>> shards;
    for (const auto& [tensor, file] : weight_map) shards[file].push_back(tensor);
    for (const auto& [file, expected] : shards) {
      const fs::path path = folder_of(index) / file;
      if (!fs::exists(path, ignored))
        fail(ErrorCode::kNotFound, "{}: shard {} is missing; {} expects tensor {} in it",
             folder_or_file.string(), printable_name(file), index_name, printable_name(expected.front()));
      out->add_shard(path, std::string(file), &weight_map, expected);
    }
  }
  out->check_fused_scales();
  return out;
}

void Checkpoint::add_shard(const fs::path& path, const std::string& name, const WeightMap* weight_map,
                           std::span<const std::string_view> expected) {
  const Shard& shard = files_.emplace_back(Shard{name, MappedFile::open(path)});
  SafetensorsHeader header = parse_safetensors_header(shard.file->bytes(), name);
  std::set<std::string_view> present;
  for (StoredTensor& stored : header.tensors) {
    if (weight_map != nullptr) {
      const auto entry = weight_map->find(stored.name);
      if (entry == weight_map->end()) continue;  // the index decides; what it does not list is nobody's
      if (entry->second != name)
        fail(ErrorCode::kInvalidFile,
             "{}: tensor {} is here and, by the index, in {}; expected in one shard only", name,
             printable_name(stored.name), printable_name(entry->second));
      present.insert(entry->first);
    }
    add(std::move(stored), shard);
  }
  for (const std::string_view tensor : expected)
    if (!present.contains(tensor))
      fail(ErrorCode::kInvalidFile, "{}: tensor {} is missing; the index expects it in this shard", name,
           printable_name(tensor));
}

void Checkpoint::add(StoredTensor&& stored, const Shard& shard) {
  ++stored_tensors_;
  stored_bytes_ += stored.end - stored.begin;
  if (const auto fused = fused_experts(stored.name)) {
    add_fused(stored, *fused, shard);
    return;
  }
  TensorInfo info;
  std::string canonical = canonical_name(stored.name);
  info.name = std::move(stored.name);
  info.file = shard.name;
  info.dtype = stored.dtype;
  info.shape = std::move(stored.shape);
  info.bytes = shard.file->bytes().subspan(static_cast<size_t>(stored.begin),
                                           static_cast<size_t>(stored.end - stored.begin));
  insert(std::move(canonical), std::move(info));
}

// [E, 2I, ...]: w1 are rows 0 ... I-1 of an expert, w3 the rest. [E, D, ...]: w2.
void Checkpoint::add_fused(const StoredTensor& stored, const FusedExperts& fused, const Shard& shard) {
  const int parts = fused.gate_up ? 2 : 1;
  const auto bad_shape = [&](std::string_view expected) {
    fail(ErrorCode::kInvalidFile, "{}: tensor {}: shape {}, expected {}", shard.name,
         printable_name(stored.name), shape_text(stored.shape), expected);
  };
  if (stored.shape.size() != 3) bad_shape("three dimensions: experts, rows, columns");
  const int64_t experts = stored.shape[0], rows = stored.shape[1];
  if (stored.end == stored.begin || experts > kMaxExperts)
    bad_shape("1 to 65536 experts and no empty dimension");
  if (rows % parts != 0) bad_shape("an even number of rows for w1 and w3");

  const auto bytes = static_cast<size_t>((stored.end - stored.begin) / (experts * parts));
  const auto all = shard.file->bytes().subspan(static_cast<size_t>(stored.begin));
  for (int64_t expert = 0; expert < experts; ++expert) {
    for (int part = 0; part < parts; ++part) {
      TensorInfo info;
      info.name = stored.name;
      info.file = shard.name;
      info.dtype = stored.dtype;
      info.shape = {rows / parts, stored.shape[2]};
      info.bytes = all.subspan(static_cast<size_t>(expert * parts + part) * bytes, bytes);
      info.slice = true;
      const char* matrix = !fused.gate_up ? "w2" : part == 0 ? "w1" : "w3";
      insert(fmt::format("{}{}.{}.{}", fused.prefix, expert, matrix, fused.scale ? "scale" : "weight"),
             std::move(info));
    }
  }
}

void Checkpoint::insert(std::string&& canonical, TensorInfo&& info) {
  const auto [place, added] = tensors_.try_emplace(std::move(canonical), TensorInfo{});
  if (!added)
    fail(ErrorCode::kInvalidFile, "{}: tensor {} and tensor {} of {} are both {}, expected one of them",
         info.file, printable_name(info.name), printable_name(place->second.name), place->second.file,
         printable_name(place->first));
  place->second = std::move(info);
  place->second.canonical_name = place->first;
}

// Scales of a fused w1/w3 pair can be cut in two only when no block of 128 rows has a part in both.
void Checkpoint::check_fused_scales() const {
  for (const auto& [name, info] : tensors_) {
    if (!info.slice || !(name.ends_with(".w1.scale") || name.ends_with(".w3.scale"))) continue;
    const TensorInfo* weight = find(name.substr(0, name.size() - 5) + "weight");
    if (weight == nullptr || !weight->slice || weight->shape[0] == info.shape[0] ||
        weight->shape[0] % 128 == 0)
      continue;
    fail(ErrorCode::kInvalidFile,
         "{}: blocks of 128 rows straddle w1 and w3 of {} rows each; expected a multiple of 128 or separate "
         "experts",
         info.place(), weight->shape[0]);
  }
}

}  // namespace hadal
