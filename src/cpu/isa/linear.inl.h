// The canonical dot product (docs/numerics.md) over prepared activations and weights as stored.
//
// Two kernels: `few` decodes in registers and multiplies at once, several rows in flight; `many` decodes a
// panel of rows per block of K into the L1 cache and multiplies it with tiles of tokens. Both make the same
// chain of multiply-adds per output lane, so which one ran cannot be seen in the result.
//
// Scales are powers of two. `many` multiplies weights by them, which is the definition. `few` leaves those of
// FP8 bare and multiplies activations, which gives the same bits as long as nothing underflows or overflows
// on the way; exact_apart() says whether that is certain. FP4 with bf16 activations is another sum
// (linear_fixed.inl.h); with fp32 ones it always goes through `many`.
#pragma once

// clang-format off: each of these uses the ones before it
#include "cpu/isa/linear_formats.inl.h"
#include "cpu/isa/linear_fixed.inl.h"
#include "cpu/isa/linear_prepare.inl.h"
// clang-format on

namespace hadal::HADAL_ISA {
namespace {

// --- Few tokens
// ------------------------------------------------------------------------------------------------------

// Whether scales may stay out of the weights of an FP8 tile: weights and scaled activations are normal
// numbers.
template <class P>
HADAL_INLINE bool exact_apart(const LinearTile& tile) {
  constexpr auto format = KernelFormat::kFP8;
  const Exponents codes =
      code_range(reinterpret_cast<const uint8_t*>(tile.scale), (tile.k + kFp8Block - 1) / kFp8Block);
  Exponents x{255, 0};
  for (int64_t t = 0; t < tile.tokens; ++t) {
    const Exponents row = exponents_of<P>(tile.x[t], prepared_bytes(format, tile.input, tile.k));
    x.lowest = row.lowest < x.lowest ? row.lowest : x.lowest;
    x.highest = row.highest > x.highest ? row.highest : x.highest;
  }
  if (x.lowest > x.highest) x = {127, 127};  // zeros only
  return x.lowest > 0 && x.highest < 255 && normal_scale(format, static_cast<uint8_t>(codes.lowest)) &&
         normal_scale(format, static_cast<uint8_t>(codes.highest)) && x.lowest + codes.lowest - 127 >= 1 &&
         x.highest + codes.highest - 127 <= 254;
}

// A prepared row times the scales of an FP8 weight, where exact_apart.
template <class P>
HADAL_INLINE void rescale(std::byte* out, const std::byte* x, int64_t k, const uint8_t* codes) {
  constexpr int64_t kBlockVecs = kFp8Block / P::kElements;
  const int64_t vecs = round_up(k, 64) / P::kElements;
  for (int64_t v = 0; v < vecs; ++v) {
    typename P::Vec part[1] = {P::load(x + v * kVecBytes)};
    scale_vectors(part, f32x16(e8m0(codes[v / kBlockVecs])), true);
    P::store(out + v * kVecBytes, part[0]);
  }
}

// MT x NR outputs in registers. Pointers past the real tokens and rows repeat the last one; their results are
// dropped.
template <class P, KernelFormat format, int MT, int NR>
HADAL_INLINE void few_tile(const std::byte* const (&x)[MT], const uint8_t* const (&w)[NR], int64_t k,
                           int64_t ahead, f32x16 (&acc)[MT * NR]) {
  using D = Decoder<typename P::Decoding, format>;
  static_assert(D::kBytes == 64, "a prefetch per step is one per cache line");
  const int64_t steps = k / D::kStep, rest = k - steps * D::kStep;
#pragma GCC unroll 32
  for (int i = 0; i < MT * NR; ++i) acc[i] = f32x16(0.0f);
  const auto multiply = [&](const uint8_t* at, int r, int64_t step) HADAL_LAMBDA_INLINE {
    typename P::Vec v[D::kVecs];
    D::decode(at, v);
#pragma GCC unroll 8
    for (int i = 0; i < D::kVecs; ++i)
#pragma GCC unroll 8
      for (int t = 0; t < MT; ++t)
        acc[t * NR + r] = P::mac(acc[t * NR + r], P::load(x[t] + (step * D::kVecs + i) * kVecBytes), v[i]);
  };
  for (int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 8
    for (int r = 0; r < NR; ++r) {
      const uint8_t* at = w[r] + step * D::kBytes;
      // Hardware prefetchers stop at a page's end.
      fetch_weights(at + ahead);
      multiply(at, r, step);
    }
  }
  if (rest > 0)
#pragma GCC unroll 8
    for (int r = 0; r < NR; ++r) {
      alignas(64) uint8_t padded[64] = {};
      __builtin_memcpy(padded, w[r] + steps * D::kBytes, static_cast<size_t>(rest * D::kBytes / D::kStep));
      multiply(padded, r, steps);
    }
}

template <class P, KernelFormat format, int MT, int NR>
void few(const LinearTile& tile, const std::byte* const* tokens_x, int64_t first_token) {
  const std::byte* x[MT];
  const int64_t tokens = tile.tokens - first_token < MT ? tile.tokens - first_token : MT;
  for (int t = 0; t < MT; ++t) x[t] = tokens_x[first_token + (t < tokens ? t : tokens - 1)];
  const int64_t apart = rows_apart(tile, NR);
  for (int64_t block = 0; block < tile.rows; block += NR * apart)
    for (int64_t row = block; row < block + apart && row < tile.rows; ++row) {
      const uint8_t* w[NR];
      for (int r = 0; r < NR; ++r)
        w[r] = reinterpret_cast<const uint8_t*>(tile.w) +
               (row + r * apart < tile.rows ? row + r * apart : row) * tile.row_stride;
      const int64_t next = row + 1 < block + apart ? 1 : NR * apart - (apart - 1);
      f32x16 acc[MT * NR];
      few_tile<P, format, MT, NR>(x, w, tile.k, next * tile.row_stride, acc);
      alignas(64) float sums[32];
      static_assert(MT * NR <= 32);
      if constexpr (MT * NR < 8) {
#pragma GCC unroll 8
        for (int i = 0; i < MT * NR; ++i) sums[i] = tree_sum(acc[i]);
      } else {
#pragma GCC unroll 2
        for (int i = 0; i < MT * NR; i += 16) {
          f32x16 some[16];
#pragma GCC unroll 16
          for (int j = 0; j < 16; ++j)
            some[j] = i + j < MT * NR ? acc[i + j < MT * NR ? i + j : 0] : f32x16(0.0f);
          store(sums + i, tree_sum16(some));
        }
      }
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t r = 0; r < NR && row + r * apart < tile.rows; ++r)
          tile.out[(first_token + t) * tile.out_stride + row + r * apart] = sums[t * NR + r];
    }
}

// --- Many tokens
// -----------------------------------------------------------------------------------------------------

// The rows and vectors of a panel, which stays in the L1 cache beside some tokens. Long rows load and store
// their sums seldom.
template <class P>
struct Panel {
  static constexpr int kRows = kPanelRows;
  static constexpr int64_t kVecs = 32;
};
#if HADAL_BF16_DOT
template <>
struct Panel<Pairs> {
  static constexpr int kRows = kPairPanelRows;
  static constexpr int64_t kVecs = 64;
};
#endif

// Lines of the next panel, fetched one per step of the tiles while this one is multiplied.
struct NextPanel {
  const uint8_t* row = nullptr;
  int64_t stride = 0, lines = 0, rows = 0;  // lines of 64 bytes of each row
  int64_t line = 0;

