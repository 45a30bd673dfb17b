// Kernels over one row of activations: conversions, norms, RoPE, roundings, elementwise sums.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int64_t kLanes = 16;

// --- Rounding and access by type
// -------------------------------------------------------------------------------------

// To the nearest bf16, ties to even, as a float; a NaN stays one. Integer steps: denormals are rounded, not
// flushed.
HADAL_INLINE f32x16 round_bf16(f32x16 a) {
  const i32x16 word = bits(a);
  const i32x16 rounded = word + splat(0x7fff) + (shift_right<16>(word) & 1u);
  return as_float(bits(select_nan(a, as_float(word | splat(0x00400000)), as_float(rounded))) & 0xffff0000u);
}
HADAL_INLINE float round_bf16_scalar(float a) {
  const uint32_t word = __builtin_bit_cast(uint32_t, a);
  const uint32_t rounded = a == a ? word + 0x7fff + ((word >> 16) & 1) : word | 0x00400000;
  return __builtin_bit_cast(float, rounded & 0xffff0000u);
}

HADAL_INLINE f32x16 load_at(ConstRow row, int64_t i) {
  return row.bf16 ? load_bf16(reinterpret_cast<const uint16_t*>(row.data) + i)
                  : load(reinterpret_cast<const float*>(row.data) + i);
}
HADAL_INLINE f32x16 load_at(ConstRow row, int64_t i, int64_t n) {
  if (n >= kLanes) return load_at(row, i);
  return row.bf16 ? load_bf16_some(reinterpret_cast<const uint16_t*>(row.data) + i, n)
                  : load_some(reinterpret_cast<const float*>(row.data) + i, n);
}
// Rounds to the type of the row; n: how many elements are left.
HADAL_INLINE void store_at(MutRow row, int64_t i, f32x16 a, int64_t n) {
  if (row.bf16) {
    const f32x16 rounded = round_bf16(a);
    uint16_t* p = reinterpret_cast<uint16_t*>(row.data) + i;
    n >= kLanes ? store_bf16(p, rounded) : store_bf16_some(p, rounded, n);
  } else {
    float* p = reinterpret_cast<float*>(row.data) + i;
    n >= kLanes ? store(p, a) : store_some(p, a, n);
  }
}
HADAL_INLINE ConstRow readable(MutRow row) {
  return {row.data, row.bf16};
}

HADAL_INLINE f32x16 magnitude(f32x16 a) {
  return as_float(bits(a) & 0x7fffffffu);
}
HADAL_INLINE f32x16 with_sign_of(f32x16 value, f32x16 sign) {
  return as_float(bits(value) | (bits(sign) & 0x80000000u));
}

// --- Conversions and elementwise
// -------------------------------------------------------------------------------------

void convert(MutRow out, ConstRow x, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) store_at(out, i, load_at(x, i, n - i), n - i);
}

void scale_row(MutRow x, int64_t n, float factor) {
  const f32x16 f(factor);
  for (int64_t i = 0; i < n; i += kLanes) store_at(x, i, load_at(readable(x), i, n - i) * f, n - i);
}

void add_rows(MutRow out, ConstRow a, ConstRow b, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes)
    store_at(out, i, load_at(a, i, n - i) + load_at(b, i, n - i), n - i);
}

void accumulate(float* acc, const float* x, int64_t n, bool round) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const ConstRow from{reinterpret_cast<const std::byte*>(x), false},
        to{reinterpret_cast<std::byte*>(acc), false};
    const f32x16 value = load_at(from, i, n - i);
    store_at({reinterpret_cast<std::byte*>(acc), false}, i,
             load_at(to, i, n - i) + (round ? round_bf16(value) : value), n - i);
  }
}

void sqrt_softplus_row(float* out, const float* x, int64_t n) {
  const ConstRow from{reinterpret_cast<const std::byte*>(x), false};
  for (int64_t i = 0; i < n; i += kLanes)
    store_at({reinterpret_cast<std::byte*>(out), false}, i, math::sqrt_softplus(load_at(from, i, n - i)),
             n - i);
}

// --- Norms
// -----------------------------------------------------------------------------------------------------------

float sum_squares(ConstRow x, int64_t n) {
  f32x16 lanes(0.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const f32x16 v = load_at(x, i, n - i);
    lanes = fma(v, v, lanes);
  }
  return tree_sum(lanes);
}

