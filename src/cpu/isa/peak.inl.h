// Multiply-adds in registers and nothing else: what cpu/roofline.h measures.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

template <class P>
float run_peak(int64_t rounds) {
  alignas(64) float start[kPeakChains * kLanes] = {};
  asm volatile("" : "+m"(start));  // all sums may differ
  alignas(64) std::byte bytes[kVecBytes] = {};
  typename P::Vec x = P::load(bytes);
  f32x16 acc[kPeakChains];
#pragma GCC unroll 16
  for (int i = 0; i < kPeakChains; ++i) acc[i] = load(start + i * kLanes);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kPeakChains; ++i) acc[i] = P::mac(acc[i], x, x);
    asm volatile("" : "+m"(bytes));  // each round is done
  }
  float sum = 0;
#pragma GCC unroll 16
  for (int i = 0; i < kPeakChains; ++i) sum += tree_sum(acc[i]);
  return sum;
}

template <class P>
constexpr PeakKernel make_peak() {
  return {2 * kPeakChains * P::kElements, run_peak<P>};
}

#if HADAL_BYTE_DOT
float run_peak_bytes(int64_t rounds) {
  __m512i acc[kPeakChains];
  const __m512i x = _mm512_set1_epi8(static_cast<char>(rounds));
#pragma GCC unroll 16
  for (int i = 0; i < kPeakChains; ++i) acc[i] = _mm512_set1_epi32(i);
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 16
    for (int i = 0; i < kPeakChains; ++i) {
      acc[i] = _mm512_dpbusd_epi32(acc[i], x, x);
      asm volatile("" : "+v"(acc[i]));
    }
  }
  int sum = 0;
#pragma GCC unroll 16
  for (int i = 0; i < kPeakChains; ++i) sum += _mm512_reduce_add_epi32(acc[i]);
  return static_cast<float>(sum);
}
constexpr PeakKernel make_peak_bytes() {
  return {2 * kPeakChains * kVecBytes, run_peak_bytes};
}
#else
constexpr PeakKernel make_peak_bytes() {
  return {0, nullptr};
}
#endif

}  // namespace
}  // namespace hadal::HADAL_ISA
