// Kernels for any machine: lanes are plain arrays.
#define HADAL_ISA isa_generic

#define HADAL_SHORT_FMA 1
#include "cpu/isa/kernel_base.h"
#include "cpu/isa/simd_generic.h"

namespace hadal::HADAL_ISA {
namespace {
constexpr int kRows1 = 4, kRows2 = 2, kRows4 = 0;  // rows in flight for so many tokens
constexpr int64_t kFewTokens = 2;                  // more go through decoded panels
constexpr int kFixedRows = 1, kFixedStepRows = 1;
using PanelDigits = struct DigitsInMemory;
constexpr int kPanelTokens = 2, kTileRows = 2, kPanelRows = 4;
constexpr int kPeakChains = 8;  // independent sums in registers
constexpr int kIndexGroup = 2;  // keys in flight for one head of the indexer
constexpr int kValueHeads = 2, kValueVecs = 2;
}  // namespace
}  // namespace hadal::HADAL_ISA

#include "cpu/isa/table.inl.h"

namespace hadal {

const KernelTable& generic_table() {
  static constexpr KernelTable kTable = HADAL_ISA::make_table("generic");
  return kTable;
}

}  // namespace hadal
