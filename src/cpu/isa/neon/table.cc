// Kernels for NEON, which every AArch64 machine has.
#define HADAL_ISA isa_neon

#include "cpu/isa/kernel_base.h"
#include "cpu/isa/simd_neon.h"

namespace hadal::HADAL_ISA {
namespace {
constexpr int kRows1 = 4, kRows2 = 2, kRows4 = 1;  // rows in flight for so many tokens
constexpr int64_t kFewTokens = 4;                  // more go through decoded panels
constexpr int kFixedRows = 2, kFixedStepRows = 1;
using PanelDigits = struct DigitsInRegisters;
constexpr int kPanelTokens = 4, kTileRows = 4, kPanelRows = 8;
constexpr int kPeakChains = 6;  // independent sums in registers
constexpr int kIndexGroup = 4;  // keys in flight for one head of the indexer
constexpr int kValueHeads = 2, kValueVecs = 2;
}  // namespace
}  // namespace hadal::HADAL_ISA

#include "cpu/isa/table.inl.h"

namespace hadal {

const KernelTable& neon_table() {
  static constexpr KernelTable kTable = HADAL_ISA::make_table("neon");
  return kTable;
}

}  // namespace hadal
