// Sixteen fp32 lanes in four registers of NEON (AArch64). Included once, by the table.cc of an ISA.
#pragma once

#include <arm_neon.h>

namespace hadal::HADAL_ISA {
namespace {

struct i32x16 {
  uint32x4_t q[4];
};

struct f32x16 {
  float32x4_t q[4];
  f32x16() = default;
  HADAL_INLINE explicit f32x16(float x) : q{vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x), vdupq_n_f32(x)} {}
  HADAL_INLINE f32x16(float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d) : q{a, b, c, d} {}
};

// The expression for each of the four registers, i.
#define HADAL_QUADS(type, expression)                                        \
  type out;                                                                  \
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; ++i) out.q[i] = expression; \
  return out

HADAL_INLINE f32x16 operator+(f32x16 a, f32x16 b) {
  HADAL_QUADS(f32x16, vaddq_f32(a.q[i], b.q[i]));
}
HADAL_INLINE f32x16 operator-(f32x16 a, f32x16 b) {
  HADAL_QUADS(f32x16, vsubq_f32(a.q[i], b.q[i]));
}
HADAL_INLINE f32x16 operator*(f32x16 a, f32x16 b) {
  HADAL_QUADS(f32x16, vmulq_f32(a.q[i], b.q[i]));
}
HADAL_INLINE f32x16 operator/(f32x16 a, f32x16 b) {
  HADAL_QUADS(f32x16, vdivq_f32(a.q[i], b.q[i]));
}
HADAL_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  HADAL_QUADS(f32x16, vfmaq_f32(c.q[i], a.q[i], b.q[i]));
}
HADAL_INLINE f32x16 sqrt(f32x16 a) {
  HADAL_QUADS(f32x16, vsqrtq_f32(a.q[i]));
}
HADAL_INLINE f32x16 round_even(f32x16 a) {
  HADAL_QUADS(f32x16, vrndnq_f32(a.q[i]));
}
HADAL_INLINE f32x16 exp2_int(f32x16 a) {
  HADAL_QUADS(f32x16,
              vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(a.q[i]), vdupq_n_s32(127)), 23)));
}
HADAL_INLINE f32x16 select_gt(f32x16 a, f32x16 b, f32x16 x, f32x16 y) {
  HADAL_QUADS(f32x16, vbslq_f32(vcgtq_f32(a.q[i], b.q[i]), x.q[i], y.q[i]));
}
// Bit l: lane l of a is above that of b.
HADAL_INLINE uint32_t mask_gt(f32x16 a, f32x16 b) {
  constexpr uint32_t kBits[4] = {1, 2, 4, 8};
  const uint32x4_t bits = vld1q_u32(kBits);
  uint32_t mask = 0;
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) mask |= vaddvq_u32(vandq_u32(vcgtq_f32(a.q[i], b.q[i]), bits)) << (4 * i);
  return mask;
}
HADAL_INLINE f32x16 select_nan(f32x16 a, f32x16 x, f32x16 y) {
  HADAL_QUADS(f32x16, vbslq_f32(vceqq_f32(a.q[i], a.q[i]), y.q[i], x.q[i]));
}

HADAL_INLINE i32x16 bits(f32x16 a) {
  HADAL_QUADS(i32x16, vreinterpretq_u32_f32(a.q[i]));
}
HADAL_INLINE f32x16 as_float(i32x16 a) {
  HADAL_QUADS(f32x16, vreinterpretq_f32_u32(a.q[i]));
}
HADAL_INLINE i32x16 operator+(i32x16 a, i32x16 b) {
  HADAL_QUADS(i32x16, vaddq_u32(a.q[i], b.q[i]));
}
HADAL_INLINE i32x16 operator&(i32x16 a, uint32_t b) {
  HADAL_QUADS(i32x16, vandq_u32(a.q[i], vdupq_n_u32(b)));
}
HADAL_INLINE i32x16 operator|(i32x16 a, i32x16 b) {
  HADAL_QUADS(i32x16, vorrq_u32(a.q[i], b.q[i]));
}
HADAL_INLINE i32x16 splat(uint32_t x) {
  HADAL_QUADS(i32x16, vdupq_n_u32(x));
}
template <int n>
HADAL_INLINE i32x16 shift_right(i32x16 a) {
  HADAL_QUADS(i32x16, vshrq_n_u32(a.q[i], n));
}

