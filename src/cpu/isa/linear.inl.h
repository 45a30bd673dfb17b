// The canonical dot product (docs/numerics.md) over prepared activations and weights as stored.
//
// A policy says what a 64-byte vector is: Lanes, sixteen floats, or Pairs, sixteen pairs of bf16. A decoder
// turns one step of a weight row into such vectors, in the order of its format. Two kernels use them: `few`
// decodes in registers and multiplies at once, several rows in flight; `many` decodes a panel of rows per
// block of K into the L1 cache and multiplies it with tiles of tokens. Both make the same chain of
// multiply-adds per output lane, so which one ran cannot be seen in the result.
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
  static HADAL_INLINE f32x16 mac(f32x16 acc, Vec x, Vec w) { return fma(x, w, acc); }
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
  static constexpr int64_t kPairVecs = 1;
  static HADAL_INLINE void split(f32x16 odd, f32x16 even, Vec* out) { out[0] = join_pairs(odd, even); }
};
#endif

HADAL_INLINE float e8m0(uint32_t code) {
  // 2^-127 counts as the zero that DAZ makes of it.
  return code == 255 ? __builtin_nanf("") : __builtin_bit_cast(float, code << 23);
}

// kStep elements in kBytes bytes give kVecs vectors.
template <class P, KernelFormat format>
struct Decoder;

template <>
struct Decoder<Lanes, KernelFormat::kF32> {
  static constexpr int64_t kStep = 16, kBytes = 64, kVecs = 1;
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t, f32x16* out) {
    out[0] = load(reinterpret_cast<const float*>(p));
  }
};
template <>
struct Decoder<Lanes, KernelFormat::kBF16> {
  static constexpr int64_t kStep = 32, kBytes = 64, kVecs = 2;
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t, f32x16* out) {
    load_pairs_bf16(p, out[0], out[1]);
  }
};
template <>
struct Decoder<Lanes, KernelFormat::kFP8> {
  static constexpr int64_t kStep = 64, kBytes = 64, kVecs = 4;
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t, f32x16* out) {
    f32x16 v[4];
    decode_fp8(p, v);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) out[i] = v[i];
  }
};
template <>
struct Decoder<Lanes, KernelFormat::kFP4> {
  static constexpr int64_t kStep = 32, kBytes = 16, kVecs = 2;
  static uint32_t widen_scale(uint8_t code) { return __builtin_bit_cast(uint32_t, e8m0(code)); }
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t scale, f32x16* out) {
    decode_fp4(p, fp4_table(__builtin_bit_cast(float, scale)), out[0], out[1]);
  }
};
#if HADAL_BF16_DOT
template <>
struct Decoder<Pairs, KernelFormat::kBF16> {
  static constexpr int64_t kStep = 32, kBytes = 64, kVecs = 1;
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t, bf16x32* out) { out[0] = load_bf16x32(p); }
};
template <>
struct Decoder<Pairs, KernelFormat::kFP8> {
  static constexpr int64_t kStep = 64, kBytes = 64, kVecs = 2;
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t, bf16x32* out) {
    bf16x32 v[2];
    decode_fp8(p, v);
    out[0] = v[0];
    out[1] = v[1];
  }
};
template <>
struct Decoder<Pairs, KernelFormat::kFP4> {
  static constexpr int64_t kStep = 32, kBytes = 16, kVecs = 1;
  static uint32_t widen_scale(uint8_t code) {
    const uint32_t addend = static_cast<uint32_t>((code - 127) * 128) & 0xffffu;
    return addend << 16 | addend;
  }
  static HADAL_INLINE void decode(const uint8_t* p, uint32_t scale, bf16x32* out) {
    out[0] = decode_fp4(p, scale);
  }
};
#endif

// --- Preparing activations
// -------------------------------------------------------------------------------------------

