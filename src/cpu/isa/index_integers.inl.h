// Index scores by byte dot products, where they provably give the canonical bits.
//
// A key is a row of multiples of u_k = 2^b: its e2m1 codes are multiples of a half, its scales powers of two
// that differ by at most 2^3, so the multiples are at most 96. A query's row is one of multiples of u_q =
// 2^a, at most 127 of them. Every product and every partial sum of q . key, in whatever order, is then a
// multiple of u_q u_k below 2^24 of them (dim <= 1024), so the canonical sum is exact and equals the integer
// one. What follows (rounding to bf16, ReLU, the weight, rounding, the sum over heads, rounding) commutes
// with a factor that is a power of two as long as nothing over- or underflows, which the bounds on a, b and
// the weights exclude: u_q goes into the weight, u_k comes last. A row of zeros, a NaN, a scale or a weight
// out of bounds goes the other way (index.inl.h).
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int64_t kIndexKeys = 16;   // lanes
constexpr int64_t kIndexPanel = 64;  // keys decoded at a time as integers

#if HADAL_BYTE_DOT

constexpr int kIndexGroups = kIndexPanel / kIndexKeys;
constexpr int kMostExponent = 20;       // of a and b
constexpr float kMostWeight = 0x1p30f;  // and its inverse the smallest but zero
constexpr int64_t kMostIntegerDim = 1024;

HADAL_INLINE bool takes_integers(KernelRowLayout layout) {
  return layout.format == KernelRowFormat::kPackedIndex && layout.dim <= kMostIntegerDim;
}

int64_t index_integer_bytes(KernelRowLayout layout, bool q_bf16, int64_t heads) {
  if (!q_bf16 || !takes_integers(layout)) return 0;
  return heads * (layout.dim + 8);  // bytes of q, then a weight and a sum for each head
}

// One head's row as multiples of 2^exponent, in the order of the nibbles of a key: of every eight, the even
// ones come first. False if it has no such form. q: bf16.
HADAL_INLINE bool integer_row(int8_t* out, const std::byte* q, int64_t dim, int* exponent, int32_t* sum) {
  __m512i top = _mm512_setzero_si512();
  for (int64_t i = 0; i < dim; i += kLanes)
    top = _mm512_max_epi32(top, (bits(load_bf16(reinterpret_cast<const uint16_t*>(q) + i)) & 0x7fffffffu).v);
  const int highest = _mm512_reduce_max_epi32(top);
  *exponent = highest == 0 ? 0 : (highest >> 23) - 127 - 6;
  if (*exponent < -kMostExponent || *exponent > kMostExponent) return false;
  const __m512 factor = _mm512_castsi512_ps(_mm512_set1_epi32((127 - *exponent) << 23));
  const __m128i order = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  __m512i total = _mm512_setzero_si512();
  __mmask16 inexact = 0;
  for (int64_t i = 0; i < dim; i += kLanes) {
    const __m512 multiple = load_bf16(reinterpret_cast<const uint16_t*>(q) + i).v * factor;
    const __m512i whole = _mm512_cvtps_epi32(multiple);
    inexact |= _mm512_cmp_ps_mask(_mm512_cvtepi32_ps(whole), multiple, _CMP_NEQ_UQ);
    total = _mm512_add_epi32(total, whole);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm_shuffle_epi8(_mm512_cvtepi32_epi8(whole), order));
  }
  *sum = _mm512_reduce_add_epi32(total);
  return inexact == 0;
}

bool index_integers(std::byte* out, const std::byte* const* q, const float* weights, int64_t heads,
                    int64_t dim) {
  auto* rows = reinterpret_cast<int8_t*>(out);
  auto* factors = reinterpret_cast<float*>(out + heads * dim);
  auto* starts = reinterpret_cast<int32_t*>(factors + heads);
  for (int64_t h = 0; h < heads; ++h) {
    int exponent = 0;
    int32_t sum = 0;
    if (!integer_row(rows + h * dim, q[h], dim, &exponent, &sum)) return false;
    const float size = __builtin_fabsf(weights[h]);
    if (size != 0.0f && !(size >= 1.0f / kMostWeight && size <= kMostWeight)) return false;
    factors[h] = weights[h] * __builtin_bit_cast(float, (127 + exponent) << 23);
    starts[h] = -128 * sum;  // the bytes of a key are 128 more than its multiples
  }
  return true;
}

// 16 x 16 words: lane l of out[j] takes lane j of rows[l].
HADAL_INLINE void transpose_words(__m512i (&r)[16]) {
  __m512i t[16];
#pragma GCC unroll 8
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4i + c]: word 4b + c of rows 4i ... 4i + 3 in 128-bit block b.
#pragma GCC unroll 4
  for (int c = 0; c < 4; ++c) {
    const __m512i low0 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88),
                  low1 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd);
    const __m512i high0 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88),
                  high1 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
    t[c] = _mm512_shuffle_i32x4(low0, high0, 0x88);
    t[8 + c] = _mm512_shuffle_i32x4(low0, high0, 0xdd);
    t[4 + c] = _mm512_shuffle_i32x4(low1, high1, 0x88);
    t[12 + c] = _mm512_shuffle_i32x4(low1, high1, 0xdd);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 16; ++i) r[i] = t[i];
}

