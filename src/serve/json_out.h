// Writing JSON for clients: compact, in the order of the calls, appended to a string.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace hadal::serve {

// The caller pairs begin and end and writes a key before every value of an object.
class JsonOut {
 public:
  // inside: `out` ends within an object or array that has a member already.
  explicit JsonOut(std::string& out, bool inside = false) : out_(out), comma_(inside) {}

  JsonOut& begin(char bracket);  // '{' or '['
  JsonOut& end(char bracket);    // '}' or ']'
  JsonOut& key(std::string_view name);

  JsonOut& value(std::string_view text);  // valid UTF-8
  JsonOut& value(const char* text) { return value(std::string_view(text)); }
  JsonOut& value(std::same_as<bool> auto flag) { return raw(flag ? "true" : "false"); }
  JsonOut& value(std::integral auto number)
    requires(!std::same_as<decltype(number), bool>)
  {
    return raw(fmt::format("{}", number));
  }
  JsonOut& value(double number);  // shortest digits that read back the same; null where JSON has no number
  JsonOut& null() { return raw("null"); }
  JsonOut& raw(std::string_view json);  // one JSON value as it is

  template <class T>
  JsonOut& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  JsonOut& null_field(std::string_view name) { return key(name).null(); }
  JsonOut& raw_field(std::string_view name, std::string_view json) { return key(name).raw(json); }

 private:
  void separate();

  std::string& out_;
  bool comma_;
};

// The text as a JSON string with its quotes.
std::string json_string(std::string_view text);

}  // namespace hadal::serve
