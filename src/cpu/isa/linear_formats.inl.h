// Weight formats as the canonical dot product (docs/numerics.md) takes them.
//
// A policy says what a 64-byte vector is: Lanes, sixteen floats, or Pairs, sixteen pairs of bf16. A decoder
// turns one step of a weight row into such vectors, in the order of its format.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int64_t kVecBytes = 64;

struct Lanes {
  using Decoding = Lanes;  // whose decoders it uses
  static constexpr int64_t kElements = 16;
  using Vec = f32x16;
  static HADAL_INLINE Vec load(const std::byte* p) {
    return HADAL_ISA::load(reinterpret_cast<const float*>(p));
  }
  static HADAL_INLINE void store(std::byte* p, Vec v) { HADAL_ISA::store(reinterpret_cast<float*>(p), v); }
  template <class V>  // f32x16 or f32part
  static HADAL_INLINE V mac(V acc, V x, V w) {
    return fma(x, w, acc);
  }
  using Part = f32part;
  static HADAL_INLINE Part load_part(const std::byte* p, int part) {
    return HADAL_ISA::load_part(reinterpret_cast<const float*>(p), part);
  }
  // 32 elements: one vector of the odd ones, one of the even.
  static constexpr int64_t kPairVecs = 2;
  static HADAL_INLINE void split(f32x16 odd, f32x16 even, Vec* out) {
    out[0] = odd;
    out[1] = even;
  }
};

#if HADAL_SHORT_FMA
// Lanes whose numbers are bf16.
struct ShortLanes : Lanes {
  static HADAL_INLINE f32x16 mac(f32x16 acc, Vec x, Vec w) { return fma_short(x, w, acc); }
};
#endif

#if HADAL_BF16_DOT
struct Pairs {
  using Decoding = Pairs;
  static constexpr int64_t kElements = 32;
  using Vec = bf16x32;
  static HADAL_INLINE Vec load(const std::byte* p) { return load_bf16x32(p); }
  static HADAL_INLINE void store(std::byte* p, Vec v) { HADAL_ISA::store(static_cast<void*>(p), v); }
  static HADAL_INLINE f32x16 mac(f32x16 acc, Vec x, Vec w) { return dot(acc, x, w); }
  using Part = Vec;
  static HADAL_INLINE Part load_part(const std::byte* p, int) { return load(p); }
  static constexpr int64_t kPairVecs = 1;
  static HADAL_INLINE void split(f32x16 odd, f32x16 even, Vec* out) { out[0] = join_pairs(odd, even); }
};
#endif

HADAL_INLINE float e8m0(uint32_t code) {
  // 2^-127 counts as the zero that DAZ makes of it.
  return code == 255 ? __builtin_nanf("") : __builtin_bit_cast(float, code << 23);
}

// The code that changes nothing.
constexpr uint8_t kScaleOfOne = 127;

// kStep elements in kBytes bytes give kVecs vectors, scales left out.
template <class P, KernelFormat format>
struct Decoder;

template <>
struct Decoder<Lanes, KernelFormat::kF32> {
  static constexpr int64_t kStep = 16, kBytes = 64, kVecs = 1;
  static HADAL_INLINE void decode(const uint8_t* p, f32x16 (&out)[1]) {
    out[0] = load(reinterpret_cast<const float*>(p));
  }
};
template <>
struct Decoder<Lanes, KernelFormat::kBF16> {
  static constexpr int64_t kStep = 32, kBytes = 64, kVecs = 2;
  static HADAL_INLINE void decode(const uint8_t* p, f32x16 (&out)[2]) { load_pairs_bf16(p, out[0], out[1]); }
};
template <>
struct Decoder<Lanes, KernelFormat::kFP8> {
  static constexpr int64_t kStep = 64, kBytes = 64, kVecs = 4;
  static HADAL_INLINE void decode(const uint8_t* p, f32x16 (&out)[4]) { decode_fp8(p, out); }
};
template <>
struct Decoder<Lanes, KernelFormat::kFP4> {
  static constexpr int64_t kStep = 128, kBytes = 64, kVecs = 8;
  static HADAL_INLINE void decode(const uint8_t* p, f32x16 (&out)[8]) { decode_fp4_step(p, out); }
};
#if HADAL_BF16_DOT
template <>
struct Decoder<Pairs, KernelFormat::kBF16> {
  static constexpr int64_t kStep = 32, kBytes = 64, kVecs = 1;
  static HADAL_INLINE void decode(const uint8_t* p, bf16x32 (&out)[1]) { out[0] = load_bf16x32(p); }
};
template <>
struct Decoder<Pairs, KernelFormat::kFP8> {
  static constexpr int64_t kStep = 64, kBytes = 64, kVecs = 2;
  static HADAL_INLINE void decode(const uint8_t* p, bf16x32 (&out)[2]) { decode_fp8(p, out); }
};
#endif

constexpr bool is_scaled(KernelFormat format) {
  return format == KernelFormat::kFP8 || format == KernelFormat::kFP4;
}
constexpr int64_t kFp8Block = 128;
constexpr int64_t scale_block(KernelFormat format) {
  return format == KernelFormat::kFP8 ? kFp8Block : 32;
}
// Whether numbers of the format, but for zeros and NaNs, are normal when they are multiplied by such a scale.
constexpr bool normal_scale(KernelFormat format, uint8_t code) {
  return format == KernelFormat::kFP8 ? code >= 10 && code <= 246 : code >= 2 && code <= 252;
}

// The scales of the blocks that a step lies in, lane by lane: four of FP4, a half of one of FP8.
template <KernelFormat format>
HADAL_INLINE f32x16 step_scale(const float* scales) {
  if constexpr (format == KernelFormat::kFP8) return f32x16(*scales);
  return spread_quads(scales);
}

// Numbers times powers of two. `normal`: the results are normal numbers, zeros or NaNs.
template <size_t n>
HADAL_INLINE void scale_vectors(f32x16 (&out)[n], f32x16 scale, bool) {
#pragma GCC unroll 8
  for (size_t i = 0; i < n; ++i) out[i] = out[i] * scale;
}
#if HADAL_BF16_DOT
template <size_t n>
HADAL_INLINE void scale_vectors(bf16x32 (&out)[n], f32x16 scale, bool normal) {
  if (normal) {
    // The scale's exponent less that of one, as an addend to both numbers of a pair.
    const i32x16 upper = bits(scale) + splat(0u - (127u << 23));
    const i32x16 addend = upper | shift_right<16>(upper);
#pragma GCC unroll 4
    for (size_t i = 0; i < n; ++i) out[i] = add_exponents(out[i], addend);
    return;
  }
#pragma GCC unroll 4
  for (size_t i = 0; i < n; ++i) {
    f32x16 odd, even;
    split_pairs(out[i], odd, even);
    out[i] = join_pairs(odd * scale, even * scale);
  }
}
#endif

// Into the L2 cache: what is fetched into L1 occupies the few buffers of its misses, which on some machines
// costs a quarter of the memory's speed.
HADAL_INLINE void fetch_weights(const uint8_t* p) {
  __builtin_prefetch(p, 0, 2);
}

// Rows in flight lie in pages of their own: a hardware prefetcher follows one stream a page. Returns how many
// rows to leave between them.
HADAL_INLINE int64_t rows_apart(const LinearTile& tile, int in_flight) {
  constexpr int64_t kPage = 4096, kMost = 4;
  int64_t apart = 1;
  while (apart < kMost && apart * tile.row_stride < kPage && 2 * apart * in_flight <= tile.rows) apart *= 2;
  return apart;
}

}  // namespace
}  // namespace hadal::HADAL_ISA
