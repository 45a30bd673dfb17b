// Kernels for AVX2 with FMA and F16C.
#define HADAL_ISA isa_avx2

#include "cpu/isa/kernel_base.h"
#include "cpu/isa/simd_avx2.h"

namespace hadal::HADAL_ISA {
namespace {
// Rows in flight for so many tokens; four at a time would need more registers than there are.
constexpr int kRows1 = 4, kRows2 = 2, kRows4 = 0;
constexpr int64_t kFewTokens = 4;  // more go through decoded panels
constexpr int kFixedRows = 2, kFixedStepRows = 4;
using PanelDigits = struct DigitsInMemory;
constexpr int kPanelTokens = 4, kTileRows = 3, kPanelRows = 12;
constexpr int kPeakChains = 6;  // independent sums in registers
constexpr int kIndexGroup = 4;  // keys in flight for one head of the indexer
constexpr int kValueHeads = 2, kValueVecs = 2;
}  // namespace
}  // namespace hadal::HADAL_ISA

#include "cpu/isa/table.inl.h"

namespace hadal {

const KernelTable& avx2_table() {
  static constexpr KernelTable kTable = HADAL_ISA::make_table("avx2");
  return kTable;
}

}  // namespace hadal