// One step of x times `factor`, rounded to its type, in the lane order of the format.
template <class P, KernelFormat format>
HADAL_INLINE void prepare_step(std::byte* out, const float* x) {
  if constexpr (format == KernelFormat::kF32) {
    Lanes::store(out, load(x));
  } else if constexpr (format == KernelFormat::kFP8) {
    // The order in which 64 bytes unpack: the low and the high eight of every sixteen.
    alignas(64) float low[32], high[32];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q) {
      __builtin_memcpy(low + 8 * q, x + 16 * q, 32);
      __builtin_memcpy(high + 8 * q, x + 16 * q + 8, 32);
    }
    f32x16 odd, even;
    typename P::Vec v[2 * P::kPairVecs];
    load_pairs(low, odd, even);
    P::split(odd, even, v);
    load_pairs(high, odd, even);
    P::split(odd, even, v + P::kPairVecs);
#pragma GCC unroll 4
    for (int i = 0; i < 2 * P::kPairVecs; ++i) P::store(out + i * kVecBytes, v[i]);
  } else {
    f32x16 odd, even;
    typename P::Vec v[P::kPairVecs];
    load_pairs(x, odd, even);
    P::split(odd, even, v);
#pragma GCC unroll 2
    for (int i = 0; i < P::kPairVecs; ++i) P::store(out + i * kVecBytes, v[i]);
  }
}

template <class P, KernelFormat format>
HADAL_INLINE void prepare_row(std::byte* out, ConstRow x, int64_t k, const std::byte* scale) {
  using D = Decoder<typename P::Decoding, format>;
  alignas(64) float step[64];
  for (int64_t at = 0; at < k; at += D::kStep, out += D::kVecs * kVecBytes) {
    const f32x16 factor(scale != nullptr ? e8m0(static_cast<uint8_t>(scale[at / 128])) : 1.0f);
    for (int64_t i = 0; i < D::kStep; i += kLanes) {
      const int64_t left = k - at - i;
      f32x16 v(0.0f);
      if (left > 0) v = load_at(x, at + i, left);
      if (scale != nullptr) {
        v = v * factor;
        if (x.bf16) v = round_bf16(v);
        if (left < kLanes) {  // a NaN scale must not reach the padding
          store(step + i, v);
          for (int64_t pad = left > 0 ? left : 0; pad < kLanes; ++pad) step[i + pad] = 0.0f;
          continue;
        }
      }
      store(step + i, v);
    }
    prepare_step<P, format>(out, step);
  }
}

void prepare(std::byte* out, ConstRow x, int64_t k, KernelFormat format, const std::byte* scale) {
#if HADAL_BF16_DOT
  if (x.bf16) switch (format) {
      case KernelFormat::kF32:
        break;
      case KernelFormat::kBF16:
      case KernelFormat::kFP4:
        return prepare_row<Pairs, KernelFormat::kBF16>(out, x, k, nullptr);
      case KernelFormat::kFP8:
        return prepare_row<Pairs, KernelFormat::kFP8>(out, x, k, scale);
    }
#endif
  switch (format) {
    case KernelFormat::kF32:
      return prepare_row<Lanes, KernelFormat::kF32>(out, x, k, nullptr);
    case KernelFormat::kBF16:
    case KernelFormat::kFP4:
      return prepare_row<Lanes, KernelFormat::kBF16>(out, x, k, nullptr);
    case KernelFormat::kFP8:
      return prepare_row<Lanes, KernelFormat::kFP8>(out, x, k, scale);
  }
}

int64_t prepared_bytes(KernelFormat format, bool x_bf16, int64_t k) {
  const int64_t step = format == KernelFormat::kFP8 ? 64 : format == KernelFormat::kF32 ? 16 : 32;
  const int64_t elements = (k + step - 1) / step * step;
  return elements * (HADAL_BF16_DOT && x_bf16 && format != KernelFormat::kF32 ? 2 : 4);
}

bool usable_as_is(KernelFormat format, bool x_bf16, int64_t k) {
  if (format == KernelFormat::kF32) return !x_bf16 && k % 16 == 0;
  return HADAL_BF16_DOT && x_bf16 && format != KernelFormat::kFP8 && k % 32 == 0;
}

// --- Few tokens
// ------------------------------------------------------------------------------------------------------

