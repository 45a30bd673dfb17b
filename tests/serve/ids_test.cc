#include "serve/ids.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

namespace hadal::serve {
namespace {

TEST(Ids, HaveTheirForms) {
  EXPECT_TRUE(std::regex_match(
      random_uuid(), std::regex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")));
  EXPECT_TRUE(std::regex_match(new_call_id(3), std::regex("call_03_[0-9A-Za-z]{24}")));
  EXPECT_TRUE(std::regex_match(random_hex(33), std::regex("[0-9a-f]{33}")));
  EXPECT_TRUE(std::regex_match(utc_time(9), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)")));
  EXPECT_TRUE(std::regex_match(utc_time(0), std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")));
}

TEST(Ids, DoNotComeTwice) {
  std::set<std::string> seen;
  for (int i = 0; i < 10000; ++i) EXPECT_TRUE(seen.insert(new_call_id(0)).second);
}

TEST(Ids, UseEveryLetterAboutEquallyOften) {
  std::map<char, int> count;
  for (const char c : random_base62(62 * 1000)) ++count[c];
  EXPECT_EQ(count.size(), 62u);
  for (const auto& [letter, times] : count) {
    EXPECT_GT(times, 800) << letter;  // six standard deviations
    EXPECT_LT(times, 1200) << letter;
  }
}

}  // namespace
}  // namespace hadal::serve
