// Sixteen fp32 lanes in two registers of AVX2 with FMA and F16C. Included once, by the table.cc of an ISA.
#pragma once

#include <immintrin.h>

namespace hadal::HADAL_ISA {
namespace {

struct i32x16 {
  __m256i lo, hi;
};

struct f32x16 {
  __m256 lo, hi;
  f32x16() = default;
  HADAL_INLINE explicit f32x16(float x) : lo(_mm256_set1_ps(x)), hi(_mm256_set1_ps(x)) {}
  HADAL_INLINE f32x16(__m256 a, __m256 b) : lo(a), hi(b) {}
};

HADAL_INLINE f32x16 operator+(f32x16 a, f32x16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
HADAL_INLINE f32x16 operator-(f32x16 a, f32x16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
HADAL_INLINE f32x16 operator*(f32x16 a, f32x16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
HADAL_INLINE f32x16 operator/(f32x16 a, f32x16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
HADAL_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
HADAL_INLINE f32x16 sqrt(f32x16 a) {
  return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)};
}
HADAL_INLINE f32x16 round_even(f32x16 a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, kMode), _mm256_round_ps(a.hi, kMode)};
}
HADAL_INLINE f32x16 exp2_int(f32x16 a) {
  const __m256i bias = _mm256_set1_epi32(127);
  return {_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvttps_epi32(a.lo), bias), 23)),
          _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvttps_epi32(a.hi), bias), 23))};
}
HADAL_INLINE f32x16 select_gt(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  return {_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ)),
          _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ))};
}
// Bit l: lane l of a is above that of b.
HADAL_INLINE uint32_t mask_gt(f32x16 a, f32x16 b) {
  const int low = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ));
  const int high = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ));
  return static_cast<uint32_t>(low | high << 8);
}
HADAL_INLINE f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  return {_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q)),
          _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q))};
}

HADAL_INLINE i32x16 bits(f32x16 a) {
  return {_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)};
}
HADAL_INLINE f32x16 as_float(i32x16 a) {
  return {_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)};
}
HADAL_INLINE i32x16 operator+(i32x16 a, i32x16 b) {
  return {_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
HADAL_INLINE i32x16 operator&(i32x16 a, uint32_t b) {
  const __m256i mask = _mm256_set1_epi32(static_cast<int>(b));
  return {_mm256_and_si256(a.lo, mask), _mm256_and_si256(a.hi, mask)};
}
HADAL_INLINE i32x16 operator|(i32x16 a, i32x16 b) {
  return {_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)};
}
HADAL_INLINE i32x16 splat(uint32_t x) {
  return {_mm256_set1_epi32(static_cast<int>(x)), _mm256_set1_epi32(static_cast<int>(x))};
}
template <int n>
HADAL_INLINE i32x16 shift_right(i32x16 a) {
  return {_mm256_srli_epi32(a.lo, n), _mm256_srli_epi32(a.hi, n)};
}

HADAL_INLINE f32x16 load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
HADAL_INLINE void store(float* p, f32x16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
// The first n < 16 lanes, zeros in the others.
HADAL_INLINE f32x16 load_some(const float* p, int64_t n) {
  float buffer[16] = {};
  __builtin_memcpy(buffer, p, static_cast<size_t>(n) * sizeof(float));
  return load(buffer);
}
HADAL_INLINE void store_some(float* p, f32x16 a, int64_t n) {
  float buffer[16];
  store(buffer, a);
  __builtin_memcpy(p, buffer, static_cast<size_t>(n) * sizeof(float));
}

HADAL_INLINE __m256 widen_bf16(__m128i h) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
}
HADAL_INLINE f32x16 load_bf16(const uint16_t* p) {
  return {widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          widen_bf16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
HADAL_INLINE f32x16 load_bf16_some(const uint16_t* p, int64_t n) {
  uint16_t buffer[16] = {};
  __builtin_memcpy(buffer, p, static_cast<size_t>(n) * sizeof(uint16_t));
  return load_bf16(buffer);
}
// Upper halves of the lanes: for numbers that are bf16 already.
HADAL_INLINE void store_bf16(uint16_t* p, f32x16 a) {
  const __m256i lo = _mm256_srli_epi32(_mm256_castps_si256(a.lo), 16);
  const __m256i hi = _mm256_srli_epi32(_mm256_castps_si256(a.hi), 16);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm256_permute4x64_epi64(_mm256_packus_epi32(lo, hi), 0xd8));
}
HADAL_INLINE void store_bf16_some(uint16_t* p, f32x16 a, int64_t n) {
  uint16_t buffer[16];
  store_bf16(buffer, a);
  __builtin_memcpy(p, buffer, static_cast<size_t>(n) * sizeof(uint16_t));
}

// The lanes of one register: half of them.
constexpr int kLaneParts = 2;
struct f32part {
  __m256 v;
  f32part() = default;
  HADAL_INLINE explicit f32part(float x) : v(_mm256_set1_ps(x)) {}
  HADAL_INLINE f32part(__m256 x) : v(x) {}  // NOLINT: the register is the number
};
HADAL_INLINE f32part fma(f32part a, f32part b, f32part c) {
  return _mm256_fmadd_ps(a.v, b.v, c.v);
}
HADAL_INLINE f32part load_part(const float* p, int part) {
  return _mm256_loadu_ps(p + 8 * part);
}
HADAL_INLINE f32part load_part(const f32x16& a, int part) {
  return part == 0 ? a.lo : a.hi;
}
HADAL_INLINE void store_part(f32x16& a, int part, f32part x) {
  (part == 0 ? a.lo : a.hi) = x.v;
}
HADAL_INLINE f32part operator*(f32part a, f32part b) {
  return _mm256_mul_ps(a.v, b.v);
}
struct i32part {
  __m256i v;
};
HADAL_INLINE i32part bits(f32part a) {
  return {_mm256_castps_si256(a.v)};
}
HADAL_INLINE f32part as_float(i32part a) {
  return _mm256_castsi256_ps(a.v);
}
HADAL_INLINE i32part operator+(i32part a, i32part b) {
  return {_mm256_add_epi32(a.v, b.v)};
}
template <int n>
HADAL_INLINE i32part shift_left(i32part a) {
  return {_mm256_slli_epi32(a.v, n)};
}
// Of signed numbers.
HADAL_INLINE f32part to_float(i32part a) {
  return _mm256_cvtepi32_ps(a.v);
}
HADAL_INLINE i32part load_words(const int32_t* p, int part) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p) + part)};
}

