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

// Not thread-safe; borrows the pool. Each language has every plain spelling of its numbers (1, 1.0, 1.00), so
// that what is not in it is another number; number() and integer() have exponents, too.
class NumberLanguages {
 public:
  explicit NumberLanguages(ExprPool& pool);

  ExprId number() const { return number_; }    // every number
  ExprId integer() const { return integer_; }  // every whole number
  // Spellings to write: no fraction of nothing but zeros, exponents only below zero. Every number has one.
  ExprId written() const { return written_; }
  // Spellings of few digits: a writer that knows no end comes to one. Most numbers have one.
  ExprId brief() const { return brief_; }
  ExprId plain() const { return plain_; }  // every number without an exponent
  ExprId at_least(const Decimal& bound, bool exclusive);
  ExprId at_most(const Decimal& bound, bool exclusive);
  ExprId exactly(const Decimal& value);
  // None if the step, without its decimals, is too large (2^31).
  std::optional<ExprId> multiple_of(const Decimal& step);

 private:
  ExprId above(const Decimal& bound, bool or_equal);  // without sign; the bound's sign does not matter

  ExprPool& pool_;
  ExprId digit_, digits_, minus_, unsigned_, number_, integer_, plain_, written_, brief_;
};

}  // namespace hadal::grammar
