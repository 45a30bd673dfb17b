// Sixteen fp32 lanes in one register of AVX-512 (F, BW, VL, DQ). Included once, by the table.cc of an ISA.
#pragma once

#include <immintrin.h>

namespace hadal::HADAL_ISA {
namespace {

struct i32x16 {
  __m512i v;
};

struct f32x16 {
  __m512 v;
  f32x16() = default;
  HADAL_INLINE explicit f32x16(float x) : v(_mm512_set1_ps(x)) {}
  HADAL_INLINE f32x16(__m512 x) : v(x) {}  // NOLINT: the register is the number
};

HADAL_INLINE f32x16 operator+(f32x16 a, f32x16 b) {
  return _mm512_add_ps(a.v, b.v);
}
HADAL_INLINE f32x16 operator-(f32x16 a, f32x16 b) {
  return _mm512_sub_ps(a.v, b.v);
}
HADAL_INLINE f32x16 operator*(f32x16 a, f32x16 b) {
  return _mm512_mul_ps(a.v, b.v);
}
HADAL_INLINE f32x16 operator/(f32x16 a, f32x16 b) {
  return _mm512_div_ps(a.v, b.v);
}
HADAL_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  return _mm512_fmadd_ps(a.v, b.v, c.v);
}
HADAL_INLINE f32x16 sqrt(f32x16 a) {
  return _mm512_sqrt_ps(a.v);
}
HADAL_INLINE f32x16 round_even(f32x16 a) {
  return _mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
HADAL_INLINE f32x16 exp2_int(f32x16 a) {
  const __m512i n = _mm512_add_epi32(_mm512_cvttps_epi32(a.v), _mm512_set1_epi32(127));
  return _mm512_castsi512_ps(_mm512_slli_epi32(n, 23));
}
HADAL_INLINE f32x16 select_gt(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ), y.v, x.v);
}
// Bit l: lane l of a is above that of b.
HADAL_INLINE uint32_t mask_gt(f32x16 a, f32x16 b) {
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ);
}
HADAL_INLINE f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q), y.v, x.v);
}

HADAL_INLINE i32x16 bits(f32x16 a) {
  return {_mm512_castps_si512(a.v)};
}
HADAL_INLINE f32x16 as_float(i32x16 a) {
  return _mm512_castsi512_ps(a.v);
}
HADAL_INLINE i32x16 operator+(i32x16 a, i32x16 b) {
  return {_mm512_add_epi32(a.v, b.v)};
}
HADAL_INLINE i32x16 operator&(i32x16 a, uint32_t b) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi32(static_cast<int>(b)))};
}
HADAL_INLINE i32x16 operator|(i32x16 a, i32x16 b) {
  return {_mm512_or_si512(a.v, b.v)};
}
HADAL_INLINE i32x16 splat(uint32_t x) {
  return {_mm512_set1_epi32(static_cast<int>(x))};
}
template <int n>
HADAL_INLINE i32x16 shift_right(i32x16 a) {
  return {_mm512_srli_epi32(a.v, n)};
}
template <int n>
HADAL_INLINE i32x16 shift_left(i32x16 a) {
  return {_mm512_slli_epi32(a.v, n)};
}
// Of signed numbers.
HADAL_INLINE f32x16 to_float(i32x16 a) {
  return _mm512_cvtepi32_ps(a.v);
}

HADAL_INLINE f32x16 load(const float* p) {
  return _mm512_loadu_ps(p);
}
HADAL_INLINE void store(float* p, f32x16 a) {
  _mm512_storeu_ps(p, a.v);
}
HADAL_INLINE __mmask16 first_lanes(int64_t n) {
  return static_cast<__mmask16>((1u << n) - 1);
}
// The first n < 16 lanes, zeros in the others.
HADAL_INLINE f32x16 load_some(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
HADAL_INLINE void store_some(float* p, f32x16 a, int64_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), a.v);
}

