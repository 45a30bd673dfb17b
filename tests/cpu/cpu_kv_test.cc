// The compressor, packed rows and the ring against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuKv : public CpuOpsTest {};

TEST_F(CpuKv, CompressWithOverlap) {
  for (const DType dtype : kBoth)
    for (const int64_t pos : {0, 1, 3, 4, 6, 9})
      for (const int64_t n : {0, 1, 2, 5, 8, 13})
        expect_same(fmt::format("{} tokens at {}", n, pos),
                    [&](OpCase& c) { compress_case(c, dtype, 4, 40, true, pos, n); });
}

TEST_F(CpuKv, CompressWithoutOverlap) {
  for (const DType dtype : kBoth)
    for (const int64_t pos : {0, 100, 128, 200})
      for (const int64_t n : {1, 28, 29, 160})
        expect_same(fmt::format("{} tokens at {}", n, pos),
                    [&](OpCase& c) { compress_case(c, dtype, 128, 70, false, pos, n); });
}

TEST_F(CpuKv, CompressExtremes) {
  for (const DType dtype : kBoth)
    for (const Spread spread : kSpreads)
      expect_same("extremes", [&](OpCase& c) { compress_case(c, dtype, 4, 100, true, 7, 30, spread); });
}

TEST_F(CpuKv, PackRows) {
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
TEST_F(CpuKv, PackedRowsDecodeToTheQuantisedValues) {
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

TEST_F(CpuKv, RingWrite) {
  for (const int64_t n : {0, 1, 5, 8, 9, 30})
    expect_same("ring_write", [&](OpCase& c) {
      std::byte* rows = c.bytes(n * 24);
      for (int64_t i = 0; i < n * 24; ++i) rows[i] = std::byte(static_cast<uint8_t>(c.random()));
      c.ops().ring_write({c.output_bytes("ring", 8 * 24), 24, 8}, 13, rows, n);
    });
}

}  // namespace
}  // namespace hadal::test
