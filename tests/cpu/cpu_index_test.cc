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

// More than one task of keys for a query.
TEST_F(CpuIndex, IndexSelectLong) {
  for (const DType dtype : kBoth)
    expect_same("long", [&](OpCase& c) {
      index_case(c, dtype, {.heads = 2, .dim = 64, .k = 100, .pos = 9000, .count = 2});
    });
}

}  // namespace
}  // namespace hadal::test