HADAL_INLINE f32x16 widen_bf16(__m256i h) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16));
}
HADAL_INLINE f32x16 load_bf16(const uint16_t* p) {
  return widen_bf16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
HADAL_INLINE f32x16 load_bf16_some(const uint16_t* p, int64_t n) {
  return widen_bf16(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
// Upper halves of the lanes: for numbers that are bf16 already.
HADAL_INLINE void store_bf16(uint16_t* p, f32x16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(a.v), 16)));
}
HADAL_INLINE void store_bf16_some(uint16_t* p, f32x16 a, int64_t n) {
  _mm256_mask_storeu_epi16(p, first_lanes(n),
                           _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(a.v), 16)));
}

// Lane l takes lane l ^ distance.
template <int distance>
HADAL_INLINE f32x16 swap_lanes(f32x16 a) {
  if constexpr (distance == 1) return _mm512_permute_ps(a.v, 0xb1);
  if constexpr (distance == 2) return _mm512_permute_ps(a.v, 0x4e);
  if constexpr (distance == 4) return _mm512_shuffle_f32x4(a.v, a.v, 0xb1);
  if constexpr (distance == 8) return _mm512_shuffle_f32x4(a.v, a.v, 0x4e);
}
HADAL_INLINE f32x16 repeat_even(f32x16 a) {
  return _mm512_moveldup_ps(a.v);
}
HADAL_INLINE f32x16 repeat_odd(f32x16 a) {
  return _mm512_movehdup_ps(a.v);
}

// 32 consecutive numbers as their odd and their even elements.
HADAL_INLINE void load_pairs(const float* p, f32x16& odd, f32x16& even) {
  const __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16);
  const __m512i evens = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  even = _mm512_permutex2var_ps(a, evens, b);
  odd = _mm512_permutex2var_ps(a, _mm512_add_epi32(evens, _mm512_set1_epi32(1)), b);
}
// The other way: odd and even elements as 32 consecutive numbers.
HADAL_INLINE void merge_pairs(f32x16 odd, f32x16 even, f32x16& first, f32x16& second) {
  const __m512i order = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  first = _mm512_permutex2var_ps(even.v, order, odd.v);
  second = _mm512_permutex2var_ps(even.v, _mm512_add_epi32(order, _mm512_set1_epi32(8)), odd.v);
}
HADAL_INLINE void split_pairs(__m512i a, f32x16& odd, f32x16& even) {
  even = _mm512_castsi512_ps(_mm512_slli_epi32(a, 16));
  odd = _mm512_castsi512_ps(_mm512_and_si512(a, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
}
HADAL_INLINE void load_pairs_bf16(const void* p, f32x16& odd, f32x16& even) {
  split_pairs(_mm512_loadu_si512(p), odd, even);
}

// e4m3 to fp32 through fp16, which has the same fields with four more mantissa bits and a bias larger by 8;
// its subnormals convert exactly.
HADAL_INLINE __m512i e4m3_to_half(__m512i words) {  // sign-extended codes
  const __m512i half =
      _mm512_and_si512(_mm512_slli_epi16(words, 7), _mm512_set1_epi16(static_cast<short>(0xbf80)));
  const __m512i magnitude = _mm512_set1_epi16(0x7f);
  const __mmask32 nan = _mm512_cmpeq_epi16_mask(_mm512_and_si512(words, magnitude), magnitude);
  return _mm512_mask_mov_epi16(half, nan, _mm512_set1_epi16(0x7e00));
}
HADAL_INLINE f32x16 half_to_float(__m256i half) {
  return _mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(256.0f));
}
#if !HADAL_BF16_DOT
// 64 codes in the order of the FP8 dot product.
HADAL_INLINE void decode_fp8(const uint8_t* p, f32x16 (&out)[4]) {
  const __m512i order =
      _mm512_broadcast_i32x4(_mm_setr_epi8(1, 3, 5, 7, 0, 2, 4, 6, 9, 11, 13, 15, 8, 10, 12, 14));
  const __m512i gather = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i codes = _mm512_permutexvar_epi32(gather, _mm512_shuffle_epi8(_mm512_loadu_si512(p), order));
  const __m512i low = e4m3_to_half(_mm512_cvtepi8_epi16(_mm512_castsi512_si256(codes)));
  const __m512i high = e4m3_to_half(_mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(codes, 1)));
  out[0] = half_to_float(_mm512_castsi512_si256(low));
  out[1] = half_to_float(_mm512_extracti64x4_epi64(low, 1));
  out[2] = half_to_float(_mm512_castsi512_si256(high));
  out[3] = half_to_float(_mm512_extracti64x4_epi64(high, 1));
}
#endif
// 32 codes as odd and even elements.
HADAL_INLINE void decode_fp8_pairs(const uint8_t* p, f32x16& odd, f32x16& even) {
  const __m256i codes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m512i words = _mm512_castsi256_si512(codes);
  const __m512i low = e4m3_to_half(_mm512_srai_epi16(_mm512_slli_epi16(words, 8), 8));
  const __m512i high = e4m3_to_half(_mm512_srai_epi16(words, 8));
  even = half_to_float(_mm512_castsi512_si256(low));
  odd = half_to_float(_mm512_castsi512_si256(high));
}

