#include "sample/grammar/json_numbers.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>

namespace hadal::grammar {
namespace {

// thousandths as a JSON number, with as many needless zeros as `zeros` says.
std::string spelled(int64_t thousandths, int zeros) {
  const int64_t size = std::abs(thousandths);
  std::string text = fmt::format("{}{}.{:03}", thousandths < 0 ? "-" : "", size / 1000, size % 1000);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  if (zeros > 0 && text.find('.') == std::string::npos) text += ".";
  return text + std::string(static_cast<size_t>(zeros), '0');
}

Decimal decimal(int64_t thousandths) {
  return *Decimal::parse(spelled(thousandths, 0));
}

TEST(JsonNumbers, ReadsDecimals) {
  const auto check = [](std::string_view text, bool negative, std::string_view whole,
                        std::string_view fraction) {
    const auto value = Decimal::parse(text);
    ASSERT_TRUE(value.has_value()) << text;
    EXPECT_EQ(value->negative, negative) << text;
    EXPECT_EQ(value->whole, whole) << text;
    EXPECT_EQ(value->fraction, fraction) << text;
  };
  check("0", false, "0", "");
  check("-0.0", false, "0", "");
  check("-12.3400", true, "12", "34");
  check("1.5e3", false, "1500", "");
  check("1.5E-3", false, "0", "0015");
  check("120e-1", false, "12", "");
  EXPECT_FALSE(Decimal::parse("1e401").has_value());
  EXPECT_FALSE(Decimal::parse("1e99999999999999999999").has_value());
}

// Around zero and around a bound is where mistakes would be.
TEST(JsonNumbers, BoundsAreExact) {
  EXPECT_TRUE(rc::check([](bool exclusive) {
    ExprPool pool;
    NumberLanguages numbers(pool);
    const int64_t scale = *rc::gen::element<int64_t>(1, 10, 1000);
    const int64_t bound = *rc::gen::inRange<int64_t>(-1200, 1200) * scale;
    const ExprId least = numbers.at_least(decimal(bound), exclusive),
                 most = numbers.at_most(decimal(bound), exclusive);
    const ExprId exactly = numbers.exactly(decimal(bound));
    for (int64_t apart = -12; apart <= 12; ++apart)
      for (const int64_t step : {int64_t{1}, scale, int64_t{1000}})
        for (const int zeros : {0, 2}) {
          const int64_t value = bound + apart * step;
          const std::string text = spelled(value, zeros);
          RC_ASSERT(pool.matches(numbers.number(), text));
          RC_ASSERT(pool.matches(least, text) == (exclusive ? value > bound : value >= bound));
          RC_ASSERT(pool.matches(most, text) == (exclusive ? value < bound : value <= bound));
          RC_ASSERT(pool.matches(exactly, text) == (value == bound));
        }
  }));
}

TEST(JsonNumbers, MultiplesAreExact) {
  EXPECT_TRUE(rc::check([] {
    ExprPool pool;
    NumberLanguages numbers(pool);
    const int64_t step = *rc::gen::inRange<int64_t>(1, 4000);
    const auto multiples = numbers.multiple_of(decimal(step));
    RC_ASSERT(multiples.has_value());
    const int64_t some = *rc::gen::inRange<int64_t>(-50, 50) * step;
    for (int64_t value = some - 3; value <= some + 3; ++value)
      for (const int zeros : {0, 1, 3})
        RC_ASSERT(pool.matches(*multiples, spelled(value, zeros)) == (value % step == 0));
  }));
}

TEST(JsonNumbers, KnowsWholeNumbersAndHowTheyAreWritten) {
  ExprPool pool;
  const NumberLanguages numbers(pool);
  for (const char* text : {"0", "-7", "120"}) {
    EXPECT_TRUE(pool.matches(numbers.integer(), text));
    EXPECT_TRUE(pool.matches(numbers.written(), text));
  }
  for (const char* text : {"1.0", "1e2", "1.00E+1"}) {
    EXPECT_TRUE(pool.matches(numbers.integer(), text));
    EXPECT_FALSE(pool.matches(numbers.written(), text));
  }
  for (const char* text : {"1.5", "1.50", "1e-1", "-0.05"}) {
    EXPECT_FALSE(pool.matches(numbers.integer(), text));
    EXPECT_TRUE(pool.matches(numbers.written(), text));
  }
  for (const char* text : {"01", "+1", "1.", ".5", "-", ""})
    EXPECT_FALSE(pool.matches(numbers.number(), text));
  EXPECT_FALSE(NumberLanguages(pool).multiple_of(*Decimal::parse("2147483648")).has_value());
}

}  // namespace
}  // namespace hadal::grammar
