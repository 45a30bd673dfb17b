// What is not arithmetic: choosing an instruction set, threads, the selftest.
#include "cpu/cpu_ops.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cpu/cpu_features.h"
#include "cpu/selftest.h"

namespace hadal {
namespace {

TEST(CpuOps, DefaultsToTheBest) {
  const std::vector<std::string> isas = available_isas();
  ASSERT_FALSE(isas.empty());
  EXPECT_EQ(isas.back(), "generic");
  const CpuOps ops;
  EXPECT_EQ(ops.isa(), isas.front());
  EXPECT_EQ(ops.threads(), available_cpus());
}

TEST(CpuOps, NamedIsa) {
  for (const std::string& isa : available_isas()) {
    const CpuOps ops({.threads = 2, .isa = isa});
    EXPECT_EQ(ops.isa(), isa);
    EXPECT_EQ(ops.threads(), 2);
  }
}

TEST(CpuOps, UnknownIsa) {
  try {
    const CpuOps ops({.threads = 1, .isa = "avx1024"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_THAT(error.what(), testing::HasSubstr("avx1024"));
    EXPECT_THAT(error.what(), testing::HasSubstr("generic"));
  }
}

TEST(CpuOps, BadThreadCounts) {
  for (const int threads : {-1, 100000})
    EXPECT_THROW(CpuOps({.threads = threads, .isa = ""}), Error) << threads;
}

TEST(CpuFeatures, EachLevelHasTheOneBelow) {
  const CpuFeatures f = detect_cpu_features();
  EXPECT_TRUE(!f.avx512 || f.avx2);
  EXPECT_TRUE(!f.avx512bf16 || f.avx512);
  EXPECT_EQ(available_isas().size(), 1u + f.avx2 + f.avx512 + f.avx512bf16);
}

TEST(Selftest, FindsNothing) {
  const std::vector<SelftestResult> results = run_selftest(7, 2);
  // Every op of ops.h that computes or moves something, on every instruction set.
  EXPECT_EQ(results.size(), 23u * available_isas().size());
  for (const SelftestResult& result : results)
    EXPECT_FALSE(result.difference.has_value())
        << result.op << " on " << result.isa << ": " << result.difference.value_or("");
}

TEST(OpCase, SeesADifference) {
  CpuOps ops({.threads = 1, .isa = "generic"});
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

}  // namespace
}  // namespace hadal