// MT x NR outputs in registers. Pointers past the real tokens and rows repeat the last one; their results are
// dropped.
template <class P, KernelFormat format, int MT, int NR>
HADAL_INLINE void few_tile(const std::byte* const (&x)[MT], const uint8_t* const (&w)[NR],
                           const uint8_t* const (&s)[NR], int64_t k, int64_t ahead, f32x16 (&acc)[MT * NR]) {
  using D = Decoder<typename P::Decoding, format>;
  constexpr bool kScaled = format == KernelFormat::kFP4;
  constexpr int64_t kChunk = 128;  // steps whose scales are widened at a time
  uint32_t scales[kScaled ? NR : 1][kScaled ? kChunk : 1];
#pragma GCC unroll 32
  for (int i = 0; i < MT * NR; ++i) acc[i] = f32x16(0.0f);
  const int64_t steps = k / D::kStep;
  const auto multiply = [&](const uint8_t* at, uint32_t scale, int r, int64_t step) HADAL_LAMBDA_INLINE {
    typename P::Vec v[D::kVecs];
    D::decode(at, scale, v);
#pragma GCC unroll 4
    for (int i = 0; i < D::kVecs; ++i)
#pragma GCC unroll 4
      for (int t = 0; t < MT; ++t)
        acc[t * NR + r] = P::mac(acc[t * NR + r], P::load(x[t] + (step * D::kVecs + i) * kVecBytes), v[i]);
  };
  for (int64_t from = 0; from < steps; from += kChunk) {
    const int64_t to = from + kChunk < steps ? from + kChunk : steps;
    if constexpr (kScaled)
      for (int r = 0; r < NR; ++r)
        for (int64_t i = from; i < to; ++i) scales[r][i - from] = D::widen_scale(s[r][i]);
    // A cache line of each row at a time.
    constexpr int64_t kGroup = 64 / D::kBytes;
    int64_t step = from;
    for (; step + kGroup <= to; step += kGroup) {
#pragma GCC unroll 8
      for (int r = 0; r < NR; ++r) {
        const uint8_t* at = w[r] + step * D::kBytes;
        // Hardware prefetchers stop at a page's end, which is where a row of FP8 ends.
        __builtin_prefetch(at + ahead);
#pragma GCC unroll 4
        for (int64_t i = 0; i < kGroup; ++i)
          multiply(at + i * D::kBytes, kScaled ? scales[kScaled ? r : 0][kScaled ? step + i - from : 0] : 0,
                   r, step + i);
      }
    }
    for (; step < to; ++step)
      for (int r = 0; r < NR; ++r)
        multiply(w[r] + step * D::kBytes, kScaled ? scales[kScaled ? r : 0][kScaled ? step - from : 0] : 0, r,
                 step);
  }
  if (const int64_t rest = k - steps * D::kStep; rest > 0) {
    for (int r = 0; r < NR; ++r) {
      alignas(64) uint8_t padded[64] = {};
      __builtin_memcpy(padded, w[r] + steps * D::kBytes, static_cast<size_t>(rest * D::kBytes / D::kStep));
      typename P::Vec v[D::kVecs];
      D::decode(padded, 0, v);
      for (int t = 0; t < MT; ++t)
        for (int i = 0; i < D::kVecs; ++i)
          acc[t * NR + r] = P::mac(acc[t * NR + r], P::load(x[t] + (steps * D::kVecs + i) * kVecBytes), v[i]);
    }
  }
}

// Sums of n <= 16 accumulators to out[0..n).
HADAL_INLINE void tree_sums(float* out, f32x16* acc, int n) {
  if (n < 8) {
    for (int i = 0; i < n; ++i) out[i] = tree_sum(acc[i]);
    return;
  }
  for (int i = n; i < 16; ++i) acc[i] = f32x16(0.0f);
  const f32x16 sums = tree_sum16(acc);
  n == 16 ? store(out, sums) : store_some(out, sums, n);
}

template <class P, KernelFormat format, int MT, int NR>
void few(const LinearTile& tile, int64_t first_token) {
  const std::byte* x[MT];
  const int64_t tokens = tile.tokens - first_token < MT ? tile.tokens - first_token : MT;
  for (int t = 0; t < MT; ++t) x[t] = tile.x[first_token + (t < tokens ? t : tokens - 1)];
  for (int64_t row = 0; row < tile.rows; row += NR) {
    const int64_t rows = tile.rows - row < NR ? tile.rows - row : NR;
    const uint8_t *w[NR], *s[NR];
    for (int r = 0; r < NR; ++r) {
      const int64_t at = row + (r < rows ? r : rows - 1);
      w[r] = reinterpret_cast<const uint8_t*>(tile.w) + at * tile.row_stride;
      s[r] =
          reinterpret_cast<const uint8_t*>(tile.scale) + (tile.scale == nullptr ? 0 : at * tile.scale_stride);
    }
    f32x16 acc[MT * NR];
    few_tile<P, format, MT, NR>(x, w, s, tile.k, NR * tile.row_stride, acc);
    for (int64_t t = 0; t < tokens; ++t) {
      float sums[NR];
      f32x16 some[16];
      for (int r = 0; r < NR; ++r) some[r] = acc[t * NR + r];
      tree_sums(sums, some, NR);
      for (int64_t r = 0; r < rows; ++r) tile.out[(first_token + t) * tile.out_stride + row + r] = sums[r];
    }
  }
}

