#include "cpu/case_inputs.h"

#include <algorithm>

#include "tensor/format.h"

namespace hadal {

void hc_mix_case(OpCase& c, DType dtype, int64_t tokens, int64_t streams, int64_t dim, bool full,
                 Spread spread) {
  const int64_t rows = full ? (2 + streams) * streams : streams;
  HcMixArgs args;
  args.streams = c.tensor(dtype, {tokens, streams, dim}, spread);
  args.fn = c.tensor(DType::kF32, {rows, streams * dim});
  args.base = c.tensor(DType::kF32, {rows});
  args.scale = c.tensor(DType::kF32, {full ? 3 : 1});
  args.pre = c.output("pre", DType::kF32, {tokens, streams});
  if (full) {
    args.post = c.output("post", DType::kF32, {tokens, streams});
    args.comb = c.output("comb", DType::kF32, {tokens, streams, streams});
  }
  c.ops().hc_mix(args);
}

void compress_case(OpCase& c, DType dtype, int ratio, int dim, bool overlap, int64_t pos, int64_t n,
                   Spread spread) {
  const int64_t width = overlap ? 2 * dim : dim, capacity = overlap ? 2 * ratio : ratio;
  const View kv = c.tensor(DType::kF32, {pos + n, width}, spread);
  const View score = c.tensor(DType::kF32, {pos + n, width}, spread);
  CompressArgs args;
  args.ape = c.tensor(DType::kF32, {ratio, width});
  args.ratio = ratio;
  args.dim = dim;
  args.overlap = overlap;
  args.carry_kv = c.inout("carry_kv", c.tensor(DType::kF32, {capacity, width}));
  args.carry_score = c.inout("carry_score", c.tensor(DType::kF32, {capacity, width}));
  for (const int64_t from : {int64_t{0}, pos}) {
    const int64_t count = from == pos ? n : pos;
    if (from == 0 && pos == 0 && count == 0) continue;
    args.pos = from;
    args.kv = kv.slice(0, from, count);
    args.score = score.slice(0, from, count);
    args.out = c.output("out", dtype, {(from + count) / ratio - from / ratio, dim});
    c.ops().compress(args);
    if (pos == 0) break;
  }
}

namespace {

RowLayout layout_for(DType dtype, RowFormat packed, int dim, int rope_dim) {
  return {dtype == DType::kF32 ? RowFormat::kF32 : packed, dim, rope_dim};
}

// A table of `rows` packed rows over blocks of seven. `distinct`: only so many different ones.
RowTable packed_table(OpCase& c, DType dtype, const RowLayout& layout, int64_t rows, int distinct,
                      Spread spread) {
  constexpr int kPerBlock = 7;
  constexpr int64_t kOffset = 40;
  const int64_t blocks = (rows + kPerBlock - 1) / kPerBlock;
  auto** list = reinterpret_cast<std::byte**>(c.bytes(std::max<int64_t>(blocks, 1) * 8));
  for (int64_t b = 0; b < blocks; ++b) list[b] = c.bytes(kOffset + kPerBlock * layout.bytes());
  const RowTable table{list, kOffset, layout.bytes(), kPerBlock};
  if (rows == 0) return table;
  const View values = c.tensor(dtype, {std::max<int64_t>(rows, distinct), layout.dim}, spread);
  if (distinct == 0) {
    c.ops().append_rows(table, 0, values.slice(0, 0, rows), layout);
    return table;
  }
  for (int64_t j = 0; j < rows; ++j)
    c.ops().append_rows(table, j, values.slice(0, c.below(distinct), 1), layout);
  return table;
}

}  // namespace

void index_case(OpCase& c, DType dtype, const IndexShape& shape) {
  const RowLayout layout = layout_for(dtype, RowFormat::kPackedIndex, shape.dim, 0);
  IndexSegment segments[2];
  const int64_t tokens = 2 * shape.count;
  IndexArgs args;
  args.q = c.tensor(dtype, {tokens, shape.heads, shape.dim}, shape.spread);
  if (dtype == DType::kBF16) c.ops().fake_quant(args.q, args.q, QuantSim::kFp4Block32);
  args.weights = c.tensor(dtype, {tokens, shape.heads}, shape.spread);
  args.ratio = 4;
  args.layout = layout;
  for (int s = 0; s < 2; ++s) {
    segments[s].pos = s == 0 ? shape.pos : 3;
    segments[s].begin = s * shape.count;
    segments[s].count = shape.count;
    segments[s].keys =
        packed_table(c, dtype, layout, (segments[s].pos + shape.count) / 4, shape.distinct, shape.spread);
  }
  args.segments = segments;
  args.selected = c.output("selected", DType::kI32, {tokens, shape.k});
  c.ops().index_select(args);
}

void attention_case(OpCase& c, DType dtype, const AttentionShape& shape) {
  const RowLayout layout = layout_for(dtype, RowFormat::kPackedKv, shape.dim, shape.rope_dim);
  const int64_t tokens = 2 * shape.count;
  AttentionSegment segments[2];
  AttentionArgs args;
  args.q = c.tensor(dtype, {tokens, shape.heads, shape.dim}, shape.spread, 3);
  args.sink = c.tensor(DType::kF32, {shape.heads});
  args.scale = 0.17f;
  args.window = shape.window;
  args.ratio = shape.ratio;
  args.layout = layout;
  if (shape.k > 0) args.selected = c.integers(DType::kI32, {tokens, shape.k}, 0, 1);
  for (int s = 0; s < 2; ++s) {
    AttentionSegment& segment = segments[s];
    segment.pos = s == 0 ? shape.pos : 0;
    segment.begin = s * shape.count;
    segment.count = shape.count;
    const int64_t capacity = shape.window + 2;
    segment.window = {c.bytes(capacity * layout.bytes()), layout.bytes(), capacity};
    for (int64_t p = std::max<int64_t>(0, segment.pos - capacity); p < segment.pos; ++p)
      c.ops().pack_rows(segment.window.row(p), c.tensor(dtype, {1, shape.dim}, shape.spread), layout);
    std::byte* chunk = c.bytes(shape.count * layout.bytes());
    c.ops().pack_rows(chunk, c.tensor(dtype, {shape.count, shape.dim}, shape.spread), layout);
    segment.chunk = chunk;
    if (shape.ratio == 0) continue;
    segment.compressed =
        packed_table(c, dtype, layout, (segment.pos + shape.count) / shape.ratio, 0, shape.spread);
    for (int64_t i = 0; i < shape.count && shape.k > 0; ++i) {
      // k different visible entries, ascending, where there are more of them.
      const int64_t visible = (segment.pos + i + 1) / shape.ratio;
      if (visible <= shape.k) continue;
      int32_t* row = args.selected.row<int32_t>(segment.begin + i);
      int64_t taken = 0;
      for (int64_t j = 0; j < visible && taken < shape.k; ++j)
        if (c.below(visible - j) < shape.k - taken) row[taken++] = static_cast<int32_t>(j);
    }
  }
  args.segments = segments;
  args.out = c.output("out", dtype, {tokens, shape.heads, shape.dim}, 5);
  c.ops().attention(args);
}

void route_case(OpCase& c, int64_t tokens, int64_t experts, int64_t k, bool hashed, Spread spread) {
  RouteArgs args;
  args.logits = c.tensor(DType::kF32, {tokens, experts}, spread);
  // Equal scores, so that ties are met.
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t e = 1; e < experts; e += 2)
      if (c.below(4) == 0) args.logits.row<float>(t)[e] = args.logits.row<float>(t)[e - 1];
  if (hashed) {
    args.tid2eid = c.integers(DType::kI64, {30, k}, 0, experts);
    args.token_ids = c.integers(DType::kI32, {tokens}, 0, 30);
  } else if (c.below(2) == 0) {
    args.bias = c.tensor(DType::kF32, {experts});
  }
  args.scale = 1.5f;
  args.ids = c.output("ids", DType::kI32, {tokens, k});
  args.weights = c.output("weights", DType::kF32, {tokens, k});
  c.ops().route(args);
}

