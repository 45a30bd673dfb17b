#include "sample/grammar/charset.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bitset>
#include <vector>

namespace hadal::grammar {
namespace {

TEST(CharSet, JoinsAndSortsItsRanges) {
  const CharSet chars{{'x', 'z'}, {'a', 'c'}, {'d', 'f'}, {'b', 'b'}};
  EXPECT_EQ(chars.ranges(), (std::vector<CharRange>{{'a', 'f'}, {'x', 'z'}}));
  EXPECT_TRUE(chars.contains('a'));
  EXPECT_TRUE(chars.contains('z'));
  EXPECT_FALSE(chars.contains('g'));
  EXPECT_FALSE(CharSet().contains(0));
  EXPECT_TRUE(CharSet().empty());
}

TEST(CharSet, ComplementIsOfCharacters) {
  EXPECT_EQ(CharSet().complement(), CharSet::any());
  EXPECT_TRUE(CharSet::any().complement().empty());
  EXPECT_EQ(CharSet::one(kLastChar).complement(), (CharSet{{0, kLastChar - 1}}));
  EXPECT_EQ(CharSet::one(0).complement(), (CharSet{{1, kLastChar}}));
  EXPECT_EQ(CharSet::one(kFirstSpecial).complement(), CharSet::any());  // specials are no characters
}

// All operations as on bits.
TEST(CharSet, AgreesWithBits) {
  constexpr uint32_t kSize = 40;
  EXPECT_TRUE(rc::check("sets of ranges are sets", [] {
    const auto make = [](std::bitset<kSize>& bits) {
      CharSet chars;
      for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
        const uint32_t first = *rc::gen::inRange<uint32_t>(0, kSize);
        const uint32_t last = *rc::gen::inRange<uint32_t>(first, kSize);
        chars.add({first, last});
        for (uint32_t c = first; c <= last; ++c) bits.set(c);
      }
      return chars;
    };
    std::bitset<kSize> a_bits, b_bits;
    const CharSet a = make(a_bits), b = make(b_bits);
    CharSet sum = a;
    sum.add(b);
    const CharSet common = a.intersect(b), rest = a.complement();
    for (uint32_t c = 0; c < kSize; ++c) {
      RC_ASSERT(a.contains(c) == a_bits[c]);
      RC_ASSERT(sum.contains(c) == (a_bits[c] || b_bits[c]));
      RC_ASSERT(common.contains(c) == (a_bits[c] && b_bits[c]));
      RC_ASSERT(rest.contains(c) == !a_bits[c]);
    }
    RC_ASSERT(rest.complement() == a);
  }));
}

}  // namespace
}  // namespace hadal::grammar
