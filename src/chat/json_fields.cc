#include "chat/json_fields.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace hadal {
namespace {

template <class Number>
bool parse(const std::string& text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end;
}

// Digits alone are read exactly; whatever is spelled as a real counts when it is a whole number that a double
// holds exactly.
template <class Integer>
std::optional<Integer> whole(const JsonValue& value) {
  if (!value.is(JsonValue::Kind::kNumber)) return std::nullopt;
  Integer number = 0;
  if (parse(value.text, number)) return number;
  constexpr double kMost = 9007199254740992.0;  // 2^53
  double real = 0;
  if (!parse(value.text, real) || !(std::abs(real) <= kMost) || real != std::trunc(real)) return std::nullopt;
  if (real < 0 && !std::numeric_limits<Integer>::is_signed) return std::nullopt;
  return static_cast<Integer>(real);
}

}  // namespace

std::optional<double> json_real(const JsonValue& value) {
  double number = 0;
  if (!value.is(JsonValue::Kind::kNumber) || !parse(value.text, number)) return std::nullopt;
  if (!(std::abs(number) <= static_cast<double>(std::numeric_limits<float>::max()))) return std::nullopt;
  return number;
}

template <>
std::optional<int64_t> json_whole(const JsonValue& value) {
  return whole<int64_t>(value);
}

template <>
std::optional<uint64_t> json_whole(const JsonValue& value) {
  return whole<uint64_t>(value);
}

std::string Fields::where(std::string_view key) const {
  if (path_.empty() || key.empty()) return path_ + std::string(key);
  return fmt::format("{}.{}", path_, key);
}

std::string Fields::where(std::string_view key, size_t index) const {
  return fmt::format("{}[{}]", where(key), index);
}

tl::unexpected<Problem> Fields::expected(std::string_view key, std::string_view what) const {
  return problem(where(key), fmt::format("expected {}", what));
}

Result<void> Fields::texts(std::string_view key, size_t most, bool one_is_enough,
                           std::vector<std::string>& out) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return {};
  if (value->is_string() && one_is_enough) {
    out = {value->text};
    return {};
  }
  if (!value->is_array() || value->items.size() > most)
    return expected(
        key, fmt::format("{}an array of at most {} strings", one_is_enough ? "a string or " : "", most));
  std::vector<std::string> list;
  for (const JsonValue& item : value->items) {
    if (!item.is_string()) return problem(where(key, list.size()), "expected a string");
    list.push_back(item.text);
  }
  out = std::move(list);
  return {};
}

Result<void> Fields::object(std::string_view key, const JsonValue*& out) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_object()) return expected(key, "an object");
  out = value;
  return {};
}

Result<void> Fields::array(std::string_view key, const JsonValue*& out) const {
  const JsonValue* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_array()) return expected(key, "an array");
  out = value;
  return {};
}

}  // namespace hadal
