// Compressors, KV rows, indexer and attention of the reference (spec/model.md sections 4 to 6).
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/float_mode.h"
#include "ops/math.h"
#include "ops/reference_ops.h"
#include "ops/scalar.h"
#include "tensor/format.h"

namespace hadal {

using namespace scalar;

void ReferenceOps::compress(const CompressArgs& args) {
  const ScopedFloatMode mode;
  const int64_t n = args.kv.dim[0], width = args.kv.dim[1], capacity = args.carry_kv.dim[0];
  const int64_t first = args.pos / args.ratio, last = (args.pos + n) / args.ratio;
  HADAL_CHECK(width == args.dim * (args.overlap ? 2 : 1) && args.out.dim[0] == last - first);
  HADAL_CHECK(capacity >= args.ratio * (args.overlap ? 2 : 1), "carry of {} rows", capacity);
  // The raw rows of a position: of this chunk (the bias still to be added) or carried.
  const auto score_at = [&](int64_t p, int64_t e) {
    return p >= args.pos
               ? args.score.row<const float>(p - args.pos)[e] + args.ape.row<const float>(p % args.ratio)[e]
               : args.carry_score.row<const float>(p % capacity)[e];
  };
  const auto kv_at = [&](int64_t p, int64_t e) {
    return p >= args.pos ? args.kv.row<const float>(p - args.pos)[e]
                         : args.carry_kv.row<const float>(p % capacity)[e];
  };
  for (int64_t j = first; j < last; ++j) {
    std::vector<float> pooled(static_cast<size_t>(args.dim));
    for (int64_t e = 0; e < args.dim; ++e) {
      std::vector<std::pair<float, float>> items;  // score, kv
      if (args.overlap && j >= 1)
        for (int64_t p = (j - 1) * args.ratio; p < j * args.ratio; ++p)
          items.emplace_back(score_at(p, e), kv_at(p, e));
      const int64_t channel = args.overlap ? args.dim + e : e;
      for (int64_t p = j * args.ratio; p < (j + 1) * args.ratio; ++p)
        items.emplace_back(score_at(p, channel), kv_at(p, channel));
      float top = items[0].first;
      for (const auto& item : items)
        if (item.first > top) top = item.first;
      float denominator = 0, acc = 0;
      for (const auto& [score, kv] : items) {
        const float weight = math::exp(F1(score - top)).v;
        denominator += weight;
        acc = std::fma(weight, kv, acc);
      }
      pooled[static_cast<size_t>(e)] = acc / denominator;
    }
    set_row(args.out, j - first, pooled);
  }
  for (int64_t p = std::max(args.pos, args.pos + n - capacity); p < args.pos + n; ++p)
    for (int64_t e = 0; e < width; ++e) {
      const float score = score_at(p, e), kv = kv_at(p, e);
      args.carry_score.row<float>(p % capacity)[e] = score;
      args.carry_kv.row<float>(p % capacity)[e] = kv;
    }
}

void ReferenceOps::pack_rows(std::byte* out, View rows, const RowLayout& layout) {
  const ScopedFloatMode mode;
  for (int64_t i = 0; i < rows.dim[0]; ++i) pack_row(out + i * layout.bytes(), row(rows, i), layout);
}

void ReferenceOps::append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) {
  const ScopedFloatMode mode;
  HADAL_CHECK(table.row_bytes >= layout.bytes());
  for (int64_t i = 0; i < rows.dim[0]; ++i) pack_row(table.row(first + i), row(rows, i), layout);
}

void ReferenceOps::ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) {
  for (int64_t i = std::max<int64_t>(0, n - ring.capacity); i < n; ++i)
    std::memcpy(ring.row(pos + i), rows + i * ring.row_bytes, static_cast<size_t>(ring.row_bytes));
}

namespace {

// KV and index rows are bf16 weights in packed form and F32 ones otherwise.
DotOrder row_order(const RowLayout& layout) {
  return layout.format == RowFormat::kF32 ? DotOrder::kContiguous : DotOrder::kPairs;
}

}  // namespace

void ReferenceOps::index_select(const IndexArgs& args) {
  const ScopedFloatMode mode;
  const int64_t k = args.selected.dim[1], heads = args.q.dim[1];
  const bool release = args.q.dtype == DType::kBF16;
  for (const IndexSegment& segment : args.segments)
    for (int64_t i = 0; i < segment.count; ++i) {
      const int64_t token = segment.begin + i, visible = (segment.pos + i + 1) / args.ratio;
      if (visible <= k) continue;
      std::vector<float> scores(static_cast<size_t>(visible));
      const std::vector<float> g = row(args.weights, token);
      for (int64_t j = 0; j < visible; ++j) {
        const std::vector<float> key = unpack_row(segment.keys.row(j), args.layout);
        float acc = 0;
        for (int64_t h = 0; h < heads; ++h) {
          float d = round_to(args.q.dtype, dot(row(args.q, token * heads + h), key, row_order(args.layout)));
          d = d > 0 ? d : 0;
          acc = release ? acc + round_bf16(g[static_cast<size_t>(h)] * d)
                        : std::fma(g[static_cast<size_t>(h)], d, acc);
        }
        acc = round_to(args.q.dtype, acc);
        scores[static_cast<size_t>(j)] = acc == acc ? acc : -INFINITY;
      }
      std::vector<int32_t> order(scores.size());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(),
                       [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
      std::sort(order.begin(), order.begin() + k);
      std::copy_n(order.begin(), k, args.selected.row<int32_t>(token));
    }
}

void ReferenceOps::attention(const AttentionArgs& args) {
  const ScopedFloatMode mode;
  const int64_t heads = args.q.dim[1], dim = args.q.dim[2], row_bytes = args.layout.bytes();
  for (const AttentionSegment& segment : args.segments)
    for (int64_t i = 0; i < segment.count; ++i) {
      const int64_t token = segment.begin + i, t = segment.pos + i;
      std::vector<std::vector<float>> keys;
      for (int64_t p = std::max<int64_t>(0, t - args.window + 1); p <= t; ++p)
        keys.push_back(unpack_row(
            p < segment.pos ? segment.window.row(p) : segment.chunk + (p - segment.pos) * row_bytes,
            args.layout));
      if (args.ratio > 0) {
        const int64_t visible = (t + 1) / args.ratio;
        const bool chosen = !args.selected.empty() && visible > args.selected.dim[1];
        for (int64_t s = 0; s < (chosen ? args.selected.dim[1] : visible); ++s)
          keys.push_back(unpack_row(
              segment.compressed.row(chosen ? args.selected.row<const int32_t>(token)[s] : s), args.layout));
      }
      for (int64_t h = 0; h < heads; ++h) {
        const std::vector<float> q = row(args.q, token * heads + h);
        std::vector<float> e(keys.size());
        for (size_t s = 0; s < keys.size(); ++s) e[s] = dot(q, keys[s], row_order(args.layout)) * args.scale;
        float top = e[0];
        for (const float z : e)
          if (z > top) top = z;
        for (float& z : e) z = math::exp(F1(z - top)).v;
        const float denominator = sum(e) + math::exp(F1(args.sink.as<const float>()[h] - top)).v;
        std::vector<float> o(static_cast<size_t>(dim));
        for (size_t s = 0; s < keys.size(); ++s) {
          const float weight = round_to(args.q.dtype, e[s]);
          for (size_t d = 0; d < o.size(); ++d) o[d] = std::fma(weight, keys[s][d], o[d]);
        }
        for (float& value : o) value = value / denominator;
        set_row(args.out, token * heads + h, o);
      }
    }
}

}  // namespace hadal
