// The list of younger characters: ascending ranges, no character in two categories, all unknown to
// PCRE2 10.42 or known to a newer one in the same category (that they then mean what they should is tested in
// pretokenizer_test.cc).
#include "text/unicode_additions.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <set>
#include <string>

namespace hadal {
namespace {

std::set<uint32_t> characters(char category) {
  std::set<uint32_t> all;
  std::string body(unicode_additions(category));
  uint32_t last = 0;
  for (const char* at = body.c_str(); *at != '\0';) {
    uint32_t first = 0, end = 0;
    int used = 0;
    EXPECT_EQ(std::sscanf(at, "\\x{%x}%n", &first, &used), 1) << at;
    if (used == 0) break;
    at += used;
    end = first;
    if (*at == '-') {
      used = 0;
      EXPECT_EQ(std::sscanf(at, "-\\x{%x}%n", &end, &used), 1) << at;
      if (used == 0) break;
      at += used;
      EXPECT_LT(first, end);
    }
    EXPECT_GT(first, last) << std::hex << first;
    last = end;
    for (uint32_t c = first; c <= end; ++c) all.insert(c);
  }
  return all;
}

// Counts from the Unicode Character Database: DerivedGeneralCategory 16.0 against 14.0.
TEST(UnicodeAdditions, HaveTheNumbersOfTheDatabase) {
  const std::map<char, size_t> counts = {{'L', 9272}, {'M', 93}, {'N', 120}, {'P', 36}, {'S', 773}};
  std::set<uint32_t> all;
  for (const auto& [category, count] : counts) {
    const std::set<uint32_t> members = characters(category);
    EXPECT_EQ(members.size(), count) << category;
    for (const uint32_t c : members) EXPECT_TRUE(all.insert(c).second) << std::hex << c;
  }
  EXPECT_EQ(unicode_additions('Z'), "");
  EXPECT_EQ(unicode_additions('C'), "");
}

}  // namespace
}  // namespace hadal