HADAL_INLINE f32x16 load(const float* p) {
  HADAL_QUADS(f32x16, vld1q_f32(p + 4 * i));
}
HADAL_INLINE void store(float* p, f32x16 a) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.q[i]);
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

HADAL_INLINE float32x4_t widen_bf16(uint16x4_t h) {
  return vreinterpretq_f32_u32(vshll_n_u16(h, 16));
}
HADAL_INLINE f32x16 widen_bf16(uint16x8_t low, uint16x8_t high) {
  return {widen_bf16(vget_low_u16(low)), widen_bf16(vget_high_u16(low)), widen_bf16(vget_low_u16(high)),
          widen_bf16(vget_high_u16(high))};
}
HADAL_INLINE f32x16 load_bf16(const uint16_t* p) {
  return widen_bf16(vld1q_u16(p), vld1q_u16(p + 8));
}
HADAL_INLINE f32x16 load_bf16_some(const uint16_t* p, int64_t n) {
  uint16_t buffer[16] = {};
  __builtin_memcpy(buffer, p, static_cast<size_t>(n) * sizeof(uint16_t));
  return load_bf16(buffer);
}
// Upper halves of the lanes: for numbers that are bf16 already.
HADAL_INLINE void store_bf16(uint16_t* p, f32x16 a) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) vst1_u16(p + 4 * i, vshrn_n_u32(vreinterpretq_u32_f32(a.q[i]), 16));
}
HADAL_INLINE void store_bf16_some(uint16_t* p, f32x16 a, int64_t n) {
  uint16_t buffer[16];
  store_bf16(buffer, a);
  __builtin_memcpy(p, buffer, static_cast<size_t>(n) * sizeof(uint16_t));
}

// The lanes of one register: a quarter of them.
constexpr int kLaneParts = 4;
struct f32part {
  float32x4_t v;
  f32part() = default;
  HADAL_INLINE explicit f32part(float x) : v(vdupq_n_f32(x)) {}
  HADAL_INLINE f32part(float32x4_t x) : v(x) {}  // NOLINT: the register is the number
};
HADAL_INLINE f32part fma(f32part a, f32part b, f32part c) {
  return vfmaq_f32(c.v, a.v, b.v);
}
HADAL_INLINE f32part load_part(const float* p, int part) {
  return vld1q_f32(p + 4 * part);
}
HADAL_INLINE f32part load_part(const f32x16& a, int part) {
  return a.q[part];
}
HADAL_INLINE void store_part(f32x16& a, int part, f32part x) {
  a.q[part] = x.v;
}
HADAL_INLINE f32part operator*(f32part a, f32part b) {
  return vmulq_f32(a.v, b.v);
}
struct i32part {
  uint32x4_t v;
};
HADAL_INLINE i32part bits(f32part a) {
  return {vreinterpretq_u32_f32(a.v)};
}
HADAL_INLINE f32part as_float(i32part a) {
  return vreinterpretq_f32_u32(a.v);
}
HADAL_INLINE i32part operator+(i32part a, i32part b) {
  return {vaddq_u32(a.v, b.v)};
}
template <int n>
HADAL_INLINE i32part shift_left(i32part a) {
  return {vshlq_n_u32(a.v, n)};
}
// Of signed numbers.
HADAL_INLINE f32part to_float(i32part a) {
  return vcvtq_f32_s32(vreinterpretq_s32_u32(a.v));
}
HADAL_INLINE i32part load_words(const int32_t* p, int part) {
  return {vreinterpretq_u32_s32(vld1q_s32(p + 4 * part))};
}

// Lane l takes lane l ^ distance.
template <int distance>
HADAL_INLINE f32x16 swap_lanes(f32x16 a) {
  if constexpr (distance == 1) {
    HADAL_QUADS(f32x16, vrev64q_f32(a.q[i]));
  } else if constexpr (distance == 2) {
    HADAL_QUADS(f32x16, vextq_f32(a.q[i], a.q[i], 2));
  } else {
    HADAL_QUADS(f32x16, a.q[i ^ (distance / 4)]);
  }
}
HADAL_INLINE f32x16 repeat_even(f32x16 a) {
  HADAL_QUADS(f32x16, vtrn1q_f32(a.q[i], a.q[i]));
}
HADAL_INLINE f32x16 repeat_odd(f32x16 a) {
  HADAL_QUADS(f32x16, vtrn2q_f32(a.q[i], a.q[i]));
}

