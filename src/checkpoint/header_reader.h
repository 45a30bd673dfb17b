// The JSON of a safetensors header, token by token: a document tree would keep only the last of two equal
// keys, and a header of a hundred megabytes should not be held twice. Internal to src/checkpoint.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

// What the text says about one tensor, unchecked against the file.
struct HeaderEntry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

struct HeaderText {
  std::vector<HeaderEntry> entries;  // in the order of the text, every name once
  std::map<std::string, std::string> metadata;
};

// Throws Error(kInvalidFile) naming the file, the tensor and the field: not JSON, a key twice or unknown, a
// value of another type than the format has.
HeaderText read_header(std::string_view json, std::string_view file);

}  // namespace hadal
