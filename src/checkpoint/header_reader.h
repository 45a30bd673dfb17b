// The JSON of a safetensors header, token by token: a document tree would keep only the last of two equal
// keys, and a header of a hundred megabytes should not be held twice. Internal to src/checkpoint.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_set>
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

class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::string_view file) : file_(file) {}

  std::vector<HeaderEntry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& value) override;
  bool binary(binary_t& value) override;
  bool start_object(std::size_t elements) override;
  bool key(string_t& value) override;
  bool end_object() override;
  bool start_array(std::size_t elements) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::detail::exception& problem) override;

 private:
  enum class Place { kOutside, kTop, kTensor, kMetadata, kShape, kOffsets };

  [[noreturn]] void unexpected(std::string_view found) const;
  std::string where() const;

  std::string_view file_;
  Place place_ = Place::kOutside;
  std::string key_;  // the last one seen
  std::unordered_set<std::string> names_;
};

}  // namespace hadal