  HADAL_INLINE void fetch_line() {
    if (rows == 0) return;
    fetch_weights(row + line * 64);
    if (++line < lines) return;
    line = 0;
    row += stride;
    --rows;
  }
};

// acc[t * acc_stride + r] continues with `vecs` vectors of MT rows x and NR rows of a panel, one register of
// their lanes after the other: sums of all lanes at once would not fit some ISAs' registers.
template <class P, int MT, int NR>
HADAL_INLINE void panel_tile(const std::byte* const* x, int64_t offset, const std::byte* panel,
                             int64_t panel_stride, int64_t vecs, f32x16* acc, int64_t acc_stride, bool start,
                             NextPanel& next) {
  const std::byte* at[MT];
#pragma GCC unroll 8
  for (int t = 0; t < MT; ++t) at[t] = x[t] + offset;
  for (int part = 0; part < kLaneParts; ++part) {
    f32part sum[MT * NR];
#pragma GCC unroll 32
    for (int i = 0; i < MT * NR; ++i)
      sum[i] = start ? f32part(0.0f) : load_part(acc[i / NR * acc_stride + i % NR], part);
    for (int64_t v = 0; v < vecs * kVecBytes; v += kVecBytes) {
      next.fetch_line();
      typename P::Part w[NR];
#pragma GCC unroll 8
      for (int r = 0; r < NR; ++r) w[r] = P::load_part(panel + r * panel_stride + v, part);
#pragma GCC unroll 8
      for (int t = 0; t < MT; ++t) {
        const typename P::Part xv = P::load_part(at[t] + v, part);
#pragma GCC unroll 8
        for (int r = 0; r < NR; ++r) sum[t * NR + r] = P::mac(sum[t * NR + r], xv, w[r]);
      }
    }
#pragma GCC unroll 32
    for (int i = 0; i < MT * NR; ++i) store_part(acc[i / NR * acc_stride + i % NR], part, sum[i]);
  }
}

// All tokens against `rows` rows of a panel, a multiple of NR; x stays in L1 from one NR rows to the next.
template <class P, int NR>
HADAL_INLINE void panel_tokens(const std::byte* const* x, int64_t tokens, int64_t offset,
                               const std::byte* panel, int64_t panel_stride, int64_t rows, int64_t vecs,
                               f32x16* acc, bool start, NextPanel next = {}) {
  int64_t t = 0;
  const auto tile = [&]<int MT>() HADAL_LAMBDA_INLINE {
    for (int64_t r = 0; r < rows; r += NR)
      panel_tile<P, MT, NR>(x + t, offset, panel + r * panel_stride, panel_stride, vecs,
                            acc + t * Panel<P>::kRows + r, Panel<P>::kRows, start, next);
    t += MT;
  };
  while (t + kPanelTokens <= tokens) tile.template operator()<kPanelTokens>();
  while (t + 2 <= tokens) tile.template operator()<2>();
  if (t < tokens) tile.template operator()<1>();
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

// acc [tokens][kRows] to out [tokens][rows]. acc has room for sixteen more.
template <int kRows>
HADAL_INLINE void panel_sums(f32x16* acc, int64_t tokens, int64_t rows, float* out, int64_t out_stride) {
  const int64_t n = tokens * kRows;
  auto* sums = reinterpret_cast<float*>(acc);  // each where accumulators are summed already
  for (int64_t i = 0; i < n; i += 16) tree_sums(sums + i, acc + i, static_cast<int>(n - i < 16 ? n - i : 16));
  for (int64_t t = 0; t < tokens; ++t, sums += kRows, out += out_stride) {
    if (rows == kRows)
      __builtin_memcpy(out, sums, kRows * sizeof(float));
    else
      for (int64_t r = 0; r < rows; ++r) out[r] = sums[r];
  }
}

constexpr int64_t kManyTokens = 64;  // tokens between two decodings of a panel

template <class P, KernelFormat format>
HADAL_INLINE void decode_panel_row(std::byte* out, const uint8_t* w, const uint8_t* s, int64_t from,
                                   int64_t to) {
  using D = Decoder<typename P::Decoding, format>;
  const uint8_t* at = w + from / D::kStep * D::kBytes;
  int64_t i = from;
  typename P::Vec v[D::kVecs];
  constexpr int64_t kBlock = scale_block(format);
  float scales[is_scaled(format) ? Panel<P>::kVecs * P::kElements / kBlock : 1];
  bool normal = true;
  if constexpr (is_scaled(format)) {
    const int64_t blocks = (to - from + kBlock - 1) / kBlock;
    for (int64_t j = 0; j < blocks; ++j) scales[j] = e8m0(s[from / kBlock + j]);
    for (int64_t j = blocks; j % 4 != 0; ++j) scales[j] = 1.0f;
    for (int64_t j = 0; j < blocks; ++j) normal = normal & normal_scale(format, s[from / kBlock + j]);
  }
  const auto put = [&](const uint8_t* bytes) HADAL_LAMBDA_INLINE {
    D::decode(bytes, v);
    if constexpr (is_scaled(format))
      scale_vectors(v, step_scale<format>(scales + (i - from) / kBlock), normal);
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
  constexpr int kRows = Panel<P>::kRows;
  constexpr int64_t kBlockK = Panel<P>::kVecs * P::kElements, kRowBytes = Panel<P>::kVecs * kVecBytes;
  alignas(64) std::byte panel[kRows * kRowBytes];
  alignas(64) f32x16 acc[kManyTokens * kRows + 16];
  for (int64_t token = 0; token < tile.tokens; token += kManyTokens) {
    const int64_t tokens = tile.tokens - token < kManyTokens ? tile.tokens - token : kManyTokens;
    for (int64_t row = 0; row < tile.rows; row += kRows) {
      const int64_t rows = tile.rows - row < kRows ? tile.rows - row : kRows;
      const int64_t decoded = rows <= 2 ? 2 : round_up(rows, kTileRows);
      for (int64_t from = 0; from < tile.k; from += kBlockK) {
        const int64_t to = from + kBlockK < tile.k ? from + kBlockK : tile.k;
        const int64_t vecs = (to - from + D::kStep - 1) / D::kStep * D::kVecs;
        for (int64_t r = 0; r < decoded; ++r) {
          const int64_t at = row + (r < rows ? r : rows - 1);
          decode_panel_row<P, format>(panel + r * kRowBytes,
                                      reinterpret_cast<const uint8_t*>(tile.w) + at * tile.row_stride,
                                      reinterpret_cast<const uint8_t*>(tile.scale) +
                                          (format == KernelFormat::kFP4 ? at * tile.scale_stride : 0),
                                      from, to);
        }
        const int64_t offset = from / D::kStep * D::kVecs * kVecBytes;
        NextPanel next;
        if (token == 0) {
          const bool same_rows = to < tile.k;
          next.row = reinterpret_cast<const uint8_t*>(tile.w) +
                     (same_rows ? row * tile.row_stride + to / D::kStep * D::kBytes
                                : (row + kRows) * tile.row_stride);
          next.stride = tile.row_stride;
          next.rows = same_rows ? rows : kRows;
          next.lines = kBlockK / D::kStep * D::kBytes / 64;
        }
        if (rows <= 2)
          panel_tokens<P, 2>(tile.x + token, tokens, offset, panel, kRowBytes, 2, vecs, acc, from == 0, next);
        else
          panel_tokens<P, kTileRows>(tile.x + token, tokens, offset, panel, kRowBytes, decoded, vecs, acc,
                                     from == 0, next);
      }
      panel_sums<kRows>(acc, tokens, rows, tile.out + token * tile.out_stride + row, tile.out_stride);
    }
  }
}

template <class P, KernelFormat format>
HADAL_INLINE void linear_as(const LinearTile& tile) {
  // More go through decoded panels. Pairs decode so cheaply that doing it again for every four tokens costs
  // less than panels do.
  constexpr int64_t kFew = P::kElements == 32 ? kMaxFewTokens : kFewTokens;
  static_assert(kFew <= kMaxFewTokens);
  if (tile.tokens > kFew) return many<P, format>(tile);
  const std::byte* const* x = tile.x;
  const std::byte* scaled[kMaxFewTokens];
  if constexpr (format == KernelFormat::kFP8) {
    if (!exact_apart<P>(tile)) return many<P, format>(tile);
    const int64_t bytes = prepared_bytes(format, tile.input, tile.k);
    for (int64_t t = 0; t < tile.tokens; ++t) {
      rescale<P>(tile.scratch + t * bytes, tile.x[t], tile.k, reinterpret_cast<const uint8_t*>(tile.scale));
      scaled[t] = tile.scratch + t * bytes;
    }
    x = scaled;
  }
  for (int64_t t = 0; t < tile.tokens;) {
    const int64_t left = tile.tokens - t;
    if (left == 1) {
      few<P, format, 1, kRows1>(tile, x, t);
      t += 1;
    } else if (left == 2 || kRows4 == 0) {  // 0: never four at a time
      few<P, format, 2, kRows2>(tile, x, t);
      t += 2;
    } else if constexpr (kRows4 > 0) {
      few<P, format, 4, kRows4>(tile, x, t);
      t += 4;
    }
  }
}

template <class P>
HADAL_INLINE void linear_with(const LinearTile& tile) {
  switch (tile.format) {
    case KernelFormat::kF32:
      return linear_as<Lanes, KernelFormat::kF32>(tile);
    case KernelFormat::kBF16:
      return linear_as<P, KernelFormat::kBF16>(tile);
    case KernelFormat::kFP8:
      return linear_as<P, KernelFormat::kFP8>(tile);
    case KernelFormat::kFP4:
      return many<Lanes, KernelFormat::kFP4>(tile);
  }
}

#if HADAL_BF16_DOT
using Bf16Policy = Pairs;
using WidePolicy = Lanes;
#elif HADAL_SHORT_FMA
using Bf16Policy = ShortLanes;
using WidePolicy = ShortLanes;
#else
using Bf16Policy = Lanes;
using WidePolicy = Lanes;
#endif
// Whether bf16 activations have kernels of their own.
constexpr bool kHasBf16Policy = HADAL_BF16_DOT || HADAL_SHORT_FMA;

void linear(const LinearTile& tile) {
  if (is_fixed(tile.format, tile.input)) return linear_fixed(tile);
#if HADAL_BF16_DOT || HADAL_SHORT_FMA
  if (tile.input == KernelInput::kBF16) return linear_with<Bf16Policy>(tile);
#endif
#if HADAL_SHORT_FMA
  if (tile.input == KernelInput::kWideBF16) return linear_with<WidePolicy>(tile);
#endif
  linear_with<Lanes>(tile);
}

}  // namespace
}  // namespace hadal::HADAL_ISA
