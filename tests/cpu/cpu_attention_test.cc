// Attention against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuAttention : public CpuOpsTest {};

TEST_F(CpuAttention, Shapes) {
  for (const DType dtype : kBoth)
    for (const int heads : {1, 3, 9, 70})
      for (const int dim : {32, 64, 80, 160})
        for (const int ratio : {0, 4})
          expect_same(fmt::format("{} heads of {}, ratio {}", heads, dim, ratio), [&](OpCase& c) {
            attention_case(c, dtype,
                           {.heads = heads, .dim = dim, .rope_dim = 16, .ratio = ratio, .count = 3});
          });
}

TEST_F(CpuAttention, Selected) {
  for (const DType dtype : kBoth)
    for (const int64_t k : {1, 4, 15, 16, 100})
      expect_same(fmt::format("{} selected", k), [&](OpCase& c) {
        attention_case(c, dtype, {.heads = 6, .dim = 96, .rope_dim = 32, .k = k, .count = 6});
      });
}

TEST_F(CpuAttention, EveryNumberOfKeys) {
  for (const DType dtype : kBoth)
    for (int window = 1; window <= 40; window += window < 16 ? 1 : 5)
      expect_same(fmt::format("window {}", window), [&](OpCase& c) {
        attention_case(c, dtype,
                       {.heads = 5, .dim = 48, .rope_dim = 16, .window = window, .ratio = 0, .count = 2});
      });
}

TEST_F(CpuAttention, Extremes) {
  for (const DType dtype : kBoth)
    for (const Spread spread : kSpreads)
      expect_same("extremes", [&](OpCase& c) {
        attention_case(c, dtype, {.heads = 9, .dim = 96, .rope_dim = 32, .spread = spread});
      });
}

// More keys than are decoded at a time; heads and a dimension as released.
TEST_F(CpuAttention, LongAndReleased) {
  for (const DType dtype : kBoth) {
    expect_same("long", [&](OpCase& c) {
      attention_case(c, dtype,
                     {.heads = 2, .dim = 64, .rope_dim = 32, .window = 128, .pos = 5001, .count = 1});
    });
    expect_same("released", [&](OpCase& c) {
      attention_case(
          c, dtype,
          {.heads = 16, .dim = 512, .rope_dim = 64, .window = 128, .k = 64, .pos = 300, .count = 1});
    });
  }
}

// Few heads and many queries: rows that queries share are decoded once for them, from the first whole window
// on.
TEST_F(CpuAttention, SharedEntries) {
  for (const DType dtype : kBoth)
    for (const int heads : {1, 2, 5})
      for (const int ratio : {4, 16, 128})
        for (const int64_t pos : {0, 9, 300, 301}) {
          const int window = pos == 301 ? 15 : 16;
          expect_same(fmt::format("{} heads, ratio {}, from {}", heads, ratio, pos), [&](OpCase& c) {
            attention_case(c, dtype,
                           {.heads = heads,
                            .dim = 48,
                            .rope_dim = 16,
                            .window = window,
                            .ratio = ratio,
                            .pos = pos,
                            .count = 60});
          });
        }
  expect_same("several blocks", [&](OpCase& c) {
    attention_case(
        c, DType::kBF16,
        {.heads = 2, .dim = 32, .rope_dim = 16, .window = 5, .ratio = 4, .pos = 3500, .count = 24});
  });
}

// Scores of a task are bounded, whatever the number of entries: beyond that, fewer heads at a time.
TEST_F(CpuAttention, ScratchIsBounded) {
  for (const std::string& isa : available_isas()) {
    for (const int64_t entries : {8192, 200'000}) {
      CpuOps ops({.threads = 1, .isa = isa});
      OpCase c(ops, 1);
      const RowLayout layout{RowFormat::kPackedKv, 64, 0};
      // The same few rows over and over.
      std::byte* block = c.bytes(16 * layout.bytes());
      ops.pack_rows(block, c.tensor(DType::kBF16, {16, 64}), layout);
      std::vector<std::byte*> blocks(static_cast<size_t>(entries / 16 + 1), block);
      const AttentionSegment segment{
          128 * entries - 1,           0,     1,
          {block, layout.bytes(), 16}, block, {blocks.data(), 0, layout.bytes(), 16}};
      AttentionArgs args;
      args.q = c.tensor(DType::kBF16, {1, 16, 64});
      args.out = c.tensor(DType::kBF16, {1, 16, 64});
      args.sink = c.tensor(DType::kF32, {16});
      args.window = 16;
      args.ratio = 128;
      args.layout = layout;
      args.segments = {&segment, 1};
      ops.attention(args);
      // 6 bytes a score, 8 a pointer to a row, and the rows of a block.
      EXPECT_LT(ops.scratch_bytes(), 12 << 20) << isa << " with " << entries;
    }
  }
}

}  // namespace
}  // namespace hadal::test
