#include "cpu/cpu_features.h"

#include <gtest/gtest.h>

#include "cpu/dispatch.h"

namespace hadal {
namespace {

TEST(CpuFeatures, EachLevelHasTheOneBelow) {
  const CpuFeatures f = detect_cpu_features();
  EXPECT_TRUE(!f.avx512 || f.avx2);
  EXPECT_TRUE(!f.avx512bf16 || f.avx512);
#if defined(__aarch64__)
  EXPECT_EQ(available_isas(), (std::vector<std::string>{"neon", "generic"}));
#else
  EXPECT_EQ(available_isas().size(), 1u + f.avx2 + f.avx512 + f.avx512bf16);
#endif
}

}  // namespace
}  // namespace hadal
