// Attention over packed rows, a block of heads of a few queries at a time.
//
// Rows are decoded once for all heads of the block, rows that the queries share once for all queries. Scores
// of all keys come first (the maximum is over all of them), then the sums of values in the order of the keys,
// with the accumulators in memory between blocks of keys.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int64_t kKeyBlock = 768;  // decoded rows kept at a time: up to so many are decoded only once

// Where things lie in the scratch memory.
struct AttendPlan {
  int64_t row_bytes;     // of a prepared row of q or of the keys
  int64_t block;         // keys decoded at a time
  int64_t score_stride;  // floats
  int64_t o_vecs;
  int64_t q, rows, joined, scores, weights, o, acc, total;  // offsets

  HADAL_INLINE AttendPlan(const KernelRowLayout& layout, bool q_bf16, int64_t heads, int64_t n_keys) {
    const KernelFormat format = row_weight_format(layout.format);
    row_bytes = prepared_bytes(format, input_of(q_bf16), layout.dim);
    block = round_up(n_keys < kKeyBlock ? n_keys : kKeyBlock, kPanelRows * 2);
    score_stride = round_up(n_keys + 1, 16);
    o_vecs = round_up(layout.dim, 32) / 16;
    q = 0;
    rows = q + heads * row_bytes;
    joined = rows + block * row_bytes;
    scores = joined + (HADAL_BF16_DOT ? block / 2 * o_vecs * kVecBytes : 0);
    weights = scores + heads * score_stride * 4;
    o = weights + (HADAL_BF16_DOT ? round_up(heads * (score_stride / 2) * 4, 64) : 0);
    acc = o + heads * o_vecs * kVecBytes;
    total = acc + (heads * kPanelRows + 16) * kVecBytes;
  }
};

// e <- exp(z * scale - max), rounded to bf16 where `round`; returns the sum of the unrounded ones and of the
// sink.
HADAL_INLINE float softmax(float* z, int64_t n, float scale, float sink, bool round) {
  const auto at = [&](int64_t i)
                      HADAL_LAMBDA_INLINE { return n - i >= kLanes ? load(z + i) : load_some(z + i, n - i); };
  const auto put = [&](int64_t i, f32x16 v) HADAL_LAMBDA_INLINE {
    n - i >= kLanes ? store(z + i, v) : store_some(z + i, v, n - i);
  };
  const f32x16 factor(scale);
  for (int64_t i = 0; i < n; i += kLanes) put(i, at(i) * factor);
  f32x16 tops(z[0]);
  for (int64_t i = 0; i + kLanes <= n; i += kLanes) {
    const f32x16 v = load(z + i);
    tops = select_gt(v, tops, v, tops);
  }
  float top = max_lanes(tops);
  for (int64_t i = n / kLanes * kLanes; i < n; ++i) top = z[i] > top ? z[i] : top;
  const f32x16 shift(top);
  f32x16 sums(0.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    const f32x16 e = math::exp(at(i) - shift);
    // Lanes past the end add the zero of the padding.
    alignas(64) float part[16];
    if (n - i < kLanes) {
      store(part, e);
      for (int64_t l = n - i; l < kLanes; ++l) part[l] = 0.0f;
      sums = sums + load(part);
    } else {
      sums = sums + e;
    }
    put(i, round ? round_bf16(e) : e);
  }
  alignas(64) float last[16];
  store(last, math::exp(f32x16(sink) - shift));
  return tree_sum(sums) + last[0];
}

// o[h][v] += sum over keys of weight[h][s] * row[s][v], in key order. A head's MH x ND accumulators are in
// registers.
template <class P, int MH, int ND>
HADAL_INLINE void value_tile(f32x16* o, int64_t o_stride, const uint32_t* const (&weight)[MH],
                             const std::byte* rows, int64_t row_stride, int64_t n) {
  f32x16 acc[MH * ND];
#pragma GCC unroll 32
  for (int i = 0; i < MH * ND; ++i) acc[i] = o[i / ND * o_stride + i % ND];
  for (int64_t s = 0; s < n; ++s, rows += row_stride) {
    typename P::Vec v[ND];
#pragma GCC unroll 8
    for (int d = 0; d < ND; ++d) v[d] = P::load(rows + d * kVecBytes);
#pragma GCC unroll 8
    for (int h = 0; h < MH; ++h) {
#if HADAL_BF16_DOT
      typename P::Vec w;
      if constexpr (P::kElements == 32)
        w = splat_pair(weight[h][s]);
      else
        w = f32x16(__builtin_bit_cast(float, weight[h][s]));
#else
      const f32x16 w(__builtin_bit_cast(float, weight[h][s]));
#endif
#pragma GCC unroll 8
      for (int d = 0; d < ND; ++d) acc[h * ND + d] = P::mac(acc[h * ND + d], w, v[d]);
    }
  }
#pragma GCC unroll 32
  for (int i = 0; i < MH * ND; ++i) o[i / ND * o_stride + i % ND] = acc[i];
}

