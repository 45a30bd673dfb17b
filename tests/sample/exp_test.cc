// The sampler's exponential against libm's.
#include "sample/exp.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace hadal {
namespace {

TEST(SamplingExp, WithinTenToTheMinusTenOfLibm) {
  for (double x = 0.0; x >= kNegligible; x -= 0x1p-10)
    ASSERT_NEAR(sampling_exp(x) / std::exp(x), 1.0, 1e-10) << x;
  EXPECT_EQ(sampling_exp(0.0), 1.0);
  EXPECT_EQ(sampling_exp(-0.0), 1.0);
}

TEST(SamplingExp, FallsWithItsArgument) {
  for (double x = -1e-3; x > kNegligible; x -= 0.01) ASSERT_LT(sampling_exp(x), sampling_exp(x + 1e-3)) << x;
}

TEST(SamplingExp, NothingBelowTheFloor) {
  EXPECT_GT(sampling_exp(kNegligible), 0.0);
  EXPECT_EQ(sampling_exp(std::nextafter(kNegligible, -100.0)), 0.0);
  EXPECT_EQ(sampling_exp(-std::numeric_limits<double>::infinity()), 0.0);
  EXPECT_EQ(sampling_exp(std::nan("")), 0.0);
}

}  // namespace
}  // namespace hadal
