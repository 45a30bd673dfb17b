// The generator against the published known answers, and the numbers made from it.
#include "sample/philox.h"

#include <gtest/gtest.h>

#include <set>

namespace hadal {
namespace {

TEST(Philox, KnownAnswers) {
  using Four = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Uniform, EveryArgumentCountsInFull) {
  std::set<double> seen;
  for (const uint64_t x : {uint64_t{1}, uint64_t{1} << 31, uint64_t{1} << 32, uint64_t{1} << 63}) {
    seen.insert(uniform_at(x, 0, 0));
    seen.insert(uniform_at(0, x, 0));
    seen.insert(uniform_at(0, 0, x));
  }
  seen.insert(uniform_at(0, 0, 0));
  EXPECT_EQ(seen.size(), 13u);
}

TEST(Uniform, MomentsAndRange) {
  constexpr int kDraws = 100000;
  double sum = 0, squares = 0, lag = 0, last = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = uniform_at(42, 7, static_cast<uint64_t>(i));
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    sum += u;
    squares += u * u;
    lag += u * last;
    last = u;
  }
  // Four standard deviations of each mean.
  EXPECT_NEAR(sum / kDraws, 0.5, 4 * 0.2887 / 316.2);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 4 * 0.2981 / 316.2);
  EXPECT_NEAR(lag / kDraws, 0.25, 4 * 0.25 / 316.2);
}

}  // namespace
}  // namespace hadal
