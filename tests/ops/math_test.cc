// The elementary functions against double libm.
#include "ops/math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/float_mode.h"

namespace hadal {
namespace {

// Distance in units of the last place of the exact value.
double ulps(float got, double exact) {
  const float rounded = static_cast<float>(exact);
  const double ulp = std::abs(static_cast<double>(std::nextafterf(rounded, INFINITY)) - rounded);
  return std::abs(got - exact) / ulp;
}

TEST(Math, ExpIsWithinTwoUlps) {
  const ScopedFloatMode mode;
  double worst = 0;
  for (float x = -87.0f; x < 88.7f; x += 0.00037f)
    worst = std::max(worst, ulps(math::exp(F1(x)).v, std::exp(static_cast<double>(x))));
  EXPECT_LT(worst, 2.0);
  EXPECT_EQ(math::exp(F1(0.0f)).v, 1.0f);
  EXPECT_EQ(math::exp(F1(-100.0f)).v, 0.0f);
  EXPECT_EQ(math::exp(F1(-INFINITY)).v, 0.0f);
  EXPECT_EQ(math::exp(F1(89.0f)).v, INFINITY);
  EXPECT_EQ(math::exp(F1(INFINITY)).v, INFINITY);
  EXPECT_TRUE(std::isnan(math::exp(F1(NAN)).v));
}

TEST(Math, SoftplusAndItsSquareRoot) {
  const ScopedFloatMode mode;
  double worst = 0;
  for (float x = -80.0f; x < 20.0f; x += 0.0011f)
    worst = std::max(worst, ulps(math::softplus(F1(x)).v, std::log1p(std::exp(static_cast<double>(x)))));
  EXPECT_LT(worst, 4.0);
  // spec/model.md section 7.1
  EXPECT_NEAR(math::sqrt_softplus(F1(-30.0f)).v, 3.0590e-7, 1e-11);
  EXPECT_NEAR(math::sqrt_softplus(F1(-5.0f)).v, 0.0819472, 1e-7);
  EXPECT_NEAR(math::sqrt_softplus(F1(0.0f)).v, 0.8325546, 1e-7);
  EXPECT_NEAR(math::sqrt_softplus(F1(1.0f)).v, 1.1459763, 2e-7);
  EXPECT_NEAR(math::sqrt_softplus(F1(5.0f)).v, 2.2375691, 3e-7);
  EXPECT_EQ(math::sqrt_softplus(F1(25.0f)).v, 5.0f);
  EXPECT_TRUE(std::isnan(math::softplus(F1(NAN)).v));
  EXPECT_EQ(math::softplus(F1(-INFINITY)).v, 0.0f);
}

TEST(Math, SigmoidAndSilu) {
  const ScopedFloatMode mode;
  for (float x = -60.0f; x < 60.0f; x += 0.013f) {
    EXPECT_LT(ulps(math::sigmoid(F1(x)).v, 1 / (1 + std::exp(-static_cast<double>(x)))), 3.0) << x;
    EXPECT_LT(ulps(math::silu(F1(x)).v, x / (1 + std::exp(-static_cast<double>(x)))), 4.0) << x;
  }
}

}  // namespace
}  // namespace hadal
