#include "chat/python_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <system_error>

namespace hadal {
namespace {

// For a number that from_chars calls out of range: whether it is too large (else it is too small). Zero never
// is.
bool too_large(std::string_view spelling) {
  const size_t e = spelling.find_first_of("eE");
  const std::string_view mantissa = spelling.substr(0, e);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  const size_t first = mantissa.find_first_of("123456789");
  if (first == std::string_view::npos) return false;
  const auto magnitude = static_cast<int64_t>(point) - static_cast<int64_t>(first);
  int64_t exponent = 0;
  if (e != std::string_view::npos) {
    std::string_view digits = spelling.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, exponent).ec != std::errc()) return !digits.starts_with('-');
    constexpr int64_t kFar = int64_t{1} << 60;
    exponent = std::clamp(exponent, -kFar, kFar);
  }
  return magnitude + exponent > 0;
}

std::string repr(double value) {
  std::array<char, 64> buffer;
  const auto end =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific).ptr;
  std::string_view text(buffer.data(), static_cast<size_t>(end - buffer.data()));
  std::string out;
  if (text.starts_with('-')) {
    out.push_back('-');
    text.remove_prefix(1);
  }
  const size_t e = text.find('e');
  std::string digits(text.substr(0, 1));
  if (e > 2) digits.append(text.substr(2, e - 2));
  std::string_view power = text.substr(e + 1);
  if (power.starts_with('+')) power.remove_prefix(1);
  int exponent = 0;
  std::from_chars(power.data(), power.data() + power.size(), exponent);

  if (exponent < -4 || exponent >= 16) {
    out.push_back(digits[0]);
    if (digits.size() > 1) out.append(".").append(digits, 1);
    fmt::format_to(std::back_inserter(out), "e{}{:02}", exponent < 0 ? '-' : '+',
                   exponent < 0 ? -exponent : exponent);
  } else if (exponent < 0) {
    out.append("0.").append(static_cast<size_t>(-exponent - 1), '0').append(digits);
  } else {
    const auto whole = static_cast<size_t>(exponent) + 1;
    if (digits.size() <= whole)
      out.append(digits).append(whole - digits.size(), '0').append(".0");
    else
      out.append(digits, 0, whole).append(".").append(digits, whole);
  }
  return out;
}

void write(const JsonValue& value, std::string& out) {
  using Kind = JsonValue::Kind;
  switch (value.kind) {
    case Kind::kNull:
      out.append("null");
      return;
    case Kind::kFalse:
      out.append("false");
      return;
    case Kind::kTrue:
      out.append("true");
      return;
    case Kind::kNumber:
      out.append(python_number(value.text));
      return;
    case Kind::kString:
      out.push_back('"');
      append_json_escaped(value.text, out);
      out.push_back('"');
      return;
    case Kind::kArray:
    case Kind::kObject:
      break;
  }
  const bool object = value.is_object();
  out.push_back(object ? '{' : '[');
  for (size_t i = 0; i < value.items.size(); ++i) {
    if (i > 0) out.append(", ");
    if (object) {
      out.push_back('"');
      append_json_escaped(value.keys[i], out);
      out.append("\": ");
    }
    write(value.items[i], out);
  }
  out.push_back(object ? '}' : ']');
}

}  // namespace

std::string python_number(std::string_view spelling) {
  if (spelling.find_first_of(".eE") == std::string_view::npos)
    return std::string(spelling == "-0" ? "0" : spelling);
  double value = 0;
  const auto end = spelling.data() + spelling.size();
  if (std::from_chars(spelling.data(), end, value).ec == std::errc::result_out_of_range) {
    if (too_large(spelling)) return std::string(spelling);
    value = spelling.starts_with('-') ? -0.0 : 0.0;
  }
  return repr(value);
}

std::string python_json(const JsonValue& value) {
  std::string out;
  write(value, out);
  return out;
}

}  // namespace hadal
