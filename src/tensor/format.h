// Scalar encode and decode of the number formats of spec/model.md section 9: the truth that every kernel is
// tested against. Header-only, branch-light, no state.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace hadal {

// bfloat16 bits. A struct, so that it cannot be mistaken for an integer.
struct bf16 {
  uint16_t bits = 0;
  friend bool operator==(bf16, bf16) = default;
};

inline float to_float(bf16 x) {
  return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16);
}
inline float to_float(float x) {
  return x;
}

// Round to nearest even; a NaN stays a NaN (quiet, its sign kept).
inline bf16 to_bf16(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bf16{static_cast<uint16_t>((bits >> 16) | 0x40u)};
  return bf16{static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}
inline float round_bf16(float x) {
  return to_float(to_bf16(x));
}

// e4m3 ("e4m3fn"): 1-4-3, bias 7, largest 448, 0x7f and 0xff are NaN, no infinity.
inline float decode_e4m3(uint8_t code) {
  const int exponent = (code >> 3) & 15, mantissa = code & 7;
  float value;
  if ((code & 0x7f) == 0x7f)
    value = std::numeric_limits<float>::quiet_NaN();
  else if (exponent == 0)
    value = static_cast<float>(mantissa) * 0x1p-9f;
  else
    value = std::ldexp(1.0f + static_cast<float>(mantissa) * 0.125f, exponent - 7);
  return (code & 0x80) ? -value : value;
}

// Round to nearest even after clamping to +-448; NaN gives NaN (0x7f).
inline uint8_t encode_e4m3(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint8_t sign = static_cast<uint8_t>((bits >> 24) & 0x80u);
  float magnitude = std::bit_cast<float>(bits & 0x7fffffffu);
  if (!(magnitude <= 448.0f)) return magnitude > 448.0f ? static_cast<uint8_t>(sign | 0x7e) : uint8_t{0x7f};
  if (magnitude <
      0x1p-6f) {  // subnormal: steps of 2^-9. Adding 1.5 * 2^14 leaves the rounded count in the low bits.
    const float shifted = magnitude + 0x1.8p14f;
    return static_cast<uint8_t>(sign | (std::bit_cast<uint32_t>(shifted) & 15u));
  }
  uint32_t m = std::bit_cast<uint32_t>(magnitude);
  m += 0x0007ffffu + ((m >> 20) & 1u);  // keep three mantissa bits
  return static_cast<uint8_t>(sign | (((m >> 20) - ((127u - 7u) << 3)) & 0x7fu));
}

// e8m0: 2^(byte - 127); 255 is NaN.
inline float decode_e8m0(uint8_t code) {
  if (code == 255) return std::numeric_limits<float>::quiet_NaN();
  if (code == 0) return 0x1p-127f;
  return std::bit_cast<float>(static_cast<uint32_t>(code) << 23);
}

// e2m1: magnitudes 0 0.5 1 1.5 2 3 4 6, bit 3 is the sign.
inline float decode_e2m1(uint8_t code) {
  constexpr float kMagnitude[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};
  const float value = kMagnitude[code & 7];
  return (code & 8) ? -value : value;
}

// Round to nearest, ties to the even code, after clamping to +-6. NaN becomes +6 (there is no NaN to store).
inline uint8_t encode_e2m1(float x) {
  const uint8_t sign = std::signbit(x) && x == x ? 8 : 0;
  const float magnitude = std::fabs(x);
  uint8_t code = 7;
  if (magnitude <= 0.25f)
    code = 0;
  else if (magnitude < 0.75f)
    code = 1;
  else if (magnitude <= 1.25f)
    code = 2;
  else if (magnitude < 1.75f)
    code = 3;
  else if (magnitude <= 2.5f)
    code = 4;
  else if (magnitude < 3.5f)
    code = 5;
  else if (magnitude <= 5.0f)
    code = 6;
  return static_cast<uint8_t>(sign | code);
}

// The smallest power of two >= v, for v > 0 (spec/model.md section 9.2). Not below 2^-126; infinity and NaN
// pass through.
inline float pow2ceil(float v) {
  const uint32_t bits = std::bit_cast<uint32_t>(v);
  const uint32_t exponent = bits >> 23;
  if (exponent >= 255) return v;
  const uint32_t up = exponent + ((bits & 0x7fffffu) != 0 ? 1u : 0u);
  return std::bit_cast<float>((up == 0 ? 1u : up) << 23);
}

}  // namespace hadal
