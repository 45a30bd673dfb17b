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