// --- Many tokens
// -----------------------------------------------------------------------------------------------------

// acc[t * acc_stride + r] continues with `vecs` vectors of MT rows x and NR rows of a panel.
template <class P, int MT, int NR>
HADAL_INLINE void panel_tile(const std::byte* const* x, int64_t offset, const std::byte* panel,
                             int64_t panel_stride, int64_t vecs, f32x16* acc, int64_t acc_stride,
                             bool start) {
  f32x16 sum[MT * NR];
  const std::byte* at[MT];
#pragma GCC unroll 8
  for (int t = 0; t < MT; ++t) at[t] = x[t] + offset;
#pragma GCC unroll 32
  for (int i = 0; i < MT * NR; ++i) sum[i] = start ? f32x16(0.0f) : acc[i / NR * acc_stride + i % NR];
  for (int64_t v = 0; v < vecs * kVecBytes; v += kVecBytes) {
    typename P::Vec w[NR];
#pragma GCC unroll 8
    for (int r = 0; r < NR; ++r) w[r] = P::load(panel + r * panel_stride + v);
#pragma GCC unroll 8
    for (int t = 0; t < MT; ++t) {
      const typename P::Vec xv = P::load(at[t] + v);
#pragma GCC unroll 8
      for (int r = 0; r < NR; ++r) sum[t * NR + r] = P::mac(sum[t * NR + r], xv, w[r]);
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < MT * NR; ++i) acc[i / NR * acc_stride + i % NR] = sum[i];
}

// All tokens against the kPanelRows rows of a panel.
template <class P>
HADAL_INLINE void panel_tokens(const std::byte* const* x, int64_t tokens, int64_t offset,
                               const std::byte* panel, int64_t panel_stride, int64_t vecs, f32x16* acc,
                               bool start) {
  int64_t t = 0;
  for (; t + kPanelTokens <= tokens; t += kPanelTokens)
    panel_tile<P, kPanelTokens, kPanelRows>(x + t, offset, panel, panel_stride, vecs, acc + t * kPanelRows,
                                            kPanelRows, start);
  for (; t < tokens; ++t)
    panel_tile<P, 1, kPanelRows>(x + t, offset, panel, panel_stride, vecs, acc + t * kPanelRows, kPanelRows,
                                 start);
}

// acc [tokens][kPanelRows] to out [tokens][rows]. acc has room for sixteen more.
HADAL_INLINE void panel_sums(f32x16* acc, int64_t tokens, int64_t rows, float* out, int64_t out_stride) {
  const int64_t n = tokens * kPanelRows;
  for (int64_t i = 0; i < n; i += 16) {
    alignas(64) float sums[16];
    tree_sums(sums, acc + i, static_cast<int>(n - i < 16 ? n - i : 16));
    for (int64_t j = i; j < n && j < i + 16; ++j)
      if (j % kPanelRows < rows) out[j / kPanelRows * out_stride + j % kPanelRows] = sums[j - i];
  }
}

constexpr int64_t kManyTokens = 64;  // tokens between two decodings of a panel
constexpr int64_t kBlockK = 1024;    // elements of K in a panel: it stays in L1 beside four tokens

template <class P, KernelFormat format>
HADAL_INLINE void decode_panel_row(std::byte* out, const uint8_t* w, const uint8_t* s, int64_t from,
                                   int64_t to) {
  using D = Decoder<typename P::Decoding, format>;
  const uint8_t* at = w + from / D::kStep * D::kBytes;
  int64_t i = from;
  typename P::Vec v[D::kVecs];
  const auto put = [&](const uint8_t* bytes) HADAL_LAMBDA_INLINE {
    uint32_t scale = 0;
    if constexpr (format == KernelFormat::kFP4) scale = D::widen_scale(s[i / D::kStep]);
    D::decode(bytes, scale, v);
#pragma GCC unroll 4
    for (int j = 0; j < D::kVecs; ++j) P::store(out + j * kVecBytes, v[j]);
    out += D::kVecs * kVecBytes;
  };
  for (; i + D::kStep <= to; i += D::kStep, at += D::kBytes) put(at);
  if (i < to) {
    alignas(64) uint8_t padded[64] = {};
    __builtin_memcpy(padded, at, static_cast<size_t>((to - i) * D::kBytes / D::kStep));
    put(padded);
  }
}

template <class P, KernelFormat format>
void many(const LinearTile& tile) {
  using D = Decoder<typename P::Decoding, format>;
  constexpr int64_t kRowBytes = kBlockK / P::kElements * kVecBytes;
  alignas(64) std::byte panel[kPanelRows * kRowBytes];
  alignas(64) f32x16 acc[kManyTokens * kPanelRows + 16];
  for (int64_t token = 0; token < tile.tokens; token += kManyTokens) {
    const int64_t tokens = tile.tokens - token < kManyTokens ? tile.tokens - token : kManyTokens;
    for (int64_t row = 0; row < tile.rows; row += kPanelRows) {
      const int64_t rows = tile.rows - row < kPanelRows ? tile.rows - row : kPanelRows;
      for (int64_t from = 0; from < tile.k; from += kBlockK) {
        const int64_t to = from + kBlockK < tile.k ? from + kBlockK : tile.k;
        const int64_t vecs = (to - from + D::kStep - 1) / D::kStep * D::kVecs;
        for (int64_t r = 0; r < kPanelRows; ++r) {
          const int64_t at = row + (r < rows ? r : rows - 1);
          decode_panel_row<P, format>(
              panel + r * kRowBytes, reinterpret_cast<const uint8_t*>(tile.w) + at * tile.row_stride,
              tile.scale == nullptr ? nullptr
                                    : reinterpret_cast<const uint8_t*>(tile.scale) + at * tile.scale_stride,
              from, to);
        }
        panel_tokens<P>(tile.x + token, tokens, from / D::kStep * D::kVecs * kVecBytes, panel, kRowBytes,
                        vecs, acc, from == 0);
      }
      panel_sums(acc, tokens, rows, tile.out + token * tile.out_stride + row, tile.out_stride);
    }
  }
}

template <class P, KernelFormat format>
HADAL_INLINE void linear_as(const LinearTile& tile) {
  if (tile.tokens > kFewTokens) return many<P, format>(tile);
  for (int64_t t = 0; t < tile.tokens;) {
    const int64_t left = tile.tokens - t;
    if (left == 1) {
      few<P, format, 1, kRows1>(tile, t);
      t += 1;
    } else if (left == 2) {
      few<P, format, 2, kRows2>(tile, t);
      t += 2;
    } else {
      few<P, format, 4, kRows4>(tile, t);
      t += 4;
    }
  }
}

#if HADAL_BF16_DOT
using Bf16Policy = Pairs;
#elif HADAL_SHORT_FMA
using Bf16Policy = ShortLanes;
#else
using Bf16Policy = Lanes;
#endif
// Whether bf16 activations have kernels of their own.
constexpr bool kHasBf16Policy = HADAL_BF16_DOT || HADAL_SHORT_FMA;

void linear(const LinearTile& tile) {
#if HADAL_BF16_DOT || HADAL_SHORT_FMA
  if (tile.x_bf16) switch (tile.format) {
      case KernelFormat::kF32:
        break;
      case KernelFormat::kBF16:
        return linear_as<Bf16Policy, KernelFormat::kBF16>(tile);
      case KernelFormat::kFP8:
        return linear_as<Bf16Policy, KernelFormat::kFP8>(tile);
      case KernelFormat::kFP4:
        return linear_as<Bf16Policy, KernelFormat::kFP4>(tile);
    }
#endif
  switch (tile.format) {
    case KernelFormat::kF32:
      return linear_as<Lanes, KernelFormat::kF32>(tile);
    case KernelFormat::kBF16:
      return linear_as<Lanes, KernelFormat::kBF16>(tile);
    case KernelFormat::kFP8:
      return linear_as<Lanes, KernelFormat::kFP8>(tile);
    case KernelFormat::kFP4:
      return linear_as<Lanes, KernelFormat::kFP4>(tile);
  }
}

}  // namespace
}  // namespace hadal::HADAL_ISA