// Lane l takes lane l ^ distance.
template <int distance>
HADAL_INLINE f32x16 swap_lanes(f32x16 a) {
  if constexpr (distance == 1) return {_mm256_permute_ps(a.lo, 0xb1), _mm256_permute_ps(a.hi, 0xb1)};
  if constexpr (distance == 2) return {_mm256_permute_ps(a.lo, 0x4e), _mm256_permute_ps(a.hi, 0x4e)};
  if constexpr (distance == 4)
    return {_mm256_permute2f128_ps(a.lo, a.lo, 0x01), _mm256_permute2f128_ps(a.hi, a.hi, 0x01)};
  if constexpr (distance == 8) return {a.hi, a.lo};
}
HADAL_INLINE f32x16 repeat_even(f32x16 a) {
  return {_mm256_moveldup_ps(a.lo), _mm256_moveldup_ps(a.hi)};
}
HADAL_INLINE f32x16 repeat_odd(f32x16 a) {
  return {_mm256_movehdup_ps(a.lo), _mm256_movehdup_ps(a.hi)};
}

// 32 consecutive numbers as their odd and their even elements.
HADAL_INLINE void split_pairs(__m256 a, __m256 b, __m256& odd, __m256& even) {
  const auto straighten = [](__m256 x) HADAL_LAMBDA_INLINE {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8));
  };
  even = straighten(_mm256_shuffle_ps(a, b, 0x88));
  odd = straighten(_mm256_shuffle_ps(a, b, 0xdd));
}
HADAL_INLINE void load_pairs(const float* p, f32x16& odd, f32x16& even) {
  split_pairs(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8), odd.lo, even.lo);
  split_pairs(_mm256_loadu_ps(p + 16), _mm256_loadu_ps(p + 24), odd.hi, even.hi);
}
// The other way: odd and even elements as 32 consecutive numbers.
HADAL_INLINE void merge_pairs(f32x16 odd, f32x16 even, f32x16& first, f32x16& second) {
  const auto merge = [](__m256 o, __m256 e) HADAL_LAMBDA_INLINE {
    const __m256 low = _mm256_unpacklo_ps(e, o), high = _mm256_unpackhi_ps(e, o);
    return f32x16{_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
  };
  first = merge(odd.lo, even.lo);
  second = merge(odd.hi, even.hi);
}
HADAL_INLINE void load_pairs_bf16(const void* p, f32x16& odd, f32x16& even) {
  const __m256i lo = _mm256_loadu_si256(static_cast<const __m256i*>(p));
  const __m256i hi = _mm256_loadu_si256(static_cast<const __m256i*>(p) + 1);
  const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  even = {_mm256_castsi256_ps(_mm256_slli_epi32(lo, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(hi, 16))};
  odd = {_mm256_castsi256_ps(_mm256_and_si256(lo, upper)), _mm256_castsi256_ps(_mm256_and_si256(hi, upper))};
}

// e4m3 to fp32 through fp16, which has the same fields with four more mantissa bits and a bias larger by 8;
// its subnormals convert exactly.
HADAL_INLINE __m256i e4m3_to_half(__m256i words) {  // sign-extended codes
  const __m256i half =
      _mm256_and_si256(_mm256_slli_epi16(words, 7), _mm256_set1_epi16(static_cast<short>(0xbf80)));
  const __m256i magnitude = _mm256_set1_epi16(0x7f);
  const __m256i nan = _mm256_cmpeq_epi16(_mm256_and_si256(words, magnitude), magnitude);
  return _mm256_or_si256(half, _mm256_and_si256(nan, _mm256_set1_epi16(0x7e00)));
}
HADAL_INLINE __m256 half_to_float(__m128i half) {
  return _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256.0f));
}
// 32 codes: eight lanes of each of the four vectors of the FP8 dot product.
HADAL_INLINE void decode_fp8_half(const uint8_t* p, __m256 (&out)[4]) {
  const __m256i order =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(1, 3, 5, 7, 0, 2, 4, 6, 9, 11, 13, 15, 8, 10, 12, 14));
  const __m256i gather = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i codes = _mm256_permutevar8x32_epi32(
      _mm256_shuffle_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), order), gather);
  const __m256i low = e4m3_to_half(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(codes)));
  const __m256i high = e4m3_to_half(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(codes, 1)));
  out[0] = half_to_float(_mm256_castsi256_si128(low));
  out[1] = half_to_float(_mm256_extracti128_si256(low, 1));
  out[2] = half_to_float(_mm256_castsi256_si128(high));
  out[3] = half_to_float(_mm256_extracti128_si256(high, 1));
}
// The same for codes that are normal numbers, whose bf16 bytes are their fields and a look-up of the upper
// four bits.
HADAL_INLINE void decode_normal_fp8_half(__m256i codes, __m256 (&out)[4]) {
  const __m256i table = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(60, 61, 62, 63, 64, 65, 66, 67, -68, -67, -66, -65, -64, -63, -62, -61));
  const __m256i upper = _mm256_and_si256(_mm256_srli_epi16(codes, 4), _mm256_set1_epi8(0x0f));
  const __m256i high = _mm256_shuffle_epi8(table, upper);
  const __m256i low =
      _mm256_and_si256(_mm256_slli_epi16(codes, 4), _mm256_set1_epi8(static_cast<char>(0xf0)));
  const __m256i first = _mm256_unpacklo_epi8(low, high), second = _mm256_unpackhi_epi8(low, high);
  const __m256i odd = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
  out[0] = _mm256_castsi256_ps(_mm256_and_si256(first, odd));
  out[1] = _mm256_castsi256_ps(_mm256_slli_epi32(first, 16));
  out[2] = _mm256_castsi256_ps(_mm256_and_si256(second, odd));
  out[3] = _mm256_castsi256_ps(_mm256_slli_epi32(second, 16));
}
// 64 codes in the order of the FP8 dot product.
HADAL_INLINE void decode_fp8(const uint8_t* p, f32x16 (&out)[4]) {
  const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
  // Without their signs and less the smallest normal number, zeros, denormals and NaNs are the largest bytes.
  const auto rank = [](__m256i c) HADAL_LAMBDA_INLINE {
    return _mm256_sub_epi8(_mm256_add_epi8(c, c), _mm256_set1_epi8(16));
  };
  const __m256i largest =
      _mm256_subs_epu8(_mm256_max_epu8(rank(first), rank(second)), _mm256_set1_epi8(static_cast<char>(236)));
  __m256 lo[4], hi[4];
  if (__builtin_expect(_mm256_testz_si256(largest, largest), 1)) {
    decode_normal_fp8_half(first, lo);
    decode_normal_fp8_half(second, hi);
  } else {
    decode_fp8_half(p, lo);
    decode_fp8_half(p + 32, hi);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) out[i] = {lo[i], hi[i]};
}
// 32 codes as odd and even elements.
HADAL_INLINE void decode_fp8_pairs(const uint8_t* p, f32x16& odd, f32x16& even) {
  const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i low = e4m3_to_half(_mm256_srai_epi16(_mm256_slli_epi16(words, 8), 8));
  const __m256i high = e4m3_to_half(_mm256_srai_epi16(words, 8));
  even = {half_to_float(_mm256_castsi256_si128(low)), half_to_float(_mm256_extracti128_si256(low, 1))};
  odd = {half_to_float(_mm256_castsi256_si128(high)), half_to_float(_mm256_extracti128_si256(high, 1))};
}

