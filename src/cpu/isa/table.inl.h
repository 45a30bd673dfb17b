// The kernel table of one ISA. A table.cc defines HADAL_ISA, its lanes (simd_*.h) and the sizes of its tiles,
// and then includes this.
#pragma once

// clang-format off: each of these uses the ones before it
#include "cpu/isa/rows.inl.h"
#include "cpu/isa/mix.inl.h"
#include "cpu/isa/linear.inl.h"
#include "cpu/isa/rows_kv.inl.h"
#include "cpu/isa/index_integers.inl.h"
#include "cpu/isa/index.inl.h"
#include "cpu/isa/attend.inl.h"
#include "cpu/isa/peak.inl.h"
// clang-format on

namespace hadal::HADAL_ISA {
namespace {

constexpr KernelTable make_table(const char* name) {
  KernelTable t{};
  t.name = name;
  t.prepared_bytes = prepared_bytes;
  t.usable_as_is = usable_as_is;
  t.prepare = prepare;
  t.linear = linear;
  t.convert = convert;
  t.sum_squares = sum_squares;
  t.rms_norm = rms_norm;
  t.head_norm = head_norm;
  t.rope = rope;
  t.fake_quant = fake_quant;
  t.hadamard = hadamard;
  t.scale = scale_row;
  t.add = add_rows;
  t.accumulate = accumulate;
  t.hc_mix = hc_mix;
  t.weighted_sum = weighted_sum;
  t.hc_post = hc_post;
  t.pool = pool;
  t.swiglu = swiglu;
  t.sqrt_softplus = sqrt_softplus_row;
  t.attend_scratch = attend_scratch;
  t.attend = attend;
  t.index_scratch = index_scratch;
  t.index_integer_bytes = index_integer_bytes;
  t.index_integers = index_integers;
  t.index_scores = index_scores;
  t.above = above;
  t.peak = make_peak<Bf16Policy>();
  t.peak_wide = make_peak<WidePolicy>();
  t.peak_bytes = make_peak_bytes();
  return t;
}

}  // namespace
}  // namespace hadal::HADAL_ISA
