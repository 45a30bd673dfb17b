// RoPE frequencies against the table of spec/model.md section 4.5, sine and cosine against libm.
#include "ops/angles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace hadal {
namespace {

TEST(RopeFrequencies, YarnTableOfTheReleasedModels) {
  RopeSettings s;
  s.theta = 160000;
  s.factor = 16;
  const std::vector<float> f = rope_frequencies(s);
  ASSERT_EQ(f.size(), 32u);
  const std::pair<int, double> table[] = {{0, 1},
                                          {1, 0.6876560219},
                                          {8, 0.05},
                                          {15, 3.635538584e-3},
                                          {16, 2.265625e-3},
                                          {17, 1.396801295e-3},
                                          {18, 8.496897268e-4},
                                          {19, 5.080819630e-4},
                                          {20, 2.969777783e-4},
                                          {21, 1.681799886e-4},
                                          {22, 9.086784295e-5},
                                          {23, 4.544423230e-5},
                                          {24, 1.953125e-5},
                                          {25, 5.372312671e-6},
                                          {26, 3.694303160e-6},
                                          {27, 2.540409815e-6},
                                          {28, 1.746928107e-6},
                                          {29, 1.201285633e-6},
                                          {30, 8.260712996e-7},
                                          {31, 5.680529037e-7}};
  for (const auto& [i, value] : table) EXPECT_NEAR(f[i], value, 2e-7 * value) << i;
}

TEST(RopeFrequencies, PlainTable) {
  const std::vector<float> f = rope_frequencies(RopeSettings{});
  EXPECT_NEAR(f[1], 0.7498942093, 1e-7);
  EXPECT_NEAR(f[2], 0.5623413252, 1e-7);
  EXPECT_NEAR(f[31], 1.333521432e-4, 1e-11);
}

TEST(CosSin, AgreesWithLibmToTheLastBit) {
  std::mt19937 random(1);
  int different = 0;
  for (int i = 0; i < 200000; ++i) {
    const float angle = i < 1000 ? static_cast<float>(i) * 0.01f
                                 : std::uniform_real_distribution<float>(0.0f, 1048576.0f)(random);
    const CosSin got = cos_sin(angle);
    different += got.cos != static_cast<float>(std::cos(static_cast<double>(angle)));
    different += got.sin != static_cast<float>(std::sin(static_cast<double>(angle)));
  }
  EXPECT_LE(different, 2);  // a tie within 1e-16 may fall the other way
  EXPECT_EQ(cos_sin(0.0f).cos, 1.0f);
  EXPECT_EQ(cos_sin(0.0f).sin, 0.0f);
}

}  // namespace
}  // namespace hadal
