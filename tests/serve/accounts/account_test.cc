#include "serve/accounts/account.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

TEST(Account, Roles) {
  for (const Role role : {Role::kUser, Role::kAdmin}) EXPECT_EQ(parse_role(role_name(role)), role);
  EXPECT_FALSE(parse_role("root"));
  EXPECT_FALSE(parse_role(""));
}

TEST(Account, KeyNames) {
  for (const std::string& name : {std::string("ann"), std::string("Zoë's laptop"), std::string("7b"),
                                  std::string(128, 'x'), std::string("a b = c")})
    EXPECT_TRUE(check_key_name(name)) << name;
  for (const std::string& name :
       {std::string(), std::string(129, 'x'), std::string("a\nb"), std::string("a\x1b[2J"),
        std::string("1234"), std::string("\xff"), std::string("say \"hi\""), std::string("a\\b"),
        std::string("a\0b", 3), std::string("a\tb")})
    EXPECT_FALSE(check_key_name(name)) << name;
}

TEST(Account, TotalsAddUp) {
  UsageTotals totals;
  totals.add({"m", 3, 4, 5, 2, false}, {7});
  totals.add({"m", 10, 20, 30, 0, true}, {70});
  EXPECT_EQ(totals, (UsageTotals{2, 1, 13, 24, 35, 2, {77}}));
  totals.add(totals);
  EXPECT_EQ(totals, (UsageTotals{4, 2, 26, 48, 70, 4, {154}}));
}

TEST(Account, TheSystemsClocksRun) {
  const Clocks clocks = Clocks::system();
  const TimePoint first = clocks.steady();
  EXPECT_GE(clocks.steady(), first);
  EXPECT_GT(clocks.wall(), WallTime(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)));
}

}  // namespace
}  // namespace hadal::serve
