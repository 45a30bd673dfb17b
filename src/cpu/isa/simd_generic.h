// Sixteen fp32 lanes as an array, for any machine. Included once, by the table.cc of an ISA.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

struct i32x16 {
  uint32_t v[16];
};

struct alignas(64) f32x16 {
  float v[16];
  f32x16() = default;
  HADAL_INLINE explicit f32x16(float x) {
    for (float& lane : v) lane = x;
  }
};

// One rounding, without the instruction: the product is exact in double; the sum is rounded to odd there,
// which keeps what the second rounding needs.
HADAL_INLINE float fused(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  const double product = static_cast<double>(a) * static_cast<double>(b), addend = static_cast<double>(c);
  const double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);
  uint64_t word = __builtin_bit_cast(uint64_t, sum);
  // Comparisons are false for the NaN that infinities leave in `error`.
  const bool inexact = (error > 0.0) | (error < 0.0);
  const bool outward = (error > 0.0) == (sum > 0.0);
  const uint64_t step = outward ? uint64_t{1} : ~uint64_t{0};
  word += (inexact & ((word & 1) == 0)) ? step : uint64_t{0};
  return static_cast<float>(__builtin_bit_cast(double, word));
#endif
}

// The same where a * b has at most 24 significant bits, as of two bf16: then the sum in double, if it is not
// exact, is so close to the larger of two floats that rounding it again gives that one.
HADAL_INLINE float fused_short(float a, float b, float c) {
#if defined(__FP_FAST_FMAF)
  return __builtin_fmaf(a, b, c);
#else
  return static_cast<float>(static_cast<double>(a) * static_cast<double>(b) + static_cast<double>(c));
#endif
}

#define HADAL_LANES(expression)                       \
  f32x16 out;                                         \
  for (int i = 0; i < 16; ++i) out.v[i] = expression; \
  return out

HADAL_INLINE f32x16 operator+(const f32x16& a, const f32x16& b) {
  HADAL_LANES(a.v[i] + b.v[i]);
}
HADAL_INLINE f32x16 operator-(const f32x16& a, const f32x16& b) {
  HADAL_LANES(a.v[i] - b.v[i]);
}
HADAL_INLINE f32x16 operator*(const f32x16& a, const f32x16& b) {
  HADAL_LANES(a.v[i] * b.v[i]);
}
HADAL_INLINE f32x16 operator/(const f32x16& a, const f32x16& b) {
  HADAL_LANES(a.v[i] / b.v[i]);
}
HADAL_INLINE f32x16 fma(const f32x16& a, const f32x16& b, const f32x16& c) {
  HADAL_LANES(fused(a.v[i], b.v[i], c.v[i]));
}
HADAL_INLINE f32x16 fma_short(const f32x16& a, const f32x16& b, const f32x16& c) {
  HADAL_LANES(fused_short(a.v[i], b.v[i], c.v[i]));
}
HADAL_INLINE f32x16 sqrt(const f32x16& a) {
  HADAL_LANES(__builtin_sqrtf(a.v[i]));
}
// For |a| < 2^22, which math::exp keeps to.
HADAL_INLINE f32x16 round_even(const f32x16& a) {
  HADAL_LANES(__builtin_copysignf((a.v[i] + 0x1.8p23f) - 0x1.8p23f, a.v[i]));
}
HADAL_INLINE f32x16 exp2_int(const f32x16& a) {
  // A NaN has no integer; its lane is a NaN whatever stands here.
  HADAL_LANES(a.v[i] == a.v[i]
                  ? __builtin_bit_cast(float, static_cast<uint32_t>(static_cast<int32_t>(a.v[i]) + 127) << 23)
                  : 0.0f);
}
HADAL_INLINE f32x16 select_gt(const f32x16& a, const f32x16& b, const f32x16& x, const f32x16& y) {
  HADAL_LANES(a.v[i] > b.v[i] ? x.v[i] : y.v[i]);
}
// Bit l: lane l of a is above that of b.
HADAL_INLINE uint32_t mask_gt(const f32x16& a, const f32x16& b) {
  uint32_t mask = 0;
  for (int i = 0; i < 16; ++i) mask |= (a.v[i] > b.v[i] ? 1u : 0u) << i;
  return mask;
}
HADAL_INLINE f32x16 select_nan(const f32x16& a, const f32x16& x, const f32x16& y) {
  HADAL_LANES(a.v[i] == a.v[i] ? y.v[i] : x.v[i]);
}

