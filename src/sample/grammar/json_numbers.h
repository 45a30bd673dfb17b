// The numbers of a JSON Schema as languages of their spellings. Ranges and multiples are compared as digits,
// exactly; where they apply, numbers are written without exponents.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sample/grammar/expr.h"

namespace hadal::grammar {

// A decimal number of any size.
struct Decimal {
  bool negative = false;
  std::string whole = "0", fraction;  // digits; without needless zeros

  // A JSON number. None if it has more digits than anyone means (exponents beyond 400).
  static std::optional<Decimal> parse(std::string_view text);
  bool is_zero() const { return whole == "0" && fraction.empty(); }
  bool is_whole() const { return fraction.empty(); }
};

// Not thread-safe; borrows the pool. any_spelling: also 1.0 and 1e2 for 1 and 100, which most writers do not
// use for whole numbers.
class NumberLanguages {
 public:
  NumberLanguages(ExprPool& pool, bool any_spelling);

  ExprId number() const { return number_; }    // every number
  ExprId integer() const { return integer_; }  // every whole number
  ExprId plain() const { return plain_; }      // every number without an exponent
  ExprId at_least(const Decimal& bound, bool exclusive);
  ExprId at_most(const Decimal& bound, bool exclusive);
  ExprId exactly(const Decimal& value);
  // None if the step, without its decimals, is too large (2^31).
  std::optional<ExprId> multiple_of(const Decimal& step);

 private:
  ExprId above(const Decimal& bound, bool or_equal);  // without sign; the bound's sign does not matter

  ExprPool& pool_;
  const bool any_spelling_;
  ExprId digit_, digits_, minus_, unsigned_, number_, integer_, plain_;
};

}  // namespace hadal::grammar