// 32 consecutive numbers as their odd and their even elements.
HADAL_INLINE void load_pairs(const float* p, f32x16& odd, f32x16& even) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const float32x4x2_t pairs = vld2q_f32(p + 8 * i);
    even.q[i] = pairs.val[0];
    odd.q[i] = pairs.val[1];
  }
}
// The other way: odd and even elements as 32 consecutive numbers.
HADAL_INLINE void merge_pairs(const f32x16& odd, const f32x16& even, f32x16& first, f32x16& second) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    f32x16& out = i < 2 ? first : second;
    out.q[2 * i % 4] = vzip1q_f32(even.q[i], odd.q[i]);
    out.q[2 * i % 4 + 1] = vzip2q_f32(even.q[i], odd.q[i]);
  }
}
HADAL_INLINE void load_pairs_bf16(const void* p, f32x16& odd, f32x16& even) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    const uint32x4_t pairs = vreinterpretq_u32_u8(vld1q_u8(static_cast<const uint8_t*>(p) + 16 * i));
    even.q[i] = vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16));
    odd.q[i] = vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000u)));
  }
}

// e4m3 to fp32 through fp16, which has the same fields with four more mantissa bits and a bias larger by 8;
// its subnormals convert exactly.
HADAL_INLINE uint16x8_t e4m3_to_half(int8x8_t codes) {
  const uint16x8_t words = vreinterpretq_u16_s16(vmovl_s8(codes));
  const uint16x8_t half = vandq_u16(vshlq_n_u16(words, 7), vdupq_n_u16(0xbf80));
  const uint16x8_t magnitude = vdupq_n_u16(0x7f);
  const uint16x8_t nan = vceqq_u16(vandq_u16(words, magnitude), magnitude);
  return vorrq_u16(half, vandq_u16(nan, vdupq_n_u16(0x7e00)));
}
HADAL_INLINE float32x4_t half_to_float(uint16x4_t half) {
  return vmulq_f32(vcvt_f32_f16(vreinterpret_f16_u16(half)), vdupq_n_f32(256.0f));
}
// 16 codes as halves, the even and the odd ones of each eight.
HADAL_INLINE void halves(const uint8_t* p, uint16x8_t& even, uint16x8_t& odd) {
  const int8x16_t codes = vreinterpretq_s8_u8(vld1q_u8(p));
  const uint16x8_t low = e4m3_to_half(vget_low_s8(codes)), high = e4m3_to_half(vget_high_s8(codes));
  even = vuzp1q_u16(low, high);
  odd = vuzp2q_u16(low, high);
}
// 64 codes in the order of the FP8 dot product.
HADAL_INLINE void decode_fp8(const uint8_t* p, f32x16 (&out)[4]) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    uint16x8_t even, odd;
    halves(p + 16 * i, even, odd);
    out[0].q[i] = half_to_float(vget_low_u16(odd));
    out[1].q[i] = half_to_float(vget_low_u16(even));
    out[2].q[i] = half_to_float(vget_high_u16(odd));
    out[3].q[i] = half_to_float(vget_high_u16(even));
  }
}
// 32 codes as odd and even elements.
HADAL_INLINE void decode_fp8_pairs(const uint8_t* p, f32x16& odd, f32x16& even) {
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    uint16x8_t evens, odds;
    halves(p + 16 * i, evens, odds);
    even.q[2 * i] = half_to_float(vget_low_u16(evens));
    even.q[2 * i + 1] = half_to_float(vget_high_u16(evens));
    odd.q[2 * i] = half_to_float(vget_low_u16(odds));
    odd.q[2 * i + 1] = half_to_float(vget_high_u16(odds));
  }
}