void rms_norm(MutRow out, ConstRow x, ConstRow gain, int64_t n, float eps) {
  const f32x16 inverse(1.0f / __builtin_sqrtf(sum_squares(x, n) / static_cast<float>(n) + eps));
  for (int64_t i = 0; i < n; i += kLanes)
    store_at(out, i, load_at(gain, i, n - i) * (load_at(x, i, n - i) * inverse), n - i);
}

void head_norm(MutRow x, int64_t n, float eps) {
  const float count = static_cast<float>(n);
  float inverse;
  if (x.bf16) {
    f32x16 lanes(0.0f);
    for (int64_t i = 0; i < n; i += kLanes) {
      const f32x16 v = load_at(readable(x), i, n - i);
      lanes = lanes + round_bf16(v * v);
    }
    const float mean = round_bf16_scalar(round_bf16_scalar(tree_sum(lanes) / count) + eps);
    inverse = round_bf16_scalar(1.0f / __builtin_sqrtf(mean));
  } else {
    inverse = 1.0f / __builtin_sqrtf(sum_squares(readable(x), n) / count + eps);
  }
  scale_row(x, n, inverse);
}

// --- RoPE and Hadamard
// -----------------------------------------------------------------------------------------------

// Lanes as in memory: u, v, u, v, ...; angles c, s, c, s, ....
void rope(MutRow x, int64_t n, const float* angles, int64_t pairs, bool inverse) {
  const int64_t values = 2 * pairs, first = n - values;
  // -s for the even lanes forward, for the odd lanes inverse.
  alignas(64) float sign[16];
  for (int i = 0; i < 16; ++i) sign[i] = ((i & 1) == 0) != inverse ? -0.0f : 0.0f;
  const i32x16 flip = bits(load(sign));
  const ConstRow table{reinterpret_cast<const std::byte*>(angles), false};
  for (int64_t i = 0; i < values; i += kLanes) {
    const f32x16 v = load_at(readable(x), first + i, values - i), cs = load_at(table, i, values - i);
    const i32x16 sine = bits(repeat_odd(cs));
    // Exclusive or by addition: the flipped bit is the highest.
    const f32x16 signed_sine = as_float(sine + flip);
    store_at(x, first + i, v * repeat_even(cs) + swap_lanes<1>(v) * signed_sine, values - i);
  }
}

template <int stride>
HADAL_INLINE f32x16 butterfly(f32x16 v) {
  alignas(64) float sign[16];
  for (int i = 0; i < 16; ++i) sign[i] = (i & stride) != 0 ? -0.0f : 0.0f;
  return swap_lanes<stride>(v) + as_float(bits(v) + bits(load(sign)));
}

void hadamard(MutRow x, int64_t n, float factor, float* scratch) {
  for (int64_t i = 0; i < n; i += kLanes) {
    f32x16 v = load_at(readable(x), i, n - i);
    if (n > 1) v = butterfly<1>(v);
    if (n > 2) v = butterfly<2>(v);
    if (n > 4) v = butterfly<4>(v);
    if (n > 8) v = butterfly<8>(v);
    store(scratch + i, v);
  }
  for (int64_t stride = kLanes; stride < n; stride *= 2)
    for (int64_t block = 0; block < n; block += 2 * stride)
      for (int64_t i = block; i < block + stride; i += kLanes) {
        const f32x16 a = load(scratch + i), b = load(scratch + i + stride);
        store(scratch + i, a + b);
        store(scratch + i + stride, a - b);
      }
  const f32x16 f(factor);
  for (int64_t i = 0; i < n; i += kLanes) store_at(x, i, load(scratch + i) * f, n - i);
}

// --- Rounding to a quantised grid
// ------------------------------------------------------------------------------------

// The smallest power of two >= v > 0, not below 2^-126; infinity and NaN pass.
HADAL_INLINE float power_of_two_above(float v) {
  const uint32_t word = __builtin_bit_cast(uint32_t, v), exponent = word >> 23;
  if (exponent >= 255) return v;
  const uint32_t up = exponent + ((word & 0x7fffffu) != 0 ? 1u : 0u);
  return __builtin_bit_cast(float, (up == 0 ? 1u : up) << 23);
}

