// Packed rows, the indexer and attention against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuAttention : public CpuOpsTest {};

TEST_F(CpuAttention, PackRows) {
  for (const DType dtype : kBoth)
    for (const RowFormat format : {RowFormat::kF32, RowFormat::kPackedKv, RowFormat::kPackedIndex})
      for (const Spread spread : kSpreads)
        for (const RowLayout layout :
             {RowLayout{format, 64, 16}, RowLayout{format, 512, 64}, RowLayout{format, 96, 96}}) {
          expect_same("pack_rows", [&](OpCase& c) {
            c.ops().pack_rows(c.output_bytes("rows", 5 * layout.bytes()),
                              c.tensor(dtype, {5, layout.dim}, spread, 3), layout);
          });
          expect_same("append_rows", [&](OpCase& c) {
            std::byte* blocks[] = {c.output_bytes("block 0", 2 * layout.bytes() + 24),
                                   c.output_bytes("block 1", 2 * layout.bytes() + 24),
                                   c.output_bytes("block 2", 2 * layout.bytes() + 24)};
            c.ops().append_rows({blocks, 24, layout.bytes(), 2}, 1, c.tensor(dtype, {5, layout.dim}, spread),
                                layout);
          });
        }
}

// What is decoded is what was quantised: attention to one key with a sink far below gives the row back.
TEST_F(CpuAttention, PackedRowsDecodeToTheQuantisedValues) {
  Ops& ops = backends_.front();
  OpCase c(ops, 5);
  const RowLayout layout{RowFormat::kPackedKv, 512, 64};
  const View row = c.tensor(DType::kBF16, {1, 512}), rounded = c.tensor(DType::kBF16, {1, 512});
  ops.fake_quant(rounded.slice(1, 0, 448), row.slice(1, 0, 448), QuantSim::kFp8Block64);
  std::copy_n(row.as<uint16_t>() + 448, 64, rounded.as<uint16_t>() + 448);
  std::byte* packed = c.bytes(layout.bytes());
  ops.pack_rows(packed, row, layout);
  AttentionSegment segment;
  segment.count = 1;
  segment.chunk = packed;
  AttentionArgs args;
  args.q = c.tensor(DType::kBF16, {1, 1, 512});
  args.sink = c.tensor(DType::kF32, {1});
  args.sink.as<float>()[0] = -1e30f;
  args.layout = layout;
  args.segments = {&segment, 1};
  args.out = c.tensor(DType::kBF16, {1, 1, 512});
  ops.attention(args);
  for (int i = 0; i < 512; ++i) EXPECT_EQ(args.out.as<uint16_t>()[i], rounded.as<uint16_t>()[i]) << i;
}

TEST_F(CpuAttention, RingWrite) {
  for (const int64_t n : {0, 1, 5, 8, 9, 30})
    expect_same("ring_write", [&](OpCase& c) {
      std::byte* rows = c.bytes(n * 24);
      for (int64_t i = 0; i < n * 24; ++i) rows[i] = std::byte(static_cast<uint8_t>(c.random()));
      c.ops().ring_write({c.output_bytes("ring", 8 * 24), 24, 8}, 13, rows, n);
    });
}

TEST_F(CpuAttention, IndexSelect) {
  for (const DType dtype : kBoth)
    for (const Spread spread : kSpreads)
      for (const int heads : {1, 5, 64})
        expect_same(fmt::format("{} heads", heads), [&](OpCase& c) {
          index_case(c, dtype, {.heads = heads, .dim = 128, .k = 17, .pos = 150, .spread = spread});
        });
}

TEST_F(CpuAttention, IndexSelectTies) {
  for (const DType dtype : kBoth)
    for (const int distinct : {1, 3, 10})
      for (const int64_t k : {1, 8, 36, 37})
        expect_same(fmt::format("{} different keys", distinct), [&](OpCase& c) {
          index_case(c, dtype, {.heads = 3, .dim = 32, .k = k, .pos = 148, .count = 7, .distinct = distinct});
        });
}

// More than one task of keys for a query.
TEST_F(CpuAttention, IndexSelectLong) {
  for (const DType dtype : kBoth)
    expect_same("long", [&](OpCase& c) {
      index_case(c, dtype, {.heads = 2, .dim = 64, .k = 100, .pos = 9000, .count = 2});
    });
}

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

}  // namespace
}  // namespace hadal::test
