// Scores of the indexer: several queries against the same keys, sixteen keys decoded at a time.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

// Scores of sixteen decoded keys for one query, lane = key: the sum over heads is one addition a head.
template <class P>
HADAL_INLINE f32x16 score_keys(const IndexQuery& query, int64_t heads, const std::byte* rows, int64_t stride,
                               bool bf16) {
  const int64_t vecs = stride / kVecBytes;
  const f32x16 zero(0.0f);
  f32x16 acc(0.0f);
  for (int64_t h = 0; h < heads; ++h) {
    f32x16 sums[kIndexKeys];
#pragma GCC unroll 16
    for (int64_t from = 0; from < kIndexKeys; from += kIndexGroup) {
      f32x16 part[kIndexGroup];
#pragma GCC unroll 16
      for (int i = 0; i < kIndexGroup; ++i) part[i] = zero;
      for (int64_t v = 0; v < vecs; ++v) {
        const typename P::Vec q = P::load(query.q[h] + v * kVecBytes);
#pragma GCC unroll 16
        for (int i = 0; i < kIndexGroup; ++i)
          part[i] = P::mac(part[i], q, P::load(rows + (from + i) * stride + v * kVecBytes));
      }
#pragma GCC unroll 16
      for (int i = 0; i < kIndexGroup; ++i) sums[from + i] = part[i];
    }
    f32x16 d = tree_sum16(sums);
    const f32x16 g(query.weights[h]);
    if (bf16) d = round_bf16(d);
    d = select_gt(d, zero, d, zero);
    acc = bf16 ? acc + round_bf16(g * d) : fma(g, d, acc);
  }
  return bf16 ? round_bf16(acc) : acc;
}

template <class P>
HADAL_INLINE void index_scores_as(const IndexTile& t) {
  const int64_t stride = prepared_bytes(row_weight_format(t.layout.format), input_of(t.q_bf16), t.layout.dim);
  std::byte* const panel = t.scratch + kIndexKeys * stride;
  int64_t with_integers = 0;
  for (int64_t i = 0; i < t.n_queries; ++i) with_integers += t.queries[i].integers != nullptr ? 1 : 0;
  for (int64_t key = 0; key < t.n_keys; key += kIndexPanel) {
    const int64_t end = key + kIndexPanel < t.n_keys ? key + kIndexPanel : t.n_keys;
    // The rows lie in pieces all over the memory, which hardware prefetchers do not follow.
    const int64_t ahead = end + kIndexPanel < t.n_keys ? end + kIndexPanel : t.n_keys;
    for (int64_t i = end; i < ahead; ++i) {
      __builtin_prefetch(t.keys[i]);
      __builtin_prefetch(t.keys[i] + 64);
    }
    const bool integers = with_integers > 0 && decode_integer_panel(panel, t.keys + key, end - key, t.layout);
    if (integers)
      for (int64_t i = 0; i < t.n_queries; ++i)
        if (const IndexQuery& query = t.queries[i]; query.integers != nullptr)
          integer_scores(query.out + key, query.integers, t.heads, panel, t.layout.dim, end - key);
    if (integers && with_integers == t.n_queries) continue;
    for (int64_t from = key; from < end; from += kIndexKeys) {
      const int64_t keys = end - from < kIndexKeys ? end - from : kIndexKeys;
      for (int64_t i = 0; i < kIndexKeys; ++i)
        decode_row<P>(t.scratch + i * stride, t.keys[from + (i < keys ? i : keys - 1)], t.layout);
      for (int64_t i = 0; i < t.n_queries; ++i) {
        const IndexQuery& query = t.queries[i];
        if (integers && query.integers != nullptr) continue;
        const f32x16 scores = score_keys<P>(query, t.heads, t.scratch, stride, t.q_bf16);
        keys == kIndexKeys ? store(query.out + from, scores) : store_some(query.out + from, scores, keys);
      }
    }
  }
}

void index_scores(const IndexTile& tile) {
  if (kHasBf16Policy && tile.q_bf16 && tile.layout.format != KernelRowFormat::kF32)
    return index_scores_as<Bf16Policy>(tile);
  index_scores_as<Lanes>(tile);
}

int64_t index_scratch(KernelRowLayout layout) {
  return kIndexKeys * prepared_bytes(row_weight_format(layout.format), KernelInput::kF32, layout.dim) +
         integer_panel_bytes(layout);
}

int64_t above(int32_t* out, const float* values, int64_t n, float threshold) {
  const f32x16 limit(threshold);
  int64_t found = 0, i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (uint32_t mask = mask_gt(load(values + i), limit); mask != 0; mask &= mask - 1)
      out[found++] = static_cast<int32_t>(i + __builtin_ctz(mask));
  for (; i < n; ++i)
    if (values[i] > threshold) out[found++] = static_cast<int32_t>(i);
  return found;
}

}  // namespace
}  // namespace hadal::HADAL_ISA
