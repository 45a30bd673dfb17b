// What every ISA's translation unit starts with. HADAL_ISA names its namespace; everything but the accessor
// of the table has internal linkage, and every helper is inlined by force, so that no code of one ISA can be
// merged with another's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpu/kernel_table.h"
#include "ops/math.h"

#ifndef HADAL_ISA
#error "define HADAL_ISA to the name of the instruction set"
#endif
#ifndef HADAL_BF16_DOT
#define HADAL_BF16_DOT 0
#endif
// The ISA multiplies bytes into 32-bit sums (index_integers.inl.h).
#ifndef HADAL_BYTE_DOT
#define HADAL_BYTE_DOT 0
#endif
// The ISA has a faster multiply-add for factors that are bf16 (fma_short).
#ifndef HADAL_SHORT_FMA
#define HADAL_SHORT_FMA 0
#endif
#define HADAL_LAMBDA_INLINE __attribute__((always_inline))

namespace hadal::HADAL_ISA {
namespace {
// Twice the e2m1 values by their codes, plus 12: bytes without a sign.
constexpr int kFp4Offset = 12;
alignas(16) constexpr uint8_t kFp4Multiples[16] = {12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0};

HADAL_INLINE int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}
}  // namespace
}  // namespace hadal::HADAL_ISA
