#include "sample/grammar/json_numbers.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace hadal::grammar {
namespace {

constexpr int64_t kMostExponent = 400;

}  // namespace

std::optional<Decimal> Decimal::parse(std::string_view text) {
  Decimal value;
  if (text.starts_with('-')) {
    value.negative = true;
    text.remove_prefix(1);
  }
  const size_t e = text.find_first_of("eE");
  int64_t exponent = 0;
  if (e != text.npos) {
    std::string_view digits = text.substr(e + 1);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error != std::errc() || std::abs(exponent) > kMostExponent) return std::nullopt;
    text = text.substr(0, e);
  }
  const size_t point = text.find('.');
  std::string digits(text.substr(0, point));
  const auto whole_size = static_cast<int64_t>(digits.size());
  if (point != text.npos) digits += text.substr(point + 1);
  int64_t split = whole_size + exponent;  // digits before the point
  if (split < 0) {
    digits.insert(0, static_cast<size_t>(-split), '0');
    split = 0;
  }
  if (split > static_cast<int64_t>(digits.size()))
    digits.append(static_cast<size_t>(split) - digits.size(), '0');
  value.whole = digits.substr(0, static_cast<size_t>(split));
  value.fraction = digits.substr(static_cast<size_t>(split));
  value.whole.erase(0, std::min(value.whole.find_first_not_of('0'), value.whole.size()));
  if (value.whole.empty()) value.whole = "0";
  value.fraction.erase(value.fraction.find_last_not_of('0') + 1);
  if (value.is_zero()) value.negative = false;
  return value;
}

NumberLanguages::NumberLanguages(ExprPool& pool) : pool_(pool) {
  digit_ = pool.set({{'0', '9'}});
  digits_ = pool.repeat(digit_, 0);
  minus_ = pool.optional(pool.set(CharSet::one('-')));
  const ExprId some = pool.repeat(digit_, 1), point = pool.set(CharSet::one('.'));
  const ExprId whole =
      pool.either({pool.set(CharSet::one('0')), pool.concat(pool.set({{'1', '9'}}), digits_)});
  const ExprId e = pool.set({{'e', 'e'}, {'E', 'E'}});
  const ExprId exponent =
      pool.optional(pool.concat({e, pool.optional(pool.set({{'+', '+'}, {'-', '-'}})), some}));
  unsigned_ = pool.concat(whole, pool.optional(pool.concat(point, some)));
  plain_ = pool.concat(minus_, unsigned_);
  number_ = pool.concat({minus_, unsigned_, exponent});
  const ExprId zeros = pool.optional(pool.concat(point, pool.repeat(pool.set(CharSet::one('0')), 1)));
  const ExprId up = pool.optional(pool.concat({e, pool.optional(pool.set(CharSet::one('+'))), some}));
  integer_ = pool.concat({minus_, whole, zeros, up});
  const ExprId fraction = pool.concat({point, digits_, pool.set({{'1', '9'}}), digits_});
  const ExprId down = pool.concat({e, pool.set(CharSet::one('-')), some});
  written_ = pool.concat({minus_, whole, pool.optional(fraction), pool.optional(down)});
  const ExprId few = pool.repeat(digit_, 1, 20);  // more than a double tells apart
  const ExprId sign = pool.optional(pool.set({{'+', '+'}, {'-', '-'}}));
  brief_ = pool.concat({minus_, few, pool.optional(pool.concat(point, few)),
                        pool.optional(pool.concat({e, sign, pool.repeat(digit_, 1, 2)}))});
}

