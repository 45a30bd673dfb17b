// Elementary functions as explicit FMA polynomials: the same constants in the same order on every ISA, no
// libm.
//
// Templated on the number type V: F1 (one float, below) here and in ReferenceOps, sixteen lanes in
// src/cpu/isa. A type V gives V(float) for a constant, + - * /, and the free functions fma(a, b, c), sqrt(a),
// round_even(a) (nearest integer, ties to even), exp2_int(a) (2^a for an integer a in [-126, 127]) and
// select_gt(a, b, x, y) (a > b ? x : y, so y where a or b is NaN). All run with denormals flushed
// (base/float_mode.h).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#define HADAL_INLINE inline __attribute__((always_inline))

namespace hadal {

// One float as a number type.
struct F1 {
  float v;
  HADAL_INLINE F1(float x) : v(x) {}  // NOLINT: a constant is a number
};
HADAL_INLINE F1 operator+(F1 a, F1 b) {
  return {a.v + b.v};
}
HADAL_INLINE F1 operator-(F1 a, F1 b) {
  return {a.v - b.v};
}
HADAL_INLINE F1 operator*(F1 a, F1 b) {
  return {a.v * b.v};
}
HADAL_INLINE F1 operator/(F1 a, F1 b) {
  return {a.v / b.v};
}
HADAL_INLINE F1 fma(F1 a, F1 b, F1 c) {
  return {std::fma(a.v, b.v, c.v)};
}
HADAL_INLINE F1 sqrt(F1 a) {
  return {std::sqrt(a.v)};
}
HADAL_INLINE F1 round_even(F1 a) {
  return {std::nearbyint(a.v)};
}
HADAL_INLINE F1 exp2_int(F1 a) {
  return {std::bit_cast<float>(static_cast<uint32_t>(static_cast<int32_t>(a.v) + 127) << 23)};
}
HADAL_INLINE F1 select_gt(F1 a, F1 b, F1 x, F1 y) {
  return a.v > b.v ? x : y;
}

namespace math {

// e^x within 1 ulp; 0 below -87.3 (the result would be denormal), infinity above 88.72, NaN for NaN.
template <class V>
HADAL_INLINE V exp(V x) {
  const V low(-87.33654f), high(88.72283f);
  // Clamped first (a NaN to the low end), so that the integer part is one; the selects at the end put the
  // limits and the NaN back.
  V c = select_gt(x, low, x, low);
  c = select_gt(c, high, high, c);
  const V n = round_even(c * V(1.44269504f));
  V r = fma(n, V(-0.693359375f), c);  // ln 2 in two parts; n * 0.693359375 is exact
  r = fma(n, V(2.12194440e-4f), r);
  V p(1.98412698e-4f);  // 1/5040
  p = fma(p, r, V(1.38888889e-3f));
  p = fma(p, r, V(8.33333333e-3f));
  p = fma(p, r, V(4.16666667e-2f));
  p = fma(p, r, V(1.66666667e-1f));
  p = fma(p, r, V(0.5f));
  p = fma(p, r * r, r) + V(1.0f);
  // 2^n in two factors: n may be 128.
  const V half = round_even(n * V(0.5f));
  const V y = p * exp2_int(half) * exp2_int(n - half);
  return select_gt(x, high, V(__builtin_inff()), select_gt(low, x, V(0.0f), y * (x - x + V(1.0f))));
}

template <class V>
HADAL_INLINE V sigmoid(V x) {
  return V(1.0f) / (V(1.0f) + exp(V(0.0f) - x));
}

// x * sigmoid(x), as z / (1 + e^-z).
template <class V>
HADAL_INLINE V silu(V x) {
  return x / (V(1.0f) + exp(V(0.0f) - x));
}

// log(1 + u) for u in [0, 1]: 2 atanh(s), s = u / (2 + u).
template <class V>
HADAL_INLINE V log1p_unit(V u) {
  const V s = u / (u + V(2.0f));
  const V q = s * s;
  V p(0.0588235294f);  // 1/17
  p = fma(p, q, V(0.0666666667f));
  p = fma(p, q, V(0.0769230769f));
  p = fma(p, q, V(0.0909090909f));
  p = fma(p, q, V(0.111111111f));
  p = fma(p, q, V(0.142857143f));
  p = fma(p, q, V(0.2f));
  p = fma(p, q, V(0.333333333f));
  const V twice = s + s;
  return fma(twice * q, p, twice);
}

// log(1 + e^x), x itself above 20 (section 7.1).
template <class V>
HADAL_INLINE V softplus(V x) {
  const V zero(0.0f);
  const V magnitude = select_gt(zero, x, zero - x, x);
  const V tail = log1p_unit(exp(zero - magnitude));
  return select_gt(x, V(20.0f), x, select_gt(x, zero, x, zero) + tail);
}

template <class V>
HADAL_INLINE V sqrt_softplus(V x) {
  return sqrt(softplus(x));
}

}  // namespace math
}  // namespace hadal