// To e4m3 and back: to nearest even in three mantissa bits, in steps of 2^-9 below 2^-6.
HADAL_INLINE f32x16 round_e4m3(f32x16 x) {
  f32x16 m = magnitude(x);
  m = select_gt(m, f32x16(448.0f), f32x16(448.0f), m);
  const i32x16 word = bits(m);
  const f32x16 normal = as_float((word + splat(0x7ffff) + (shift_right<20>(word) & 1u)) & 0xfff00000u);
  const f32x16 shift(0x1.8p14f), subnormal = (m + shift) - shift;
  const f32x16 value = select_gt(f32x16(0x1p-6f), m, subnormal, normal);
  return with_sign_of(select_nan(x, x, value), x);
}

// To e2m1 and back, ties to the even code; a NaN becomes 6.
HADAL_INLINE f32x16 round_e2m1(f32x16 x) {
  f32x16 m = magnitude(x);
  m = select_gt(f32x16(6.0f), m, m, f32x16(6.0f));
  const i32x16 word = bits(m);
  const f32x16 normal = as_float((word + splat(0x1fffff) + (shift_right<22>(word) & 1u)) & 0xffc00000u);
  const f32x16 shift(0x1.8p22f), subnormal = (m + shift) - shift;  // steps of a half
  const f32x16 value = select_gt(f32x16(1.0f), m, subnormal, normal);
  return select_nan(x, value, with_sign_of(value, x));
}

template <KernelQuant quant>
HADAL_INLINE void fake_quant_row(MutRow out, ConstRow x, int64_t n) {
  constexpr bool kFp4 = quant == KernelQuant::kFp4Block32;
  constexpr int64_t kBlock = kFp4 ? 32 : quant == KernelQuant::kFp8Block64 ? 64 : 128;
  for (int64_t from = 0; from < n; from += kBlock) {
    const int64_t to = from + kBlock < n ? from + kBlock : n;
    f32x16 top(kFp4 ? 6 * 0x1p-126f : 1e-4f);
    for (int64_t i = from; i < to; i += kLanes) {
      const f32x16 m = magnitude(load_at(x, i, to - i));
      top = select_gt(m, top, m, top);
    }
    const float scale = power_of_two_above(max_lanes(top) * (kFp4 ? 1.0f / 6.0f : 1.0f / 448.0f));
    const f32x16 forward(1.0f / scale), back(scale);
    for (int64_t i = from; i < to; i += kLanes) {
      const f32x16 y = load_at(x, i, to - i) * forward;
      store_at(out, i, (kFp4 ? round_e2m1(y) : round_e4m3(y)) * back, to - i);
    }
  }
}

void fake_quant(MutRow out, ConstRow x, int64_t n, KernelQuant quant) {
  switch (quant) {
    case KernelQuant::kFp8Block128:
      return fake_quant_row<KernelQuant::kFp8Block128>(out, x, n);
    case KernelQuant::kFp8Block64:
      return fake_quant_row<KernelQuant::kFp8Block64>(out, x, n);
    case KernelQuant::kFp4Block32:
      return fake_quant_row<KernelQuant::kFp4Block32>(out, x, n);
  }
}

// --- Experts
// ---------------------------------------------------------------------------------------------------------

void swiglu(const SwigluTile& t) {
  const f32x16 limit(t.limit), low(-t.limit), weight(t.weight != nullptr ? *t.weight : 1.0f);
  const ConstRow gates{reinterpret_cast<const std::byte*>(t.gate), false};
  const ConstRow ups{reinterpret_cast<const std::byte*>(t.up), false};
  for (int64_t i = 0; i < t.n; i += kLanes) {
    f32x16 gate = load_at(gates, i, t.n - i), up = load_at(ups, i, t.n - i);
    if (t.out.bf16) {
      gate = round_bf16(gate);
      up = round_bf16(up);
    }
    gate = select_gt(gate, limit, limit, gate);
    up = select_gt(up, limit, limit, up);
    up = select_gt(low, up, low, up);
    f32x16 a = math::silu(gate) * up;
    if (t.weight != nullptr) a = weight * a;
    store_at(t.out, i, a, t.n - i);
  }
}

}  // namespace
}  // namespace hadal::HADAL_ISA