HADAL_INLINE i32x16 bits(const f32x16& a) {
  return __builtin_bit_cast(i32x16, a);
}
HADAL_INLINE f32x16 as_float(const i32x16& a) {
  HADAL_LANES(__builtin_bit_cast(float, a.v[i]));
}
HADAL_INLINE i32x16 operator+(const i32x16& a, const i32x16& b) {
  i32x16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] + b.v[i];
  return out;
}
HADAL_INLINE i32x16 operator&(const i32x16& a, uint32_t b) {
  i32x16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] & b;
  return out;
}
HADAL_INLINE i32x16 operator|(const i32x16& a, const i32x16& b) {
  i32x16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] | b.v[i];
  return out;
}
HADAL_INLINE i32x16 splat(uint32_t x) {
  i32x16 out;
  for (uint32_t& lane : out.v) lane = x;
  return out;
}
template <int n>
HADAL_INLINE i32x16 shift_right(const i32x16& a) {
  i32x16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] >> n;
  return out;
}

template <int n>
HADAL_INLINE i32x16 shift_left(const i32x16& a) {
  i32x16 out;
  for (int i = 0; i < 16; ++i) out.v[i] = a.v[i] << n;
  return out;
}
// Of signed numbers.
HADAL_INLINE f32x16 to_float(const i32x16& a) {
  HADAL_LANES(static_cast<float>(static_cast<int32_t>(a.v[i])));
}

// The first n lanes, zeros in the others.
HADAL_INLINE f32x16 load_some(const float* p, int64_t n) {
  f32x16 out(0.0f);
  __builtin_memcpy(out.v, p, static_cast<size_t>(n) * sizeof(float));
  return out;
}
HADAL_INLINE void store_some(float* p, const f32x16& a, int64_t n) {
  __builtin_memcpy(p, a.v, static_cast<size_t>(n) * sizeof(float));
}
HADAL_INLINE f32x16 load(const float* p) {
  f32x16 out;
  __builtin_memcpy(out.v, p, sizeof out.v);
  return out;
}
HADAL_INLINE void store(float* p, const f32x16& a) {
  __builtin_memcpy(p, a.v, sizeof a.v);
}

HADAL_INLINE float widen_bf16(uint16_t x) {
  return __builtin_bit_cast(float, static_cast<uint32_t>(x) << 16);
}
HADAL_INLINE f32x16 load_bf16_some(const uint16_t* p, int64_t n) {
  f32x16 out(0.0f);
  for (int64_t i = 0; i < n; ++i) out.v[i] = widen_bf16(p[i]);
  return out;
}
HADAL_INLINE f32x16 load_bf16(const uint16_t* p) {
  HADAL_LANES(widen_bf16(p[i]));
}
// Upper halves of the lanes: for numbers that are bf16 already.
HADAL_INLINE void store_bf16_some(uint16_t* p, const f32x16& a, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = static_cast<uint16_t>(__builtin_bit_cast(uint32_t, a.v[i]) >> 16);
}
HADAL_INLINE void store_bf16(uint16_t* p, const f32x16& a) {
  store_bf16_some(p, a, 16);
}

// Lane l takes lane l ^ distance.
template <int distance>
HADAL_INLINE f32x16 swap_lanes(const f32x16& a) {
  HADAL_LANES(a.v[i ^ distance]);
}
HADAL_INLINE f32x16 repeat_even(const f32x16& a) {
  HADAL_LANES(a.v[i & ~1]);
}
HADAL_INLINE f32x16 repeat_odd(const f32x16& a) {
  HADAL_LANES(a.v[i | 1]);
}