// All heads and dimensions; `weight` is [heads][weight_stride], one entry per row of `rows`.
template <class P>
HADAL_INLINE void values(f32x16* o, int64_t vecs, int64_t heads, const uint32_t* weight,
                         int64_t weight_stride, const std::byte* rows, int64_t row_stride, int64_t n) {
  for (int64_t h = 0; h < heads; h += kValueHeads) {
    const int64_t some = heads - h < kValueHeads ? heads - h : kValueHeads;
    const uint32_t* w[kValueHeads];
    for (int i = 0; i < kValueHeads; ++i) w[i] = weight + (h + (i < some ? i : some - 1)) * weight_stride;
    int64_t d = 0;
    if (some == kValueHeads)
      for (; d + kValueVecs <= vecs; d += kValueVecs)
        value_tile<P, kValueHeads, kValueVecs>(o + h * vecs + d, vecs, w, rows + d * kVecBytes, row_stride,
                                               n);
    for (; d < vecs; ++d)
      for (int64_t i = 0; i < some; ++i) {
        const uint32_t* one[1] = {w[i]};
        value_tile<P, 1, 1>(o + (h + i) * vecs + d, vecs, one, rows + d * kVecBytes, row_stride, n);
      }
  }
}

// How two vectors of a head's sums hold 32 elements.
enum class ValueOrder { kContiguous, kOddEven, kJoined };

// out = sums / denominator, in the order of the elements.
template <ValueOrder order>
HADAL_INLINE void write_out(const AttendTile& t, const f32x16* o, int64_t o_vecs, const float* denominator) {
  const int64_t dim = t.layout.dim;
  for (int64_t h = 0; h < t.queries * t.heads; ++h, o += o_vecs) {
    const MutRow out{t.out[h], t.out_bf16};
    const f32x16 divisor(denominator[h]);
    for (int64_t i = 0; i < dim; i += 2 * kLanes) {
      const bool both = dim - i > kLanes;
      const f32x16 a = o[i / kLanes] / divisor;
      const f32x16 b = order != ValueOrder::kContiguous || both ? o[i / kLanes + 1] / divisor : f32x16(0.0f);
      f32x16 first = a, second = b;
      if constexpr (order == ValueOrder::kOddEven) merge_pairs(a, b, first, second);
#if HADAL_BF16_DOT
      if constexpr (order == ValueOrder::kJoined) merge_quads(a, b, first, second);
#endif
      store_at(out, i, first, dim - i);
      if (both) store_at(out, i + kLanes, second, dim - i - kLanes);
    }
  }
}

#if HADAL_BF16_DOT
// Rows two by two for `values`: the first of a pair is multiplied first. `rows` may start with a row of
// zeros.
HADAL_INLINE void join_rows(std::byte* out, const std::byte* rows, int64_t row_bytes, int64_t n) {
  for (int64_t s = 0; s < n; s += 2)
    for (int64_t at = 0; at < row_bytes; at += kVecBytes, out += 2 * kVecBytes) {
      bf16x32 low, high;
      interleave(load_bf16x32(rows + s * row_bytes + at), load_bf16x32(rows + (s + 1) * row_bytes + at), low,
                 high);
      store(static_cast<void*>(out), low);
      store(static_cast<void*>(out + kVecBytes), high);
    }
}
#endif