// e2m1 by table, the block's scale in the table.
struct Fp4Table {
  __m512 values;
};
HADAL_INLINE Fp4Table fp4_table(float scale) {
  const __m512 base = _mm512_setr_ps(0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f, -0.0f, -0.5f, -1.0f,
                                     -1.5f, -2.0f, -3.0f, -4.0f, -6.0f);
  return {_mm512_mul_ps(base, _mm512_set1_ps(scale))};
}
HADAL_INLINE void decode_fp4(const uint8_t* p, const Fp4Table& table, f32x16& odd, f32x16& even) {
  const __m512i codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  even = _mm512_permutexvar_ps(codes, table.values);
  odd = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), table.values);
}

// 64 bytes of e2m1, words of four codes each: vectors 2i and 2i + 1 take the codes i of all odd and even
// words.
HADAL_INLINE void decode_fp4_step(const uint8_t* p, f32x16 (&out)[8]) {
  const __m512 table = fp4_table(1.0f).values;
  const __m512i codes = _mm512_loadu_si512(p);
  out[0] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 16), table);
  out[1] = _mm512_permutexvar_ps(codes, table);
  out[2] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 20), table);
  out[3] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 4), table);
  out[4] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 24), table);
  out[5] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 8), table);
  out[6] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 28), table);
  out[7] = _mm512_permutexvar_ps(_mm512_srli_epi32(codes, 12), table);
}
// --- Bytes

// The bytes of one register.
struct bytespart {
  __m512i v;
};
HADAL_INLINE bytespart load_bytes(const void* p, int) {
  return {_mm512_loadu_si512(p)};
}
HADAL_INLINE void store_bytes(void* p, int, bytespart x) {
  _mm512_storeu_si512(p, x.v);
}

// kFp4Multiples by the low and by the high nibbles of bytes.
HADAL_INLINE void fp4_multiples(bytespart codes, bytespart& low, bytespart& high) {
  const __m512i table =
      _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(kFp4Multiples)));
  const __m512i upper = _mm512_srli_epi16(codes.v, 4);
#if HADAL_BYTE_DOT
  // The look-up takes six bits.
  low = {_mm512_permutexvar_epi8(codes.v, table)};
  high = {_mm512_permutexvar_epi8(upper, table)};
#else
  const __m512i nibble = _mm512_set1_epi8(0x0f);
  low = {_mm512_shuffle_epi8(table, _mm512_and_si512(codes.v, nibble))};
  high = {_mm512_shuffle_epi8(table, _mm512_and_si512(upper, nibble))};
#endif
}