// 32 consecutive numbers as their odd and their even elements.
HADAL_INLINE void load_pairs(const float* p, f32x16& odd, f32x16& even) {
  for (int i = 0; i < 16; ++i) {
    even.v[i] = p[2 * i];
    odd.v[i] = p[2 * i + 1];
  }
}
// The other way: odd and even elements as 32 consecutive numbers.
HADAL_INLINE void merge_pairs(const f32x16& odd, const f32x16& even, f32x16& first, f32x16& second) {
  for (int i = 0; i < 16; ++i) {
    first.v[i] = (i & 1) != 0 ? odd.v[i / 2] : even.v[i / 2];
    second.v[i] = (i & 1) != 0 ? odd.v[8 + i / 2] : even.v[8 + i / 2];
  }
}
HADAL_INLINE void load_pairs_bf16(const void* p, f32x16& odd, f32x16& even) {
  uint16_t x[32];
  __builtin_memcpy(x, p, sizeof x);
  for (int i = 0; i < 16; ++i) {
    even.v[i] = widen_bf16(x[2 * i]);
    odd.v[i] = widen_bf16(x[2 * i + 1]);
  }
}

struct E4m3Values {
  float value[256];
};
constexpr E4m3Values make_e4m3_values() {
  E4m3Values table{};
  for (int code = 0; code < 256; ++code) {
    const int exponent = (code >> 3) & 15, mantissa = code & 7;
    float value = static_cast<float>(exponent == 0 ? mantissa : 8 + mantissa) * 0x1p-9f;
    for (int i = 1; i < exponent; ++i) value *= 2.0f;
    if ((code & 0x7f) == 0x7f) value = __builtin_nanf("");
    table.value[code] = (code & 0x80) != 0 ? -value : value;
  }
  return table;
}
constexpr E4m3Values kE4m3 = make_e4m3_values();
constexpr float kE2m1[16] = {0.0f,  0.5f,  1.0f,  1.5f,  2.0f,  3.0f,  4.0f,  6.0f,
                             -0.0f, -0.5f, -1.0f, -1.5f, -2.0f, -3.0f, -4.0f, -6.0f};

// 64 codes in the order of the FP8 dot product.
HADAL_INLINE void decode_fp8(const uint8_t* p, f32x16 (&out)[4]) {
  for (int l = 0; l < 16; ++l) {
    const uint8_t* at = p + 16 * (l / 4) + 2 * (l % 4);
    out[0].v[l] = kE4m3.value[at[1]];
    out[1].v[l] = kE4m3.value[at[0]];
    out[2].v[l] = kE4m3.value[at[9]];
    out[3].v[l] = kE4m3.value[at[8]];
  }
}
// 32 codes as odd and even elements.
HADAL_INLINE void decode_fp8_pairs(const uint8_t* p, f32x16& odd, f32x16& even) {
  for (int l = 0; l < 16; ++l) {
    even.v[l] = kE4m3.value[p[2 * l]];
    odd.v[l] = kE4m3.value[p[2 * l + 1]];
  }
}

struct Fp4Table {
  float value[16];
};
HADAL_INLINE Fp4Table fp4_table(float scale) {
  Fp4Table table;
  for (int i = 0; i < 16; ++i) table.value[i] = kE2m1[i] * scale;
  return table;
}
HADAL_INLINE void decode_fp4(const uint8_t* p, const Fp4Table& table, f32x16& odd, f32x16& even) {
  for (int l = 0; l < 16; ++l) {
    even.v[l] = table.value[p[l] & 15];
    odd.v[l] = table.value[p[l] >> 4];
  }
}

// 64 bytes of e2m1, words of four codes each: vectors 2i and 2i + 1 take the codes i of all odd and even
// words.
HADAL_INLINE void decode_fp4_step(const uint8_t* p, f32x16 (&out)[8]) {
  for (int l = 0; l < 16; ++l)
    for (int b = 0; b < 4; ++b) {  // bytes 0 and 1: codes of the even word
      const uint8_t byte = p[4 * l + b];
      const int i = b % 2 * 4 + (b < 2 ? 1 : 0);
      out[i].v[l] = kE2m1[byte & 15];
      out[i + 2].v[l] = kE2m1[byte >> 4];
    }
}
// --- Bytes

