// Typed access to the fields of a configuration file, with errors that name the file and the field, what was
// found and what is expected. Internal to src/model's .cc files.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

// The document of a configuration file: an object, no deeper than 32, every key once. Throws
// Error(kInvalidFile) with the line that is wrong.
nlohmann::json parse_json_object(std::string_view text, const std::string& name);

// The fields of one object. An absent key and null are the same. The json outlives the reader.
class JsonFields {
 public:
  // prefix: how fields are named in messages, "rope_scaling." for a nested object.
  JsonFields(const nlohmann::json& object, std::string file, std::string prefix = {})
      : object_(object), file_(std::move(file)), prefix_(std::move(prefix)) {}

  bool has(const char* key) const { return find(key) != nullptr; }
  // Null when absent.
  const nlohmann::json* find(const char* key) const;

  // Required, then optional. Whole numbers within [low, high].
  int64_t integer(const char* key, int64_t low, int64_t high) const;
  int64_t integer(const char* key, int64_t low, int64_t high, int64_t fallback) const;
  // Finite numbers within [low, high].
  double number(const char* key, double low, double high) const;
  double number(const char* key, double low, double high, double fallback) const;
  bool boolean(const char* key, bool fallback) const;
  std::string text(const char* key, const std::string& fallback) const;
  // A list of whole numbers, or, with one_is_enough, a number standing for a list of one.
  std::vector<int64_t> integers(const char* key, int64_t low, int64_t high, bool one_is_enough) const;
  // The object under key, which must be one.
  JsonFields object(const char* key) const;

  // Throws kUnsupported unless an optional string is this one.
  void only(const char* key, const std::string& supported) const;

  [[noreturn]] void wrong(const char* key,
                          const std::string& expected) const;  // kInvalidFile, says what was found
  [[noreturn]] void contradiction(const char* key, const std::string& message) const;  // kInvalidFile
  [[noreturn]] void unsupported(const char* key, const std::string& message) const;    // kUnsupported

 private:
  int64_t integer_value(const nlohmann::json& value, const char* key, int64_t low, int64_t high) const;
  double number_value(const nlohmann::json& value, const char* key, double low, double high) const;

  const nlohmann::json& object_;
  std::string file_, prefix_;
};

}  // namespace hadal
