// Router and experts against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuMoe : public CpuOpsTest {};

TEST_F(CpuMoe, Route) {
  for (const bool hashed : {false, true})
    for (const Spread spread : kSpreads)
      for (const int64_t experts : {1, 6, 17, 256})
        for (const int64_t k : {1, 6})
          for (const int64_t tokens : {1, 30})
            if (k <= experts)
              expect_same(fmt::format("{} of {}", k, experts),
                          [&](OpCase& c) { route_case(c, tokens, experts, k, hashed, spread); });
}

TEST_F(CpuMoe, ExpertFormats) {
  for (const DType dtype : kBoth)
    for (const WeightFormat routed : kFormats)
      for (const WeightFormat shared : kFormats)
        for (const int64_t tokens : {1, 6})
          for (const bool quantise : {true, false})
            if (quantise || tokens > 1)
              expect_same(fmt::format("formats {} and {}, {} tokens", static_cast<int>(routed),
                                      static_cast<int>(shared), tokens),
                          [&](OpCase& c) {
                            expert_case(
                                c, dtype,
                                {.tokens = tokens, .routed = routed, .shared = shared, .quantise = quantise});
                          });
}

TEST_F(CpuMoe, ExpertSizes) {
  for (const DType dtype : kBoth)
    for (const WeightFormat format : kFormats)
      for (const int64_t width : {32, 288})
        for (const int64_t hidden : {32, 128, 320})
          expect_same(fmt::format("{} by {}", width, hidden), [&](OpCase& c) {
            expert_case(c, dtype,
                        {.tokens = 3, .width = width, .hidden = hidden, .routed = format, .shared = format});
          });
}

// Sizes that are no multiples of anything, which FP4 does not have.
TEST_F(CpuMoe, ExpertOddSizes) {
  for (const DType dtype : kBoth)
    for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kFP8})
      expect_same("odd", [&](OpCase& c) {
        expert_case(c, dtype, {.tokens = 3, .width = 77, .hidden = 141, .routed = format, .shared = format});
      });
}

TEST_F(CpuMoe, ManyTokens) {
  for (const DType dtype : kBoth)
    for (const WeightFormat format : {WeightFormat::kFP4, WeightFormat::kFP8})
      expect_same("many tokens", [&](OpCase& c) {
        expert_case(c, dtype,
                    {.tokens = 150, .width = 96, .hidden = 160, .experts = 4, .k = 2, .routed = format});
      });
}

TEST_F(CpuMoe, WithoutSharedAndLargeInputs) {
  for (const DType dtype : kBoth)
    for (const float spread : {1e-3f, 1e3f, 1e30f, 1e-36f}) {
      expect_same("without shared", [&](OpCase& c) {
        expert_case(c, dtype, {.tokens = 4, .with_shared = false, .spread = spread});
      });
      expect_same("with shared", [&](OpCase& c) { expert_case(c, dtype, {.tokens = 4, .spread = spread}); });
    }
}

}  // namespace
}  // namespace hadal::test