template <class P>
HADAL_INLINE void attend_as(const AttendTile& t) {
  constexpr bool kJoin = P::kElements == 32;
  constexpr int kRows = Panel<P>::kRows;
  const KernelFormat format = row_weight_format(t.layout.format);
  const int64_t heads = t.queries * t.heads, n_keys = t.own_keys + t.shared_keys;
  const AttendPlan plan(t.layout, t.q_bf16, heads, n_keys);
  const int64_t dim = t.layout.dim, vecs = plan.row_bytes / kVecBytes;
  auto* rows = t.scratch + plan.rows;
  auto* scores = reinterpret_cast<float*>(t.scratch + plan.scores);
  auto* o = reinterpret_cast<f32x16*>(t.scratch + plan.o);
  auto* acc = reinterpret_cast<f32x16*>(t.scratch + plan.acc);
  // An odd number of keys in pairs starts with a row of zeros: its product comes first and changes nothing (a
  // zero after the last key could turn -0 into +0).
  const int64_t pad = kJoin ? n_keys & 1 : 0, all = n_keys + pad;
  // Places from here on hold the same rows for all queries: of a pair of an own and a shared row, neither.
  const int64_t own = kJoin ? round_up(pad + t.own_keys, 2) : t.own_keys;
  const auto decode_block = [&](int64_t query, int64_t from, int64_t to) HADAL_LAMBDA_INLINE {
    for (int64_t s = from; s < to; ++s) {
      std::byte* row = rows + (s - from) * plan.row_bytes;
      const int64_t key = s - pad;
      if (key < 0)
        __builtin_memset(row, 0, static_cast<size_t>(plan.row_bytes));
      else
        decode_row<P>(row, key < t.own_keys ? t.keys[query * t.own_keys + key] : t.shared[key - t.own_keys],
                      t.layout);
    }
  };
  // Calls work(first query, queries, from, to) for each block of places: the own ones of every query, then
  // the shared ones for all.
  const auto for_blocks = [&](auto work) HADAL_LAMBDA_INLINE {
    for (int64_t i = 0; i <= t.queries; ++i) {
      const bool shared = i == t.queries;
      const int64_t end = shared ? all : own;
      for (int64_t from = shared ? own : 0; from < end; from += plan.block)
        work(shared ? 0 : i, shared ? t.queries : 1, from, from + plan.block < end ? from + plan.block : end);
    }
  };

  const std::byte* q[kMaxAttendHeads];
  for (int64_t h = 0; h < heads; ++h) {
    q[h] = t.scratch + plan.q + h * plan.row_bytes;
    prepare(t.scratch + plan.q + h * plan.row_bytes, {t.q[h], t.q_bf16}, {0, dim, dim}, format,
            input_of(t.q_bf16));
  }
  // Scores at [h][s], the padding row's score at place 0.
  for_blocks([&](int64_t query, int64_t queries, int64_t from, int64_t to) HADAL_LAMBDA_INLINE {
    decode_block(query, from, to);
    for (int64_t s = from; s < to; s += kRows) {
      const int64_t some = to - s < kRows ? to - s : kRows;
      // Past the last row stands what an earlier block left, or nothing yet: zeros keep it defined.
      for (int64_t r = some; r < kRows; ++r)
        __builtin_memset(rows + (s - from + r) * plan.row_bytes, 0, static_cast<size_t>(plan.row_bytes));
      const int64_t first = query * t.heads, count = queries * t.heads;
      panel_tokens<P, kTileRows>(q + first, count, 0, rows + (s - from) * plan.row_bytes, plan.row_bytes,
                                 round_up(some, kTileRows), vecs, acc, true);
      panel_sums<kRows>(acc, count, some, scores + first * plan.score_stride + s, plan.score_stride);
    }
  });
  float denominator[kMaxAttendHeads];
  const bool round = t.q_bf16;
  const auto* weights = reinterpret_cast<const uint32_t*>(scores);
  int64_t weight_stride = plan.score_stride;
  for (int64_t h = 0; h < heads; ++h) {
    float* z = scores + h * plan.score_stride;
    denominator[h] = softmax(z + pad, n_keys, t.scale, t.sink[h % t.heads], round);
    if (pad != 0) z[0] = 0.0f;
  }
  if constexpr (kJoin) {
    auto* pairs = reinterpret_cast<uint32_t*>(t.scratch + plan.weights);
    weight_stride = plan.score_stride / 2;
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t s = 0; s < all; s += 2) {
        const uint32_t* z = weights + h * plan.score_stride + s;
        pairs[h * weight_stride + s / 2] = (z[0] & 0xffff0000u) | z[1] >> 16;
      }
    weights = pairs;
  }
  for (int64_t i = 0; i < heads * plan.o_vecs; ++i) o[i] = f32x16(0.0f);
  const bool decoded = t.queries == 1 && all == own && all <= plan.block;  // rows are still there
  for_blocks([&](int64_t query, int64_t queries, int64_t from, int64_t to) HADAL_LAMBDA_INLINE {
    if (!decoded) decode_block(query, from, to);
    const int64_t first = query * t.heads, count = queries * t.heads;
#if HADAL_BF16_DOT
    if constexpr (kJoin) {
      std::byte* joined = t.scratch + plan.joined;
      join_rows(joined, rows, plan.row_bytes, to - from);
      values<P>(o + first * plan.o_vecs, plan.o_vecs, count, weights + first * weight_stride + from / 2,
                weight_stride, joined, plan.o_vecs * kVecBytes, (to - from) / 2);
    }
#endif
    if constexpr (!kJoin)
      values<P>(o + first * vecs, vecs, count, weights + first * weight_stride + from, weight_stride, rows,
                plan.row_bytes, to - from);
  });
  if constexpr (kJoin)
    write_out<ValueOrder::kJoined>(t, o, plan.o_vecs, denominator);
  else if (format == KernelFormat::kF32)
    write_out<ValueOrder::kContiguous>(t, o, vecs, denominator);
  else
    write_out<ValueOrder::kOddEven>(t, o, vecs, denominator);
}

void attend(const AttendTile& tile) {
  if (kHasBf16Policy && tile.q_bf16 && tile.layout.format != KernelRowFormat::kF32)
    return attend_as<Bf16Policy>(tile);
  attend_as<Lanes>(tile);
}

int64_t attend_scratch(KernelRowLayout layout, int64_t heads, int64_t n_keys) {
  return AttendPlan(layout, false, heads, n_keys).total;
}

}  // namespace
}  // namespace hadal::HADAL_ISA
