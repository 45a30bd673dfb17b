// A case is the same for the same seed and another for another one.
#include "cpu/case_inputs.h"

#include <gtest/gtest.h>

#include "cpu/op_case.h"
#include "ops/reference_ops.h"

namespace hadal {
namespace {

TEST(CaseInputs, FollowTheSeed) {
  const CaseBody bodies[] = {
      [](OpCase& c) { hc_mix_case(c, DType::kF32, 2, 4, 20, true); },
      [](OpCase& c) { compress_case(c, DType::kF32, 4, 24, true, 5, 9); },
      [](OpCase& c) { index_case(c, DType::kBF16, {.heads = 2, .dim = 32, .k = 5}); },
      [](OpCase& c) { attention_case(c, DType::kBF16, {}); },
      [](OpCase& c) { route_case(c, 9, 20, 4, false); },
      [](OpCase& c) { expert_case(c, DType::kBF16, {.width = 32, .hidden = 32}); },
  };
  ReferenceOps ops;
  for (const CaseBody& body : bodies) {
    OpCase a(ops, 1), b(ops, 1), other(ops, 2);
    for (OpCase* c : {&a, &b, &other}) body(*c);
    EXPECT_FALSE(OpCase::compare(a, b).has_value());
    EXPECT_TRUE(OpCase::compare(a, other).has_value());
  }
}

}  // namespace
}  // namespace hadal