// acc + a . b, four bytes to a lane; a: below 25, b: signed.
HADAL_INLINE i32x16 dot_bytes(i32x16 acc, bytespart a, bytespart b) {
#if HADAL_BYTE_DOT
  return {_mm512_dpbusd_epi32(acc.v, a.v, b.v)};
#else
  return acc + i32x16{_mm512_madd_epi16(_mm512_maddubs_epi16(a.v, b.v), _mm512_set1_epi16(1))};
#endif
}
// Eight times sum[r] and the sum over i < 8 of w(r, i) . (256 high(i) + low(i)).
template <int NR, class W, class X>
HADAL_INLINE void dot_digits(i32x16 (&sum)[NR], const W& w, const X& high, const X& low) {
#if HADAL_BYTE_DOT
  // Chains side by side: the products of one wait for each other.
  i32x16 upper[NR];
#pragma GCC unroll 4
  for (int r = 0; r < NR; ++r) upper[r] = splat(0);
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i)
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r) {
      upper[r] = dot_bytes(upper[r], w(r, i), high(i));
      sum[r] = dot_bytes(sum[r], w(r, i), low(i));
    }
#pragma GCC unroll 4
  for (int r = 0; r < NR; ++r) sum[r] = shift_left<3>(shift_left<8>(upper[r]) + sum[r]);
#else
  // Four products of a lane's half fit sixteen bits.
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    __m512i upper[NR], lower[NR];
#pragma GCC unroll 4
    for (int j = i; j < i + 4; ++j) {
      const __m512i h = high(j).v, l = low(j).v;
#pragma GCC unroll 4
      for (int r = 0; r < NR; ++r) {
        const __m512i a = w(r, j).v;
        const __m512i u = _mm512_maddubs_epi16(a, h), v = _mm512_maddubs_epi16(a, l);
        upper[r] = j == i ? u : _mm512_add_epi16(upper[r], u);
        lower[r] = j == i ? v : _mm512_add_epi16(lower[r], v);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r)
      sum[r] = (i == 0 ? shift_left<3>(sum[r]) : sum[r]) +
               i32x16{_mm512_madd_epi16(upper[r], _mm512_set1_epi16(8 * 256))} +
               i32x16{_mm512_madd_epi16(lower[r], _mm512_set1_epi16(8))};
  }
#endif
}

// Crossed: lane 4i + m takes what is number 4m + i.
HADAL_INLINE f32x16 cross(f32x16 a) {
  return _mm512_permutexvar_ps(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), a.v);
}
// Lane 4i + m of a[j] takes word j of quarter i of a[m].
HADAL_INLINE void cross_words(bytespart (&a)[4]) {
  const __m512i low01 = _mm512_unpacklo_epi32(a[0].v, a[1].v), low23 = _mm512_unpacklo_epi32(a[2].v, a[3].v);
  const __m512i high01 = _mm512_unpackhi_epi32(a[0].v, a[1].v),
                high23 = _mm512_unpackhi_epi32(a[2].v, a[3].v);
  a[0] = {_mm512_unpacklo_epi64(low01, low23)};
  a[1] = {_mm512_unpackhi_epi64(low01, low23)};
  a[2] = {_mm512_unpacklo_epi64(high01, high23)};
  a[3] = {_mm512_unpackhi_epi64(high01, high23)};
}
// 2^(code - 127) of sixteen codes, 0 for a code of 0, crossed.
HADAL_INLINE f32x16 load_powers_crossed(const uint8_t* p) {
  const __m128i codes = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
                                         _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(codes), 23));
}
HADAL_INLINE i32x16 load_words(const int32_t* p, int) {
  return {_mm512_loadu_si512(p)};
}

// Lane l takes p[l / 4].
HADAL_INLINE f32x16 spread_quads(const float* p) {
  const __m512i quads = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  return _mm512_permutexvar_ps(quads, _mm512_broadcast_f32x4(_mm_loadu_ps(p)));
}
HADAL_INLINE float max_lanes(f32x16 a) {
  return _mm512_reduce_max_ps(a.v);
}