// e2m1 magnitudes by table, the block's scale in the table.
struct Fp4Table {
  __m256 values;
};
HADAL_INLINE Fp4Table fp4_table(float scale) {
  const __m256 base = _mm256_setr_ps(0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f);
  return {_mm256_mul_ps(base, _mm256_set1_ps(scale))};
}
HADAL_INLINE __m256 fp4_lookup(__m256i codes, const Fp4Table& table) {
  const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(codes, _mm256_set1_epi32(8)), 28);
  return _mm256_xor_ps(_mm256_permutevar8x32_ps(table.values, codes), _mm256_castsi256_ps(sign));
}
HADAL_INLINE void decode_fp4(const uint8_t* p, const Fp4Table& table, f32x16& odd, f32x16& even) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  const __m256i lo = _mm256_cvtepu8_epi32(bytes), hi = _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8));
  even = {fp4_lookup(lo, table), fp4_lookup(hi, table)};
  odd = {fp4_lookup(_mm256_srli_epi32(lo, 4), table), fp4_lookup(_mm256_srli_epi32(hi, 4), table)};
}

// 64 bytes of e2m1, words of four codes each: vectors 2i and 2i + 1 take the codes i of all odd and even
// words.
HADAL_INLINE void decode_fp4_step(const uint8_t* p, f32x16 (&out)[8]) {
  const Fp4Table table = fp4_table(1.0f);
  const __m256i lo = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  const __m256i hi = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    out[2 * i] = {fp4_lookup(_mm256_srli_epi32(lo, 16 + 4 * i), table),
                  fp4_lookup(_mm256_srli_epi32(hi, 16 + 4 * i), table)};
    out[2 * i + 1] = {fp4_lookup(_mm256_srli_epi32(lo, 4 * i), table),
                      fp4_lookup(_mm256_srli_epi32(hi, 4 * i), table)};
  }
}

