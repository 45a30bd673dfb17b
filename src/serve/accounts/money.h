// Amounts of money as integers: no float ever touches a price, a cost or a balance.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hadal::serve {

// Billionths of one unit of a currency (a token of the cheapest published price costs 2.8 of them). Which
// currency is kept beside it.
struct Money {
  int64_t nano = 0;
  auto operator<=>(const Money&) const = default;
};
inline constexpr int64_t kNanoPerUnit = 1'000'000'000;

// Stop at the largest and the smallest amount instead of overflowing (about 9.2e9 units).
Money operator+(Money a, Money b);
Money operator-(Money a, Money b);

// "12", "0.14", "-3.5", at most nine digits after the point. Problem: what was expected.
Result<Money> parse_money(std::string_view text);

// All digits that matter, at least two after the point: "110.00", "0.0028", "-0.50".
std::string format_money(Money amount);

// Three capital letters (ISO 4217).
bool is_currency(std::string_view text);

}  // namespace hadal::serve
