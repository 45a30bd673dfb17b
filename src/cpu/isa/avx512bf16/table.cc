// Kernels for AVX-512 with bf16 and byte dot products and byte permutes (BF16, VNNI, VBMI).
#define HADAL_ISA isa_avx512bf16
#define HADAL_BF16_DOT 1
#define HADAL_BYTE_DOT 1
#include "cpu/isa/kernel_base.h"
#include "cpu/isa/simd_avx512.h"

namespace hadal::HADAL_ISA {
namespace {
constexpr int kRows1 = 4, kRows2 = 8, kRows4 = 6;  // rows in flight for so many tokens
constexpr int64_t kFewTokens = 4;                  // more lanes go through decoded panels
constexpr int kFixedRows = 4, kFixedStepRows = 4;
using PanelDigits = struct DigitsInRegisters;
constexpr int kPanelTokens = 4, kTileRows = 6, kPanelRows = 12, kPairPanelRows = 6;
constexpr int kPeakChains = 16;  // independent sums in registers
constexpr int kIndexGroup = 16;  // keys in flight for one head of the indexer
constexpr int kValueHeads = 4, kValueVecs = 4;
}  // namespace
}  // namespace hadal::HADAL_ISA

#include "cpu/isa/table.inl.h"

namespace hadal {

const KernelTable& avx512bf16_table() {
  static constexpr KernelTable kTable = HADAL_ISA::make_table("avx512bf16");
  return kTable;
}

}  // namespace hadal