// The bytes of one register.
struct bytespart {
  __m256i v;
};
HADAL_INLINE bytespart load_bytes(const void* p, int part) {
  return {_mm256_loadu_si256(static_cast<const __m256i*>(p) + part)};
}
HADAL_INLINE void store_bytes(void* p, int part, bytespart x) {
  _mm256_storeu_si256(static_cast<__m256i*>(p) + part, x.v);
}

// kFp4Multiples by the low and by the high nibbles of bytes.
HADAL_INLINE void fp4_multiples(bytespart codes, bytespart& low, bytespart& high) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(kFp4Multiples)));
  const __m256i nibble = _mm256_set1_epi8(0x0f);
  low = {_mm256_shuffle_epi8(table, _mm256_and_si256(codes.v, nibble))};
  high = {_mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(codes.v, 4), nibble))};
}

// acc + a . b, four bytes to a lane; a: below 25, b: signed.
HADAL_INLINE i32part dot_bytes(i32part acc, bytespart a, bytespart b) {
  const __m256i products = _mm256_maddubs_epi16(a.v, b.v);
  return acc + i32part{_mm256_madd_epi16(products, _mm256_set1_epi16(1))};
}
// Eight times sum[r] and the sum over i < 8 of w(r, i) . (256 high(i) + low(i)).
template <int NR, class W, class X>
HADAL_INLINE void dot_digits(i32part (&sum)[NR], const W& w, const X& high, const X& low) {
  // Four products of a lane's half fit sixteen bits.
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    __m256i upper[NR], lower[NR];
#pragma GCC unroll 4
    for (int j = i; j < i + 4; ++j) {
      const __m256i h = high(j).v, l = low(j).v;
#pragma GCC unroll 4
      for (int r = 0; r < NR; ++r) {
        const __m256i a = w(r, j).v;
        const __m256i u = _mm256_maddubs_epi16(a, h), v = _mm256_maddubs_epi16(a, l);
        if (j == i) {
          upper[r] = u;
          lower[r] = v;
        } else {  // GCC would make trees of these sums, for which there are too few registers
          asm("vpaddw %1,%0,%0" : "+x"(upper[r]) : "x"(u));
          asm("vpaddw %1,%0,%0" : "+x"(lower[r]) : "x"(v));
        }
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < NR; ++r)
      sum[r] = (i == 0 ? shift_left<3>(sum[r]) : sum[r]) +
               i32part{_mm256_madd_epi16(upper[r], _mm256_set1_epi16(8 * 256))} +
               i32part{_mm256_madd_epi16(lower[r], _mm256_set1_epi16(8))};
  }
}

