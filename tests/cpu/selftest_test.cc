#include "cpu/selftest.h"

#include <gtest/gtest.h>

#include <set>

#include "cpu/dispatch.h"

namespace hadal {
namespace {

TEST(Selftest, FindsNothing) {
  const std::vector<SelftestResult> results = run_selftest(7, 2);
  // Every op of ops.h that computes or moves something, on every instruction set.
  EXPECT_EQ(results.size(), 23u * available_isas().size());
  for (const SelftestResult& result : results)
    EXPECT_FALSE(result.difference.has_value())
        << result.op << " on " << result.isa << ": " << result.difference.value_or("");
}

TEST(Selftest, HasCasesOfEveryOp) {
  std::set<std::string_view> ops;
  for (const SelftestCase& one : selftest_cases()) ops.insert(one.op);
  EXPECT_EQ(ops.size(), 23u);
}

}  // namespace
}  // namespace hadal
