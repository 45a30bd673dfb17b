// Hyper-connections against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuHc : public CpuOpsTest {};

TEST_F(CpuHc, HcMix) {
  for (const DType dtype : kBoth)
    for (const bool full : {true, false})
      for (const int64_t streams : {1, 2, 4, 5, 16})
        for (const int64_t dim : {1, 16, 50})
          for (const int64_t tokens : {1, 3})
            expect_same(fmt::format("{} streams of {}", streams, dim),
                        [&](OpCase& c) { hc_mix_case(c, dtype, tokens, streams, dim, full); });
}

// Both ways of dividing the work: over rows of fn for few tokens, over tokens for many.
TEST_F(CpuHc, HcMixLarge) {
  for (const DType dtype : kBoth)
    for (const int64_t tokens : {1, 5, 16, 35})
      expect_same(fmt::format("{} tokens", tokens),
                  [&](OpCase& c) { hc_mix_case(c, dtype, tokens, 4, 600, true); });
}

TEST_F(CpuHc, HcMixExtremes) {
  for (const DType dtype : kBoth)
    for (const Spread spread : kSpreads)
      expect_same("extremes", [&](OpCase& c) { hc_mix_case(c, dtype, 7, 4, 33, true, spread); });
}

TEST_F(CpuHc, HcPreAndPost) {
  for (const DType dtype : kBoth)
    for (const int64_t streams : {1, 3, 4})
      for (const int64_t dim : {1, 16, 47, 200})
        for (const Spread spread : kSpreads) {
          expect_same("hc_pre", [&](OpCase& c) {
            c.ops().hc_pre(c.output("out", dtype, {5, dim}, 1), c.tensor(dtype, {5, streams, dim}, spread, 2),
                           c.tensor(DType::kF32, {5, streams}));
          });
          expect_same("hc_post", [&](OpCase& c) {
            c.ops().hc_post(
                c.output("out", dtype, {5, streams, dim}, 1), c.tensor(dtype, {5, dim}, spread, 3),
                c.tensor(dtype, {5, streams, dim}, spread, 2), c.tensor(DType::kF32, {5, streams}),
                c.tensor(DType::kF32, {5, streams, streams}));
          });
        }
}

}  // namespace
}  // namespace hadal::test
