#include "engine/request.h"

#include <gtest/gtest.h>

#include <set>

namespace hadal {
namespace {

TEST(Request, EveryEndHasAName) {
  std::set<std::string_view> names;
  for (const EndReason reason :
       {EndReason::kStop, EndReason::kLength, EndReason::kCancelled, EndReason::kDeadline, EndReason::kError})
    names.insert(end_reason_name(reason));
  EXPECT_EQ(names.size(), 5u);
  EXPECT_FALSE(names.contains(""));
}

}  // namespace
}  // namespace hadal
