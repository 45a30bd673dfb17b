// Packed KV and index rows to prepared rows, and rows of queries beside them.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

// The format whose dot product a row takes part in.
HADAL_INLINE KernelFormat row_weight_format(KernelRowFormat format) {
  return format == KernelRowFormat::kF32 ? KernelFormat::kF32 : KernelFormat::kBF16;
}

template <class P>
HADAL_INLINE void put_pairs(std::byte* out, f32x16 odd, f32x16 even) {
  typename P::Vec v[P::kPairVecs];
  P::split(odd, even, v);
#pragma GCC unroll 2
  for (int i = 0; i < P::kPairVecs; ++i) P::store(out + i * kVecBytes, v[i]);
}

// e4m3 of the first values, bf16 of the last, scales per 64: 32 values at a time.
template <class P>
HADAL_INLINE void decode_kv_row(std::byte* out, const uint8_t* row, int dim, int rope_dim) {
  const int nope = dim - rope_dim;
  const uint8_t* rotated = row + nope;
  const uint8_t* scales = rotated + 2 * rope_dim;
  for (int from = 0; from < dim; from += 32, out += P::kPairVecs * kVecBytes) {
    f32x16 odd, even;
    if (from + 32 <= nope) {
      const f32x16 scale(e8m0(scales[from / 64]));
      decode_fp8_pairs(row + from, odd, even);
      odd = odd * scale;
      even = even * scale;
    } else if (from >= nope && from + 32 <= dim) {
      load_pairs_bf16(rotated + 2 * (from - nope), odd, even);
    } else {
      // A group across a border: by element.
      alignas(64) uint8_t codes[32] = {};
      alignas(64) uint16_t halves[32] = {};
      alignas(64) float values[32], plain[32];
      for (int i = from; i < nope && i < from + 32; ++i) codes[i - from] = row[i];
      for (int i = from < nope ? nope : from; i < dim && i < from + 32; ++i)
        __builtin_memcpy(&halves[i - from], rotated + 2 * (i - nope), 2);
      decode_fp8_pairs(codes, odd, even);
      const f32x16 scale(from < nope ? e8m0(scales[from / 64]) : 1.0f);
      alignas(64) float odds[16], evens[16];
      store(odds, odd * scale);
      store(evens, even * scale);
      store(plain, load_bf16(halves));
      store(plain + 16, load_bf16(halves + 16));
      for (int i = 0; i < 32; ++i)
        values[i] = from + i < nope ? ((i & 1) != 0 ? odds[i / 2] : evens[i / 2]) : plain[i];
      load_pairs(values, odd, even);
    }
    put_pairs<P>(out, odd, even);
  }
}

// e2m1 of all values, scales per 32.
template <class P>
HADAL_INLINE void decode_index_row(std::byte* out, const uint8_t* row, int dim) {
  const uint8_t* scales = row + dim / 2;
  for (int from = 0; from < dim; from += 32, out += P::kPairVecs * kVecBytes) {
    f32x16 odd, even;
    decode_fp4(row + from / 2, fp4_table(e8m0(scales[from / 32])), odd, even);
    put_pairs<P>(out, odd, even);
  }
}

template <class P>
HADAL_INLINE void decode_row(std::byte* out, const std::byte* row, const KernelRowLayout& layout) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(row);
  switch (layout.format) {
    case KernelRowFormat::kF32:
      return prepare_row<Lanes, KernelFormat::kF32>(out, {row, false}, layout.dim, nullptr);
    case KernelRowFormat::kPackedKv:
      return decode_kv_row<P>(out, bytes, layout.dim, layout.rope_dim);
    case KernelRowFormat::kPackedIndex:
      return decode_index_row<P>(out, bytes, layout.dim);
  }
}

// --- Index scores
// ----------------------------------------------------------------------------------------------------

constexpr int64_t kIndexKeys = 16;

// Sixteen keys against one head at a time, lane = key: the sum over heads is one addition a head.
template <class P>
HADAL_INLINE void index_scores_as(const IndexTile& t) {
  const int64_t stride = prepared_bytes(row_weight_format(t.layout.format), t.q_bf16, t.layout.dim);
  const int64_t vecs = stride / kVecBytes;
  const f32x16 zero(0.0f);
  for (int64_t key = 0; key < t.n_keys; key += kIndexKeys) {
    const int64_t keys = t.n_keys - key < kIndexKeys ? t.n_keys - key : kIndexKeys;
    for (int64_t i = 0; i < kIndexKeys; ++i)
      decode_row<P>(t.scratch + i * stride, t.keys[key + (i < keys ? i : keys - 1)], t.layout);
    f32x16 acc(0.0f);
    for (int64_t h = 0; h < t.heads; ++h) {
      f32x16 sums[kIndexKeys];
#pragma GCC unroll 16
      for (int64_t from = 0; from < kIndexKeys; from += kIndexGroup) {
        f32x16 part[kIndexGroup];
#pragma GCC unroll 16
        for (int i = 0; i < kIndexGroup; ++i) part[i] = zero;
        for (int64_t v = 0; v < vecs; ++v) {
          const typename P::Vec q = P::load(t.q[h] + v * kVecBytes);
#pragma GCC unroll 16
          for (int i = 0; i < kIndexGroup; ++i)
            part[i] = P::mac(part[i], q, P::load(t.scratch + (from + i) * stride + v * kVecBytes));
        }
#pragma GCC unroll 16
        for (int i = 0; i < kIndexGroup; ++i) sums[from + i] = part[i];
      }
      f32x16 d = tree_sum16(sums);
      const f32x16 g(t.weights[h]);
      if (t.q_bf16) d = round_bf16(d);
      d = select_gt(d, zero, d, zero);
      acc = t.q_bf16 ? acc + round_bf16(g * d) : fma(g, d, acc);
    }
    if (t.q_bf16) acc = round_bf16(acc);
    keys == kIndexKeys ? store(t.out + key, acc) : store_some(t.out + key, acc, keys);
  }
}

void index_scores(const IndexTile& tile) {
  if (kHasBf16Policy && tile.q_bf16 && tile.layout.format != KernelRowFormat::kF32)
    return index_scores_as<Bf16Policy>(tile);
  index_scores_as<Lanes>(tile);
}

int64_t index_scratch(KernelRowLayout layout) {
  return kIndexKeys * prepared_bytes(row_weight_format(layout.format), false, layout.dim);
}

}  // namespace
}  // namespace hadal::HADAL_ISA
