// A failed check ends the program and says where and why.
#include "base/check.h"

#include <gtest/gtest.h>

namespace hadal {
namespace {

TEST(CheckDeathTest, NamesThePlaceTheConditionAndTheMessage) {
  EXPECT_DEATH(HADAL_CHECK(1 + 1 == 3, "{} apples", 2),
               "hadal: internal error at .*check_test.cc:[0-9]+: 1 \\+ 1 == 3: 2 apples");
  EXPECT_DEATH(HADAL_CHECK(false), "check_test.cc:[0-9]+: false");
}

TEST(Check, EvaluatesItsConditionOnceAndGoesOn) {
  int times = 0;
  HADAL_CHECK(++times > 0);
  EXPECT_EQ(times, 1);
}

#ifndef NDEBUG
TEST(CheckDeathTest, DebugChecksAreChecksInADebugBuild) {
  EXPECT_DEATH(HADAL_DCHECK(false, "seen"), "seen");
}
#else
TEST(Check, DebugChecksCostNothingInARelease) {
  int times = 0;
  HADAL_DCHECK(++times < 0);
  EXPECT_EQ(times, 0);
}
#endif

}  // namespace
}  // namespace hadal