struct bytespart {
  uint8_t v[64];
};
HADAL_INLINE bytespart load_bytes(const void* p, int) {
  bytespart out;
  __builtin_memcpy(out.v, p, sizeof out.v);
  return out;
}
HADAL_INLINE void store_bytes(void* p, int, const bytespart& x) {
  __builtin_memcpy(p, x.v, sizeof x.v);
}

// kFp4Multiples by the low and by the high nibbles of bytes.
HADAL_INLINE void fp4_multiples(const bytespart& codes, bytespart& low, bytespart& high) {
  for (int i = 0; i < 64; ++i) {
    low.v[i] = kFp4Multiples[codes.v[i] & 15];
    high.v[i] = kFp4Multiples[codes.v[i] >> 4];
  }
}

// acc + a . b, four bytes to a lane; a: below 25, b: signed.
HADAL_INLINE i32x16 dot_bytes(i32x16 acc, const bytespart& a, const bytespart& b) {
  for (int l = 0; l < 16; ++l)
    for (int j = 4 * l; j < 4 * l + 4; ++j)
      acc.v[l] += static_cast<uint32_t>(a.v[j] * static_cast<int8_t>(b.v[j]));
  return acc;
}
// Eight times sum[r] and the sum over i < 8 of w(r, i) . (256 high(i) + low(i)).
template <int NR, class W, class X>
HADAL_INLINE void dot_digits(i32x16 (&sum)[NR], const W& w, const X& high, const X& low) {
  for (int r = 0; r < NR; ++r) {
    i32x16 upper = splat(0);
    for (int i = 0; i < 8; ++i) {
      upper = dot_bytes(upper, w(r, i), high(i));
      sum[r] = dot_bytes(sum[r], w(r, i), low(i));
    }
    sum[r] = shift_left<3>(shift_left<8>(upper) + sum[r]);
  }
}

// Crossed: lane 4i + m takes what is number 4m + i.
HADAL_INLINE f32x16 cross(const f32x16& a) {
  HADAL_LANES(a.v[i % 4 * 4 + i / 4]);
}
// Lane 4i + m of a[j] takes word j of quarter i of a[m].
HADAL_INLINE void cross_words(bytespart (&a)[4]) {
  const bytespart from[4] = {a[0], a[1], a[2], a[3]};
  for (int j = 0; j < 4; ++j)
    for (int l = 0; l < 16; ++l) __builtin_memcpy(a[j].v + 4 * l, from[l % 4].v + l / 4 * 16 + 4 * j, 4);
}
// 2^(code - 127) of sixteen codes, 0 for a code of 0, crossed.
HADAL_INLINE f32x16 load_powers_crossed(const uint8_t* p) {
  HADAL_LANES(__builtin_bit_cast(float, static_cast<uint32_t>(p[i % 4 * 4 + i / 4]) << 23));
}
HADAL_INLINE i32x16 load_words(const int32_t* p, int) {
  i32x16 out;
  __builtin_memcpy(out.v, p, sizeof out.v);
  return out;
}

// Lane l takes p[l / 4].
HADAL_INLINE f32x16 spread_quads(const float* p) {
  HADAL_LANES(p[i / 4]);
}
HADAL_INLINE float max_lanes(const f32x16& a) {
  float top = a.v[0];
  for (int i = 1; i < 16; ++i) top = a.v[i] > top ? a.v[i] : top;
  return top;
}

// The tree of the canonical sum: l + (l+8), then +4, +2, +1.
HADAL_INLINE float tree_sum(const f32x16& a) {
  float b[8];
  for (int i = 0; i < 8; ++i) b[i] = a.v[i] + a.v[i + 8];
  for (int i = 0; i < 4; ++i) b[i] = b[i] + b[i + 4];
  return (b[0] + b[2]) + (b[1] + b[3]);
}
HADAL_INLINE f32x16 tree_sum16(const f32x16* a) {
  HADAL_LANES(tree_sum(a[i]));
}

#undef HADAL_LANES

}  // namespace
}  // namespace hadal::HADAL_ISA

#include "cpu/isa/simd_whole.h"
