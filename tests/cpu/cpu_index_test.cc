// The indexer against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuIndex : public CpuOpsTest {};

TEST_F(CpuIndex, IndexSelect) {
  for (const DType dtype : kBoth)
    for (const Spread spread : kSpreads)
      for (const int heads : {1, 5, 64})
        expect_same(fmt::format("{} heads", heads), [&](OpCase& c) {
          index_case(c, dtype, {.heads = heads, .dim = 128, .k = 17, .pos = 150, .spread = spread});
        });
}

TEST_F(CpuIndex, IndexSelectTies) {
  for (const DType dtype : kBoth)
    for (const int distinct : {1, 3, 10})
      for (const int64_t k : {1, 8, 36, 37})
        expect_same(fmt::format("{} different keys", distinct), [&](OpCase& c) {
          index_case(c, dtype, {.heads = 3, .dim = 32, .k = k, .pos = 148, .count = 7, .distinct = distinct});
        });
}

// Widths of which the last block of scales, or of a vector, is not whole.
TEST_F(CpuIndex, IndexSelectWidths) {
  for (const int dim : {32, 64, 96, 160, 256, 1024, 1056})
    for (const Spread spread : {Spread::kNormal, Spread::kWide})
      for (const int heads : {1, 2, 3, 6})
        expect_same(fmt::format("{} heads of {}", heads, dim), [&](OpCase& c) {
          index_case(c, DType::kBF16,
                     {.heads = heads, .dim = dim, .k = 15, .pos = 421, .count = 3, .spread = spread});
        });
}

// More queries than one group, some of which see too little to choose.
TEST_F(CpuIndex, IndexSelectManyQueries) {
  for (const DType dtype : kBoth)
    for (const int64_t pos : {0, 79, 700})
      expect_same(fmt::format("from {}", pos), [&](OpCase& c) {
        index_case(c, dtype, {.heads = 4, .dim = 128, .k = 20, .pos = pos, .count = 70});
      });
}

// Scratch is that of the queries, whatever the length of the context.
TEST_F(CpuIndex, ScratchDoesNotGrowWithTheContext) {
  for (const std::string& isa : available_isas()) {
    std::vector<int64_t> bytes;
    for (const int64_t entries : {int64_t{20'000}, int64_t{1} << 22}) {
      CpuOps ops({.threads = 1, .isa = isa});
      OpCase c(ops, 1);
      const RowLayout layout{RowFormat::kPackedIndex, 128, 0};
      // The same few rows over and over.
      std::byte* block = c.bytes(128 * layout.bytes());
      ops.pack_rows(block, c.tensor(DType::kBF16, {128, 128}), layout);
      std::vector<std::byte*> blocks(static_cast<size_t>(entries / 128 + 1), block);
      const IndexSegment segment{
          4 * entries - 1, 0, isa == "generic" ? 1 : 17, {blocks.data(), 0, layout.bytes(), 128}};
      IndexArgs args;
      args.q = c.tensor(DType::kBF16, {segment.count, 1, 128});
      ops.fake_quant(args.q, args.q, QuantSim::kFp4Block32);
      args.weights = c.tensor(DType::kBF16, {segment.count, 1});
      args.selected = c.integers(DType::kI32, {segment.count, 512}, 0, 1);
      args.layout = layout;
      args.segments = {&segment, 1};
      ops.index_select(args);
      bytes.push_back(ops.scratch_bytes());
    }
    EXPECT_EQ(bytes[0], bytes[1]) << isa;
    EXPECT_LT(bytes[0], 2 << 20) << isa;
  }
}

// More than one task of keys for a query.
TEST_F(CpuIndex, IndexSelectLong) {
  for (const DType dtype : kBoth)
    expect_same("long", [&](OpCase& c) {
      index_case(c, dtype, {.heads = 2, .dim = 64, .k = 100, .pos = 9000, .count = 2});
    });
}

}  // namespace
}  // namespace hadal::test