// The bytes of the bf16 number of each e2m1 code, the block's scale in them. Exact: two bits and a power of
// two.
struct Fp4Table {
  uint8x16_t low, high;
};
HADAL_INLINE Fp4Table fp4_table(float scale) {
  constexpr float kSizes[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  const auto upper = [&](const float* sizes) HADAL_LAMBDA_INLINE {
    return vshrn_n_u32(vreinterpretq_u32_f32(vmulq_n_f32(vld1q_f32(sizes), scale)), 16);
  };
  const uint16x8_t sizes = vcombine_u16(upper(kSizes), upper(kSizes + 4));
  const uint8x8_t low = vmovn_u16(sizes), high = vshrn_n_u16(sizes, 8);
  return {vcombine_u8(low, low), vcombine_u8(high, vorr_u8(high, vdup_n_u8(0x80)))};
}
HADAL_INLINE f32x16 fp4_lookup(uint8x16_t codes, const Fp4Table& table) {
  const uint8x16_t low = vqtbl1q_u8(table.low, codes), high = vqtbl1q_u8(table.high, codes);
  return widen_bf16(vreinterpretq_u16_u8(vzip1q_u8(low, high)), vreinterpretq_u16_u8(vzip2q_u8(low, high)));
}
HADAL_INLINE void decode_fp4(const uint8_t* p, const Fp4Table& table, f32x16& odd, f32x16& even) {
  const uint8x16_t bytes = vld1q_u8(p);
  even = fp4_lookup(vandq_u8(bytes, vdupq_n_u8(15)), table);
  odd = fp4_lookup(vshrq_n_u8(bytes, 4), table);
}

// 64 bytes of e2m1, words of four codes each: vectors 2i and 2i + 1 take the codes i of all odd and even
// words.
HADAL_INLINE void decode_fp4_step(const uint8_t* p, f32x16 (&out)[8]) {
  const Fp4Table table = fp4_table(1.0f);
  const uint8x16x4_t bytes = vld4q_u8(p);  // byte b of every pair of words
#pragma GCC unroll 4
  for (int b = 0; b < 4; ++b) {
    const int i = b % 2 * 4 + (b < 2 ? 1 : 0);
    out[i] = fp4_lookup(vandq_u8(bytes.val[b], vdupq_n_u8(15)), table);
    out[i + 2] = fp4_lookup(vshrq_n_u8(bytes.val[b], 4), table);
  }
}
// --- Bytes

// The bytes of one register.
struct bytespart {
  uint8x16_t v;
};
HADAL_INLINE bytespart load_bytes(const void* p, int part) {
  return {vld1q_u8(static_cast<const uint8_t*>(p) + 16 * part)};
}
HADAL_INLINE void store_bytes(void* p, int part, bytespart x) {
  vst1q_u8(static_cast<uint8_t*>(p) + 16 * part, x.v);
}

// kFp4Multiples by the low and by the high nibbles of bytes.
HADAL_INLINE void fp4_multiples(bytespart codes, bytespart& low, bytespart& high) {
  const uint8x16_t table = vld1q_u8(kFp4Multiples);
  low = {vqtbl1q_u8(table, vandq_u8(codes.v, vdupq_n_u8(15)))};
  high = {vqtbl1q_u8(table, vshrq_n_u8(codes.v, 4))};
}

// Sums of pairs of products, up to four of them: they fit sixteen bits.
struct ProductSums {
  int16x8_t low = vdupq_n_s16(0), high = vdupq_n_s16(0);
  HADAL_INLINE void add(bytespart a, bytespart b) {
    const int8x16_t x = vreinterpretq_s8_u8(a.v), y = vreinterpretq_s8_u8(b.v);
    low = vmlal_s8(low, vget_low_s8(x), vget_low_s8(y));
    high = vmlal_high_s8(high, x, y);
  }
  HADAL_INLINE i32part lanes() const {
    return {vreinterpretq_u32_s32(vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)))};
  }
};
// acc + a . b, four bytes to a lane; a: below 25, b: signed.
HADAL_INLINE i32part dot_bytes(i32part acc, bytespart a, bytespart b) {
  ProductSums sums;
  sums.add(a, b);
  return acc + sums.lanes();
}
// Eight times sum[r] and the sum over i < 8 of w(r, i) . (256 high(i) + low(i)).
template <int NR, class W, class X>
HADAL_INLINE void dot_digits(i32part (&sum)[NR], const W& w, const X& high, const X& low) {
#pragma GCC unroll 4
  for (int r = 0; r < NR; ++r) {
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
      ProductSums upper, lower;
#pragma GCC unroll 4
      for (int j = i; j < i + 4; ++j) {
        upper.add(w(r, j), high(j));
        lower.add(w(r, j), low(j));
      }
      sum[r] = sum[r] + shift_left<8>(upper.lanes()) + lower.lanes();
    }
    sum[r] = shift_left<3>(sum[r]);
  }
}