// The tree of the canonical sum: l + (l+8), then +4, +2, +1.
HADAL_INLINE float tree_sum(f32x16 a) {
  const __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

// Lane i takes tree_sum(a[i]): the same additions, four vectors to one in each step.
HADAL_INLINE f32x16 tree_sum16(const f32x16* a) {
  const auto eight = [](f32x16 x, f32x16 y) HADAL_LAMBDA_INLINE {
    return f32x16(_mm512_add_ps(_mm512_shuffle_f32x4(x.v, y.v, 0x44), _mm512_shuffle_f32x4(x.v, y.v, 0xee)));
  };
  const auto four = [](f32x16 x, f32x16 y) HADAL_LAMBDA_INLINE {
    return f32x16(_mm512_add_ps(_mm512_shuffle_f32x4(x.v, y.v, 0x88), _mm512_shuffle_f32x4(x.v, y.v, 0xdd)));
  };
  const auto two = [](f32x16 x, f32x16 y) HADAL_LAMBDA_INLINE {
    const __m512d s = _mm512_castps_pd(x.v), t = _mm512_castps_pd(y.v);
    return f32x16(_mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(s, t)),
                                _mm512_castpd_ps(_mm512_unpackhi_pd(s, t))));
  };
  const auto one = [](f32x16 x, f32x16 y) HADAL_LAMBDA_INLINE {
    return f32x16(_mm512_add_ps(_mm512_shuffle_ps(x.v, y.v, 0x88), _mm512_shuffle_ps(x.v, y.v, 0xdd)));
  };
  f32x16 quad[4];  // quad[i]: four lanes each of a[i], a[i + 4], a[i + 8], a[i + 12]
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) quad[i] = four(eight(a[i], a[i + 4]), eight(a[i + 8], a[i + 12]));
  return one(two(quad[0], quad[1]), two(quad[2], quad[3]));
}

#if HADAL_BF16_DOT

// Sixteen pairs of bf16.
struct bf16x32 {
  __m512i v;
};
HADAL_INLINE bf16x32 load_bf16x32(const void* p) {
  return {_mm512_loadu_si512(p)};
}
// fma(even, even, fma(odd, odd, acc)) in each lane.
HADAL_INLINE f32x16 dot(f32x16 acc, bf16x32 a, bf16x32 b) {
  return _mm512_dpbf16_ps(acc.v, (__m512bh)a.v, (__m512bh)b.v);
}
// Numbers that are bf16 already as pairs.
HADAL_INLINE bf16x32 join_pairs(f32x16 odd, f32x16 even) {
  return {_mm512_or_si512(
      _mm512_and_si512(_mm512_castps_si512(odd.v), _mm512_set1_epi32(static_cast<int>(0xffff0000u))),
      _mm512_srli_epi32(_mm512_castps_si512(even.v), 16))};
}
HADAL_INLINE void store(void* p, bf16x32 a) {
  _mm512_storeu_si512(p, a.v);
}
// Rows s (odd) and s + 1 (even) of 32 dimensions, interleaved: pairs of dimensions 8q + i in `low`, 8q + 4 +
// i in `high`, where lane 4q + i.
HADAL_INLINE void interleave(bf16x32 odd, bf16x32 even, bf16x32& low, bf16x32& high) {
  low = {_mm512_unpacklo_epi16(even.v, odd.v)};
  high = {_mm512_unpackhi_epi16(even.v, odd.v)};
}
// Sums of the 32 dimensions of such pairs in the order of the dimensions.
HADAL_INLINE void merge_quads(f32x16 low, f32x16 high, f32x16& first, f32x16& second) {
  const __m512d a = _mm512_castps_pd(low.v), b = _mm512_castps_pd(high.v);
  const __m512i order = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  first = _mm512_castpd_ps(_mm512_permutex2var_pd(a, order, b));
  second = _mm512_castpd_ps(_mm512_permutex2var_pd(a, _mm512_add_epi64(order, _mm512_set1_epi64(4)), b));
}
HADAL_INLINE bf16x32 splat_pair(uint32_t pair) {
  return {_mm512_set1_epi32(static_cast<int>(pair))};
}