// Crossed: lane 4i + m takes what is number 4m + i.
HADAL_INLINE f32x16 cross(f32x16 a) {
  __m128 q0 = _mm256_castps256_ps128(a.lo), q1 = _mm256_extractf128_ps(a.lo, 1);
  __m128 q2 = _mm256_castps256_ps128(a.hi), q3 = _mm256_extractf128_ps(a.hi, 1);
  _MM_TRANSPOSE4_PS(q0, q1, q2, q3);
  return {_mm256_set_m128(q1, q0), _mm256_set_m128(q3, q2)};
}
// Lane 4i + m of a[j] takes word j of quarter i of a[m].
HADAL_INLINE void cross_words(bytespart (&a)[4]) {
  const __m256i low01 = _mm256_unpacklo_epi32(a[0].v, a[1].v), low23 = _mm256_unpacklo_epi32(a[2].v, a[3].v);
  const __m256i high01 = _mm256_unpackhi_epi32(a[0].v, a[1].v),
                high23 = _mm256_unpackhi_epi32(a[2].v, a[3].v);
  a[0] = {_mm256_unpacklo_epi64(low01, low23)};
  a[1] = {_mm256_unpackhi_epi64(low01, low23)};
  a[2] = {_mm256_unpacklo_epi64(high01, high23)};
  a[3] = {_mm256_unpackhi_epi64(high01, high23)};
}
// 2^(code - 127) of sixteen codes, 0 for a code of 0, crossed.
HADAL_INLINE f32x16 load_powers_crossed(const uint8_t* p) {
  const __m128i codes = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)),
                                         _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
  const auto half = [](__m128i eight) HADAL_LAMBDA_INLINE {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu8_epi32(eight), 23));
  };
  return {half(codes), half(_mm_srli_si128(codes, 8))};
}

// Lane l takes p[l / 4].
HADAL_INLINE f32x16 spread_quads(const float* p) {
  return {_mm256_set_m128(_mm_broadcast_ss(p + 1), _mm_broadcast_ss(p)),
          _mm256_set_m128(_mm_broadcast_ss(p + 3), _mm_broadcast_ss(p + 2))};
}
HADAL_INLINE float max_lanes(f32x16 a) {
  const __m256 b = _mm256_max_ps(a.lo, a.hi);
  const __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  const __m128 d = _mm_max_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_max_ss(d, _mm_movehdup_ps(d)));
}

// The tree of the canonical sum: l + (l+8), then +4, +2, +1.
HADAL_INLINE float tree_sum(f32x16 a) {
  const __m256 b = _mm256_add_ps(a.lo, a.hi);
  const __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
  const __m128 d = _mm_add_ps(c, _mm_movehl_ps(c, c));
  return _mm_cvtss_f32(_mm_add_ss(d, _mm_movehdup_ps(d)));
}

// Eight trees at once: lane i takes the sum of a[i].
HADAL_INLINE __m256 tree_sum8(const f32x16* a) {
  const auto four = [&](int i) HADAL_LAMBDA_INLINE {  // a[i] below, a[i + 4] above, four lanes each
    const __m256 x = _mm256_add_ps(a[i].lo, a[i].hi), y = _mm256_add_ps(a[i + 4].lo, a[i + 4].hi);
    return _mm256_add_ps(_mm256_permute2f128_ps(x, y, 0x20), _mm256_permute2f128_ps(x, y, 0x31));
  };
  const auto two = [](__m256 x, __m256 y) HADAL_LAMBDA_INLINE {
    const __m256d s = _mm256_castps_pd(x), t = _mm256_castps_pd(y);
    return _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(s, t)),
                         _mm256_castpd_ps(_mm256_unpackhi_pd(s, t)));
  };
  const __m256 x = two(four(0), four(1)), y = two(four(2), four(3));
  return _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x88), _mm256_shuffle_ps(x, y, 0xdd));
}
HADAL_INLINE f32x16 tree_sum16(const f32x16* a) {
  return {tree_sum8(a), tree_sum8(a + 8)};
}

}  // namespace
}  // namespace hadal::HADAL_ISA