void expert_case(OpCase& c, DType dtype, const ExpertShape& shape) {
  const auto expert = [&](WeightFormat format) {
    return ExpertWeights{c.weight(format, shape.hidden, shape.width),
                         c.weight(format, shape.width, shape.hidden),
                         c.weight(format, shape.hidden, shape.width)};
  };
  std::vector<ExpertWeights> experts;
  for (int64_t e = 0; e < shape.experts; ++e) experts.push_back(expert(shape.routed));
  const ExpertWeights shared = expert(shape.shared);
  ExpertArgs args;
  args.x = c.tensor(dtype, {shape.tokens, shape.width});
  c.ops().scale(args.x, shape.spread);
  args.xq = c.tensor(dtype, {shape.tokens, shape.width});
  if (shape.quantise) c.ops().fake_quant(args.xq, args.x, QuantSim::kFp8Block128);
  args.weights = c.tensor(DType::kF32, {shape.tokens, shape.k});
  args.ids = c.integers(DType::kI32, {shape.tokens, shape.k}, 0, 1);
  for (int64_t t = 0; t < shape.tokens; ++t) {
    int32_t* ids = args.ids.row<int32_t>(t);
    int64_t taken = 0;
    for (int64_t e = 0; e < shape.experts && taken < shape.k; ++e)
      if (c.below(shape.experts - e) < shape.k - taken) ids[taken++] = static_cast<int32_t>(e);
    for (; taken < shape.k; ++taken) ids[taken] = -1;
    if (c.below(8) == 0) ids[c.below(shape.k)] = -1;
  }
  args.experts = experts;
  args.shared = shape.with_shared ? &shared : nullptr;
  args.quantise_activations = shape.quantise;
  args.out = c.output("out", dtype, {shape.tokens, shape.width});
  c.ops().expert_ffn(args);
}

}  // namespace hadal
