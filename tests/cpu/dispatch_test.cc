// Choosing an instruction set and a number of threads.
#include "cpu/dispatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "cpu/cpu_ops.h"

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

}  // namespace
}  // namespace hadal
