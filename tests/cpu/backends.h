// The CPU backend in every shape that must not matter: each instruction set of this machine with 1, 2 and 3
// threads, with bf16 activations as floats always, from two tokens on and never.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "cpu/case_inputs.h"
#include "cpu/cpu_ops.h"
#include "cpu/op_case.h"
#include "ops/reference_ops.h"

namespace hadal::test {

class CpuOpsTest : public testing::Test {
 protected:
  CpuOpsTest() {
    for (const std::string& isa : available_isas())
      for (const int threads : {1, 2, 3})
        backends_.emplace_back(
            CpuOptions{.threads = threads, .isa = isa, .wide_tokens = threads < 3 ? threads : 1000});
  }

  // The case must leave the same bits on every backend and on the reference.
  void expect_same(const std::string& what, const CaseBody& body) {
    OpCase expected(reference_, ++seed_);
    body(expected);
    for (CpuOps& backend : backends_) {
      OpCase got(backend, seed_);
      body(got);
      const auto found = OpCase::compare(expected, got);
      EXPECT_FALSE(found.has_value()) << what << ", " << backend.isa() << " with " << backend.threads()
                                      << " threads: " << found.value_or("");
    }
  }

  std::deque<CpuOps> backends_;
  ReferenceOps reference_;
  uint64_t seed_ = 1000;
};

constexpr DType kBoth[] = {DType::kBF16, DType::kF32};
constexpr Spread kSpreads[] = {Spread::kNormal, Spread::kWide, Spread::kTiny, Spread::kSpecial};
constexpr WeightFormat kFormats[] = {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kFP8,
                                     WeightFormat::kFP4};

}  // namespace hadal::test
