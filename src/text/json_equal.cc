#include "text/json_equal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <optional>
#include <string_view>

namespace hadal {
namespace {

std::optional<double> finite(std::string_view number) {
  double value = 0;
  const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool is_zero(std::string_view number) {
  number = number.substr(0, number.find_first_of("eE"));
  return number.find_first_of("123456789") == std::string_view::npos;
}

bool same_number(std::string_view a, std::string_view b) {
  if (a == b || (is_zero(a) && is_zero(b))) return true;
  const auto whole = [](std::string_view n) { return n.find_first_of(".eE") == std::string_view::npos; };
  if (whole(a) && whole(b)) return false;  // JSON has no leading zeros
  const std::optional<double> x = finite(a), y = finite(b);
  return x && y && *x == *y;
}

std::vector<size_t> by_key(const JsonValue& object) {
  std::vector<size_t> order(object.keys.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) -> const std::string& { return object.keys[i]; });
  return order;
}

}  // namespace

bool json_equal(const JsonValue& a, const JsonValue& b) {
  if (a.kind != b.kind || a.items.size() != b.items.size()) return false;
  switch (a.kind) {
    case JsonValue::Kind::kNumber:
      return same_number(a.text, b.text);
    case JsonValue::Kind::kString:
      return a.text == b.text;
    case JsonValue::Kind::kArray:
      return std::ranges::equal(a.items, b.items, json_equal);
    case JsonValue::Kind::kObject: {
      const std::vector<size_t> x = by_key(a), y = by_key(b);
      for (size_t i = 0; i < x.size(); ++i)
        if (a.keys[x[i]] != b.keys[y[i]] || !json_equal(a.items[x[i]], b.items[y[i]])) return false;
      return true;
    }
    default:
      return true;
  }
}

}  // namespace hadal
