#include "serve/accounts/money.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace hadal::serve {
namespace {

using ::testing::HasSubstr;

TEST(Money, Reads) {
  const std::pair<const char*, int64_t> cases[] = {
      {"0", 0},
      {"12", 12'000'000'000},
      {"0.14", 140'000'000},
      {"0.003625", 3'625'000},
      {"-3.5", -3'500'000'000},
      {"0.000000001", 1},
      {"000012.50000000000000", 12'500'000'000},
      {"8999999999.999999999", 8'999'999'999'999'999'999},
  };
  for (const auto& [text, nano] : cases) {
    const auto read = parse_money(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(read->nano, nano) << text;
  }
}

TEST(Money, RefusesWhatIsNoAmount) {
  for (const char* text : {"", "-", ".", ".5", "5.", "1e3", "1,5", " 1", "1 ", "+1", "--1", "nan", "0x10",
                           "9000000000", "99999999999999999999", "0.0000000001", "1.2.3", "1-", "\xd9\xa1"}) {
    const auto read = parse_money(text);
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().what, HasSubstr(text));
  }
}

TEST(Money, Shows) {
  const std::pair<int64_t, const char*> cases[] = {
      {0, "0.00"},
      {110'000'000'000, "110.00"},
      {2'800'000, "0.0028"},
      {-500'000'000, "-0.50"},
      {1, "0.000000001"},
      {std::numeric_limits<int64_t>::max(), "9223372036.854775807"},
      {std::numeric_limits<int64_t>::min(), "-9223372036.854775808"},
  };
  for (const auto& [nano, text] : cases) EXPECT_EQ(format_money({nano}), text);
}

RC_GTEST_PROP(Money, WhatIsShownIsReadBack, ()) {
  const int64_t most = 9'000'000'000 * kNanoPerUnit;
  const int64_t nano = *rc::gen::inRange(-most + 1, most);
  const auto read = parse_money(format_money({nano}));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->nano == nano);
}

TEST(Money, StopsAtTheEnds) {
  const Money most{std::numeric_limits<int64_t>::max()}, least{std::numeric_limits<int64_t>::min()};
  EXPECT_EQ(most + Money{1}, most);
  EXPECT_EQ(least - Money{1}, least);
  EXPECT_EQ(least + Money{-1}, least);
  EXPECT_EQ(most - Money{-1}, most);
  EXPECT_EQ(Money{5} - Money{7}, Money{-2});
  EXPECT_LT(Money{-1}, Money{0});
}

TEST(Money, Currencies) {
  EXPECT_TRUE(is_currency("USD"));
  for (const char* text : {"", "US", "USDT", "usd", "U D", "12A"}) EXPECT_FALSE(is_currency(text)) << text;
}

}  // namespace
}  // namespace hadal::serve