// The low and the high byte of the bf16 number of every e4m3 magnitude.
struct E4m3Bytes {
  alignas(64) uint8_t low[128];
  alignas(64) uint8_t high[128];
};
constexpr E4m3Bytes make_e4m3_bytes() {
  E4m3Bytes table{};
  for (int code = 0; code < 128; ++code) {
    const int exponent = code >> 3, mantissa = code & 7;
    int value = (exponent + 120) << 7 | mantissa << 4;
    if (code == 127) value = 0x7fc0;
    if (exponent == 0) {  // mantissa * 2^-9: the top bit is the implicit one
      int top = 2;
      while (top >= 0 && (mantissa >> top) == 0) --top;
      value = top < 0 ? 0 : (118 + top) << 7 | ((mantissa << (7 - top)) & 0x7f);
    }
    table.low[code] = static_cast<uint8_t>(value & 0xff);
    table.high[code] = static_cast<uint8_t>(value >> 8);
  }
  return table;
}
constexpr E4m3Bytes kE4m3Bytes = make_e4m3_bytes();

// 64 codes in the order of the FP8 dot product, without arithmetic.
HADAL_INLINE void decode_fp8(const uint8_t* p, bf16x32 (&out)[2]) {
  const __m512i codes = _mm512_loadu_si512(p);
  const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(kE4m3Bytes.low), codes,
                                               _mm512_load_si512(kE4m3Bytes.low + 64));
  __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(kE4m3Bytes.high), codes,
                                          _mm512_load_si512(kE4m3Bytes.high + 64));
  high = _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(static_cast<char>(0x80)),
                                   0xf8);  // high | codes & 0x80
  out[0] = {_mm512_unpacklo_epi8(low, high)};
  out[1] = {_mm512_unpackhi_epi8(low, high)};
}

HADAL_INLINE void split_pairs(bf16x32 a, f32x16& odd, f32x16& even) {
  split_pairs(a.v, odd, even);
}
HADAL_INLINE void decode_fp8(const uint8_t* p, f32x16 (&out)[4]) {
  bf16x32 pairs[2];
  decode_fp8(p, pairs);
  split_pairs(pairs[0], out[0], out[1]);
  split_pairs(pairs[1], out[2], out[3]);
}

// 64 codes times 2^(scale - 127) as 64 bf16 in their order; false where exponents alone do not do it (a NaN,
// results that are not normal).
HADAL_INLINE bool decode_fp8_scaled(const uint8_t* p, uint8_t scale, bf16x32 (&out)[2]) {
  const __m512i codes =
      _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 4, 1, 5, 2, 6, 3, 7), _mm512_loadu_si512(p));
  const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
  const __mmask64 nan = _mm512_cmpeq_epi8_mask(_mm512_or_si512(codes, sign), _mm512_set1_epi8(-1));
  if (nan != 0 || scale < 10 || scale > 246) return false;
  const __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(kE4m3Bytes.low), codes,
                                               _mm512_load_si512(kE4m3Bytes.low + 64));
  __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(kE4m3Bytes.high), codes,
                                          _mm512_load_si512(kE4m3Bytes.high + 64));
  high = _mm512_ternarylogic_epi32(high, codes, sign, 0xf8);  // high | codes & 0x80
  const __m512i exponent = _mm512_set1_epi16(static_cast<short>((scale - 127) * 128));
  const __m512i magnitude = _mm512_set1_epi16(0x7fff);
  const auto put = [&](__m512i words) HADAL_LAMBDA_INLINE {  // a zero stays one
    return bf16x32{_mm512_mask_add_epi16(words, _mm512_test_epi16_mask(words, magnitude), words, exponent)};
  };
  out[0] = put(_mm512_unpacklo_epi8(low, high));
  out[1] = put(_mm512_unpackhi_epi8(low, high));
  return true;
}

// Numbers times a power of two, as an addend to both words of a lane, where results are normal: zeros and
// NaNs stay.
HADAL_INLINE bf16x32 add_exponents(bf16x32 a, i32x16 addend) {
  const __m512i magnitude = _mm512_and_si512(a.v, _mm512_set1_epi16(0x7fff));
  const __mmask32 finite =
      _mm512_cmplt_epu16_mask(_mm512_sub_epi16(magnitude, _mm512_set1_epi16(1)), _mm512_set1_epi16(0x7f7f));
  return {_mm512_mask_add_epi16(a.v, finite, a.v, addend.v)};
}

#endif  // HADAL_BF16_DOT

}  // namespace
}  // namespace hadal::HADAL_ISA

#include "cpu/isa/simd_whole.h"