// Crossed: lane 4i + m takes what is number 4m + i.
HADAL_INLINE f32x16 cross(f32x16 a) {
  float lanes[16];
  store(lanes, a);
  const float32x4x4_t out = vld4q_f32(lanes);
  return {out.val[0], out.val[1], out.val[2], out.val[3]};
}
// Lane 4i + m of a[j] takes word j of quarter i of a[m].
HADAL_INLINE void cross_words(bytespart (&a)[4]) {
  const auto at = [&](int m) HADAL_LAMBDA_INLINE { return vreinterpretq_u32_u8(a[m].v); };
  const auto wide = [](uint32x4_t x) HADAL_LAMBDA_INLINE { return vreinterpretq_u64_u32(x); };
  const uint64x2_t even01 = wide(vtrn1q_u32(at(0), at(1))), odd01 = wide(vtrn2q_u32(at(0), at(1)));
  const uint64x2_t even23 = wide(vtrn1q_u32(at(2), at(3))), odd23 = wide(vtrn2q_u32(at(2), at(3)));
  a[0] = {vreinterpretq_u8_u64(vtrn1q_u64(even01, even23))};
  a[1] = {vreinterpretq_u8_u64(vtrn1q_u64(odd01, odd23))};
  a[2] = {vreinterpretq_u8_u64(vtrn2q_u64(even01, even23))};
  a[3] = {vreinterpretq_u8_u64(vtrn2q_u64(odd01, odd23))};
}
// 2^(code - 127) of sixteen codes, 0 for a code of 0, crossed.
HADAL_INLINE f32x16 load_powers_crossed(const uint8_t* p) {
  alignas(16) constexpr uint8_t kOrder[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
  const uint8x16_t codes = vqtbl1q_u8(vld1q_u8(p), vld1q_u8(kOrder));
  const uint16x8_t low = vmovl_u8(vget_low_u8(codes)), high = vmovl_high_u8(codes);
  const auto quad = [](uint16x4_t exponents) HADAL_LAMBDA_INLINE {
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(exponents), 23));
  };
  return {quad(vget_low_u16(low)), quad(vget_high_u16(low)), quad(vget_low_u16(high)),
          quad(vget_high_u16(high))};
}

// Lane l takes p[l / 4].
HADAL_INLINE f32x16 spread_quads(const float* p) {
  return {vld1q_dup_f32(p), vld1q_dup_f32(p + 1), vld1q_dup_f32(p + 2), vld1q_dup_f32(p + 3)};
}
HADAL_INLINE float max_lanes(f32x16 a) {
  return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.q[0], a.q[1]), vmaxq_f32(a.q[2], a.q[3])));
}

// The tree of the canonical sum: l + (l+8), then +4, +2, +1.
HADAL_INLINE float32x4_t tree_quad(f32x16 a) {
  return vaddq_f32(vaddq_f32(a.q[0], a.q[2]), vaddq_f32(a.q[1], a.q[3]));
}
HADAL_INLINE float tree_sum(f32x16 a) {
  const float32x4_t c = tree_quad(a);
  return vpadds_f32(vadd_f32(vget_low_f32(c), vget_high_f32(c)));
}
// Lane i takes tree_sum(a[i]).
HADAL_INLINE f32x16 tree_sum16(const f32x16* a) {
  const auto two = [&](int i) HADAL_LAMBDA_INLINE {
    const float64x2_t x = vreinterpretq_f64_f32(tree_quad(a[i])),
                      y = vreinterpretq_f64_f32(tree_quad(a[i + 1]));
    return vaddq_f32(vreinterpretq_f32_f64(vtrn1q_f64(x, y)), vreinterpretq_f32_f64(vtrn2q_f64(x, y)));
  };
  HADAL_QUADS(f32x16, vpaddq_f32(two(4 * i), two(4 * i + 2)));
}

#undef HADAL_QUADS

}  // namespace
}  // namespace hadal::HADAL_ISA
