// The header of a safetensors file (docs/formats/safetensors.md): parsed and checked, so that whoever reads a
// tensor's bytes afterwards needs no further checks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace hadal {

constexpr int64_t kMaxHeaderBytes = 100'000'000;  // of the JSON text, the limit of the format
constexpr size_t kMaxRank = 8;

struct StoredTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // outermost first; empty for a scalar
  int64_t begin = 0, end = 0;  // bytes, from the start of the file
};

struct SafetensorsHeader {
  std::vector<StoredTensor> tensors;  // in the order of the header
  std::map<std::string, std::string> metadata;
};

// file: the bytes of the whole file (only those of the header are touched). name: for messages. Every range
// it returns lies inside the file, has exactly the size that dtype and shape ask for, and overlaps no other.
// Throws Error(kInvalidFile) naming the file, the tensor and what was expected.
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, std::string_view name);

// A tensor name fit for a message: control characters and bytes outside ASCII escaped, long names cut.
std::string printable_name(std::string_view name);

// "[2, 3]".
std::string shape_text(std::span<const int64_t> shape);

}  // namespace hadal