// Texts without a sign whose number is larger than the bound's digits: longer, or larger at the first digit
// that differs, in the whole part or behind the point.
ExprId NumberLanguages::above(const Decimal& bound, bool or_equal) {
  ExprPool& pool = pool_;
  const ExprId point = pool.set(CharSet::one('.')), nonzero = pool.set({{'1', '9'}});
  const ExprId fraction = pool.optional(pool.concat(point, pool.repeat(digit_, 1)));
  const auto size = static_cast<uint32_t>(bound.whole.size());
  std::vector<ExprId> ways{pool.concat({nonzero, pool.repeat(digit_, size), fraction})};
  const auto larger_than = [&pool](char digit) {
    return digit == '9' ? ExprPool::kNone : pool.set({{static_cast<uint32_t>(digit) + 1, '9'}});
  };
  for (uint32_t i = 0; i < size; ++i)
    ways.push_back(pool.concat({pool.text(bound.whole.substr(0, i)), larger_than(bound.whole[i]),
                                pool.repeat(digit_, size - i - 1, size - i - 1), fraction}));
  const std::string start = bound.whole + ".";
  for (size_t i = 0; i < bound.fraction.size(); ++i)
    ways.push_back(pool.concat(
        {pool.text(start + bound.fraction.substr(0, i)), larger_than(bound.fraction[i]), digits_}));
  // The bound itself, and the bound with more behind it.
  const ExprId more = pool.concat({digits_, nonzero, digits_});
  const std::string exact = bound.fraction.empty() ? bound.whole : start + bound.fraction;
  const ExprId longer = bound.fraction.empty() ? pool.concat(point, more) : more;
  ways.push_back(pool.concat(pool.text(exact), longer));
  if (or_equal) {
    const ExprId zeros = pool.repeat(pool.set(CharSet::one('0')), bound.fraction.empty() ? 1 : 0);
    ways.push_back(bound.fraction.empty()
                       ? pool.concat(pool.text(exact), pool.optional(pool.concat(point, zeros)))
                       : pool.concat(pool.text(exact), zeros));
  }
  return pool.either(ways);
}

ExprId NumberLanguages::at_least(const Decimal& bound, bool exclusive) {
  ExprPool& pool = pool_;
  if (!bound.negative && !bound.is_zero()) return above(bound, !exclusive);
  // Everything without a minus, and with one what is not further from zero.
  const ExprId minus = pool.set(CharSet::one('-'));
  const ExprId near = pool.both({unsigned_, pool.negate(above(bound, exclusive))});
  if (bound.is_zero())
    return exclusive ? above(bound, false) : pool.either({unsigned_, pool.concat(minus, near)});
  return pool.either({unsigned_, pool.concat(minus, near)});
}

ExprId NumberLanguages::at_most(const Decimal& bound, bool exclusive) {
  ExprPool& pool = pool_;
  const ExprId minus = pool.set(CharSet::one('-'));
  if (bound.negative) return pool.concat(minus, above(bound, !exclusive));
  const ExprId near = pool.both({unsigned_, pool.negate(above(bound, exclusive))});
  // With a minus, everything but a zero that is not allowed.
  const ExprId below = bound.is_zero() && exclusive ? above(bound, false) : unsigned_;
  return pool.either({near, pool.concat(minus, below)});
}

ExprId NumberLanguages::exactly(const Decimal& value) {
  ExprPool& pool = pool_;
  const std::string text = value.fraction.empty() ? value.whole : value.whole + "." + value.fraction;
  const ExprId sign = value.negative    ? pool.set(CharSet::one('-'))
                      : value.is_zero() ? minus_
                                        : ExprPool::kEmpty;
  const ExprId zero = pool.set(CharSet::one('0'));
  const ExprId zeros = value.fraction.empty()
                           ? pool.optional(pool.concat(pool.set(CharSet::one('.')), pool.repeat(zero, 1)))
                           : pool.repeat(zero, 0);
  return pool.concat({sign, pool.text(text), zeros});
}

std::optional<ExprId> NumberLanguages::multiple_of(const Decimal& step) {
  std::string digits = step.whole + step.fraction;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || value == 0 || value >= (1u << 31) || step.fraction.size() > 100)
    return std::nullopt;
  return pool_.both(
      {plain_, pool_.concat(minus_, pool_.multiples(value, static_cast<uint32_t>(step.fraction.size())))});
}

}  // namespace hadal::grammar