// 128 + twice the e2m1 value of the low nibble, shifted by bits 4 and 5.
struct MultipleBytes {
  alignas(64) uint8_t byte[64];
};
constexpr MultipleBytes make_multiple_bytes() {
  constexpr int kTwice[8] = {0, 1, 2, 3, 4, 6, 8, 12};
  MultipleBytes table{};
  for (int i = 0; i < 64; ++i) {
    const int size = kTwice[i & 7] << (i >> 4);
    table.byte[i] = static_cast<uint8_t>(128 + ((i & 8) != 0 ? -size : size));
  }
  return table;
}
constexpr MultipleBytes kMultipleBytes = make_multiple_bytes();

// A panel: for each group of sixteen keys dim / 4 vectors of four bytes a key, then a unit u_k for each key.
HADAL_INLINE int64_t integer_panel_bytes(KernelRowLayout layout) {
  return takes_integers(layout) ? kIndexPanel * (layout.dim + 4) : 0;
}

// One group; false if a key has no such form.
HADAL_INLINE bool decode_integer_group(std::byte* out, float* units,
                                       const std::byte* const (&keys)[kIndexKeys], int64_t dim) {
  const int64_t blocks = dim / 32;
  __m512i scales[kMostIntegerDim / 32];
  __m512i lowest = _mm512_set1_epi32(255), highest = _mm512_setzero_si512();
  for (int64_t from = 0; from < blocks; from += 4) {
    const int64_t n = blocks - from < 4 ? blocks - from : 4;
    alignas(64) uint32_t codes[kIndexKeys] = {};
    for (int64_t i = 0; i < kIndexKeys; ++i) {
      const std::byte* at = keys[i] + dim / 2 + from;
      n == 4 ? __builtin_memcpy(&codes[i], at, 4) : __builtin_memcpy(&codes[i], at, static_cast<size_t>(n));
    }
    const __m512i four = _mm512_load_si512(codes);
    for (int64_t b = 0; b < n; ++b) {
      const __m512i code = _mm512_and_si512(
          _mm512_srlv_epi32(four, _mm512_set1_epi32(static_cast<int>(8 * b))), _mm512_set1_epi32(0xff));
      scales[from + b] = code;
      lowest = _mm512_min_epi32(lowest, code);
      highest = _mm512_max_epi32(highest, code);
    }
  }
  const __m512i spread = _mm512_sub_epi32(highest, lowest);
  const __m512i off = _mm512_abs_epi32(_mm512_sub_epi32(lowest, _mm512_set1_epi32(128)));  // of u_k from 1
  if ((_mm512_cmpgt_epi32_mask(spread, _mm512_set1_epi32(3)) |
       _mm512_cmpgt_epi32_mask(off, _mm512_set1_epi32(kMostExponent))) != 0)
    return false;
  _mm512_storeu_si512(units, _mm512_slli_epi32(_mm512_sub_epi32(lowest, _mm512_set1_epi32(1)), 23));

  const __m512i table = _mm512_load_si512(kMultipleBytes.byte), nibble = _mm512_set1_epi8(0x0f);
  const __m512i repeat = _mm512_set1_epi32(0x10101010);
  for (int64_t from = 0; from < dim; from += 128) {  // 64 bytes of a key
    const int64_t words = dim - from < 128 ? (dim - from) / 8 : 16;
    const auto some = static_cast<__mmask16>((1u << words) - 1);
    __m512i r[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) r[i] = _mm512_maskz_loadu_epi32(some, keys[i] + from / 2);
    transpose_words(r);
#pragma GCC unroll 4
    for (int b = 0; b < 4; ++b) {
      if (4 * b >= words) break;
      const __m512i shift = _mm512_mullo_epi32(_mm512_sub_epi32(scales[from / 32 + b], lowest), repeat);
#pragma GCC unroll 4
      for (int j = 4 * b; j < 4 * b + 4; ++j) {
        // (codes & 0x0f) | shift
        const __m512i low = _mm512_ternarylogic_epi32(r[j], nibble, shift, 0xea);
        const __m512i high = _mm512_ternarylogic_epi32(_mm512_srli_epi32(r[j], 4), nibble, shift, 0xea);
        _mm512_storeu_si512(out, _mm512_permutexvar_epi8(low, table));
        _mm512_storeu_si512(out + kVecBytes, _mm512_permutexvar_epi8(high, table));
        out += 2 * kVecBytes;
      }
    }
  }
  return true;
}

HADAL_INLINE bool decode_integer_panel(std::byte* out, const std::byte* const* keys, int64_t n,
                                       KernelRowLayout layout) {
  auto* units = reinterpret_cast<float*>(out + kIndexPanel * layout.dim);
  for (int64_t from = 0; from < n; from += kIndexKeys) {
    const std::byte* group[kIndexKeys];
    for (int64_t i = 0; i < kIndexKeys; ++i) group[i] = keys[from + i < n ? from + i : n - 1];
    if (!decode_integer_group(out + from * layout.dim, units + from, group, layout.dim)) return false;
  }
  return true;
}

