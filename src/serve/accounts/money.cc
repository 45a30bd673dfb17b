#include "serve/accounts/money.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace hadal::serve {
namespace {

constexpr int kPlaces = 9;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

Money operator+(Money a, Money b) {
  int64_t sum = 0;
  if (__builtin_add_overflow(a.nano, b.nano, &sum))
    sum = b.nano > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
  return {sum};
}

Money operator-(Money a, Money b) {
  int64_t difference = 0;
  if (__builtin_sub_overflow(a.nano, b.nano, &difference))
    difference = b.nano < 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
  return {difference};
}

Result<Money> parse_money(std::string_view text) {
  const std::string_view whole_text = text;
  const auto expected = [&] {
    return problem(
        "", fmt::format("expected an amount like 12 or 0.14, with at most {} digits after the point and "
                        "less than 9000000000, found '{}'",
                        kPlaces, whole_text.substr(0, 40)));
  };
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t point = std::min(text.find('.'), text.size());
  std::string_view whole = text.substr(0, point);
  std::string_view fraction = point < text.size() ? text.substr(point + 1) : std::string_view();
  if (whole.empty() || !std::ranges::all_of(whole, is_digit)) return expected();
  if (point < text.size() && (fraction.empty() || !std::ranges::all_of(fraction, is_digit)))
    return expected();
  while (whole.size() > 1 && whole.front() == '0') whole.remove_prefix(1);
  while (!fraction.empty() && fraction.back() == '0') fraction.remove_suffix(1);
  if (whole.size() > 10 || fraction.size() > kPlaces) return expected();
  int64_t units = 0, nano = 0;
  for (const char c : whole) units = units * 10 + (c - '0');
  if (units >= 9'000'000'000) return expected();
  for (int i = 0; i < kPlaces; ++i)
    nano =
        nano * 10 + (static_cast<size_t>(i) < fraction.size() ? fraction[static_cast<size_t>(i)] - '0' : 0);
  const int64_t total = units * kNanoPerUnit + nano;
  return Money{negative ? -total : total};
}

std::string format_money(Money amount) {
  // Unsigned, because the smallest amount has no positive counterpart.
  const uint64_t size =
      amount.nano < 0 ? 0 - static_cast<uint64_t>(amount.nano) : static_cast<uint64_t>(amount.nano);
  std::string out =
      fmt::format("{}{}.{:09}", amount.nano < 0 ? "-" : "", size / kNanoPerUnit, size % kNanoPerUnit);
  const size_t shortest = out.size() - kPlaces + 2;
  while (out.size() > shortest && out.back() == '0') out.pop_back();
  return out;
}

bool is_currency(std::string_view text) {
  return text.size() == 3 && std::ranges::all_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
}

}  // namespace hadal::serve
