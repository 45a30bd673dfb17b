#include "cpu/op_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "ops/reference_ops.h"

namespace hadal {
namespace {

TEST(OpCase, SeesADifference) {
  ReferenceOps ops;
  OpCase a(ops, 3), b(ops, 3), c(ops, 3);
  for (OpCase* one : {&a, &b, &c}) one->inout("x", one->tensor(DType::kBF16, {2, 5}));
  EXPECT_FALSE(OpCase::compare(a, b).has_value());
  const View y = c.output("y", DType::kF32, {2, 3}, 1), z = b.output("y", DType::kF32, {2, 3}, 1);
  y.as<float>()[1] = 1.0f;
  z.as<float>()[1] = 1.0f;
  EXPECT_FALSE(OpCase::compare(b, c).has_value());
  // Bytes that belong to no row count too.
  y.as<float>()[3] = 1.0f;
  EXPECT_THAT(OpCase::compare(b, c).value_or(""), testing::HasSubstr("element 3"));
  y.as<float>()[3] = z.as<float>()[3];
  y.as<float>()[5] = 0.0f;
  z.as<float>()[5] = -0.0f;
  EXPECT_TRUE(OpCase::compare(b, c).has_value());
  y.as<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  z.as<float>()[5] = -std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(OpCase::compare(b, c).has_value());
}

TEST(OpCase, SeedsRepeat) {
  ReferenceOps ops;
  OpCase a(ops, 3), b(ops, 3), c(ops, 4);
  for (int i = 0; i < 10; ++i) {
    const uint64_t x = a.random();
    EXPECT_EQ(x, b.random());
    EXPECT_NE(x, c.random());
  }
}

TEST(OpCase, WeightsHaveNoNaN) {
  ReferenceOps ops;
  OpCase c(ops, 3);
  const Weight w = c.weight(WeightFormat::kFP8, 200, 300, true, 4);
  for (int64_t r = 0; r < w.out; ++r)
    for (int64_t i = 0; i < w.in; ++i)
      ASSERT_NE(std::to_integer<int>(w.data.row<std::byte>(r)[i]) & 0x7f, 0x7f);
  for (int64_t i = 0; i < w.scale.elements(); ++i) ASSERT_NE(w.scale.data[i], std::byte{255});
}

}  // namespace
}  // namespace hadal