// What one head adds to the scores of a group.
HADAL_INLINE f32x16 weigh(__m512i dot, float factor) {
  // The numbers are neither NaN nor denormal, and the instruction rounds to the nearest even like round_bf16.
  const auto round = [](f32x16 a)
                         HADAL_LAMBDA_INLINE { return widen_bf16((__m256i)_mm512_cvtneps_pbh(a.v)); };
  const f32x16 d = round(_mm512_max_ps(_mm512_cvtepi32_ps(dot), _mm512_setzero_ps()));
  return round(f32x16(factor) * d);
}

// acc + a . b, four bytes to a lane; a: without a sign. In words of the machine: GCC 12 moves the sums of the
// intrinsic about and spills them.
HADAL_INLINE void add_products(__m512i& acc, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(b));
}

// MH heads against NG groups of a panel.
template <int MH, int NG>
HADAL_INLINE void integer_tile(f32x16 (&scores)[NG], const std::byte* const (&q)[MH], const float* factors,
                               const int32_t* starts, const std::byte* panel, int64_t dim) {
  __m512i acc[MH * NG];
#pragma GCC unroll 16
  for (int i = 0; i < MH * NG; ++i) acc[i] = _mm512_set1_epi32(starts[i / NG]);
  for (int64_t d = 0; d < dim; d += 4) {
    __m512i keys[NG];
#pragma GCC unroll 4
    for (int g = 0; g < NG; ++g) keys[g] = _mm512_loadu_si512(panel + g * kIndexKeys * dim + d * kIndexKeys);
#pragma GCC unroll 4
    for (int h = 0; h < MH; ++h) {
      int32_t four;
      __builtin_memcpy(&four, q[h] + d, 4);
      const __m512i multiples = _mm512_set1_epi32(four);
#pragma GCC unroll 4
      for (int g = 0; g < NG; ++g) add_products(acc[h * NG + g], keys[g], multiples);
    }
  }
#pragma GCC unroll 4
  for (int h = 0; h < MH; ++h)
#pragma GCC unroll 4
    for (int g = 0; g < NG; ++g) scores[g] = scores[g] + weigh(acc[h * NG + g], factors[h]);
}

// Scores of one query for the n keys of a panel.
HADAL_INLINE void integer_scores(float* out, const std::byte* query, int64_t heads, const std::byte* panel,
                                 int64_t dim, int64_t n) {
  const auto* factors = reinterpret_cast<const float*>(query + heads * dim);
  const auto* starts = reinterpret_cast<const int32_t*>(factors + heads);
  const auto* units = reinterpret_cast<const float*>(panel + kIndexPanel * dim);
  const auto finish = [&](int64_t from, f32x16 score) HADAL_LAMBDA_INLINE {
    const f32x16 rounded = round_bf16(score * load(units + from));
    n - from >= kIndexKeys ? store(out + from, rounded) : store_some(out + from, rounded, n - from);
  };
  if (n <= kIndexPanel - kIndexKeys) {
    for (int64_t from = 0; from < n; from += kIndexKeys) {
      f32x16 score[1] = {f32x16(0.0f)};
      for (int64_t h = 0; h < heads; ++h)
        integer_tile<1, 1>(score, {query + h * dim}, factors + h, starts + h, panel + from * dim, dim);
      finish(from, score[0]);
    }
    return;
  }
  f32x16 scores[kIndexGroups];
#pragma GCC unroll 4
  for (int g = 0; g < kIndexGroups; ++g) scores[g] = f32x16(0.0f);
  int64_t h = 0;
  for (; h + 4 <= heads; h += 4) {
    const std::byte* q = query + h * dim;
    integer_tile<4, kIndexGroups>(scores, {q, q + dim, q + 2 * dim, q + 3 * dim}, factors + h, starts + h,
                                  panel, dim);
  }
  for (; h + 2 <= heads; h += 2)
    integer_tile<2, kIndexGroups>(scores, {query + h * dim, query + (h + 1) * dim}, factors + h, starts + h,
                                  panel, dim);
  for (; h < heads; ++h)
    integer_tile<1, kIndexGroups>(scores, {query + h * dim}, factors + h, starts + h, panel, dim);
#pragma GCC unroll 4
  for (int g = 0; g < kIndexGroups; ++g) {
    const int64_t from = g * kIndexKeys;
    if (from < n) finish(from, scores[g]);
  }
}

#else

int64_t index_integer_bytes(KernelRowLayout, bool, int64_t) {
  return 0;
}
bool index_integers(std::byte*, const std::byte* const*, const float*, int64_t, int64_t) {
  return false;
}
HADAL_INLINE int64_t integer_panel_bytes(KernelRowLayout) {
  return 0;
}
HADAL_INLINE bool decode_integer_panel(std::byte*, const std::byte* const*, int64_t, KernelRowLayout) {
  return false;
}
HADAL_INLINE void integer_scores(float*, const std::byte*, int64_t, const std::byte*, int64_t, int64_t) {}

#endif

}  // namespace
}  // namespace hadal::HADAL_ISA
