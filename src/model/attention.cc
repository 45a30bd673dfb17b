#include "model/attention.h"

#include <cmath>

#include "model/compressor.h"
#include "model/indexer.h"

namespace hadal {

View attention(const Step& step, int layer, const AttentionWeights& weights, View x) {
  Ops& ops = step.ops;
  const Config& config = step.config;
  const int64_t tokens = step.tokens(), heads = config.num_attention_heads, head_dim = config.head_dim;
  const int ratio = config.ratio(layer);
  const View& angles = step.angles(ratio);
  const float eps = static_cast<float>(config.rms_norm_eps);

  // Queries. qr is kept for the indexer.
  const View xq = step.linear_input(x, weights.wq_a);
  const View qr = step.rms_norm(step.linear(xq, weights.wq_a), weights.q_norm);
  const View q =
      step.linear(step.linear_input(qr, weights.wq_b), weights.wq_b).reshape({tokens, heads, head_dim});
  ops.head_norm(q, eps);
  ops.rope(q, angles, Direction::kForward);

  // One row per token, both key and value of every head.
  const bool same_input = weights.wkv.quantised() == weights.wq_a.quantised();
  const View kv = step.rms_norm(step.linear(same_input ? xq : step.linear_input(x, weights.wkv), weights.wkv),
                                weights.kv_norm);
  ops.rope(kv, angles, Direction::kForward);
  const StateLayout& layout = step.segments.front().state->layout();
  const int64_t row_bytes = layout.kv_row.bytes();
  const View rows = ops.arena().alloc({tokens, row_bytes}, DType::kI8);
  ops.pack_rows(rows.data, kv, layout.kv_row);

  View selected;
  if (weights.indexer) selected = select_entries(step, layer, *weights.indexer, qr, x);
  if (weights.compressor) append_entries(step, layer, *weights.compressor, CompressorKind::kMain, x);

  std::vector<AttentionSegment> segments;
  for (const StepSegment& s : step.segments)
    segments.push_back({s.pos, s.begin, s.count, s.state->window(layer), rows.data + s.begin * row_bytes,
                        ratio > 0 ? s.state->rows(layer) : RowTable{}});
  const View o = step.alloc({tokens, heads, head_dim});
  AttentionArgs args;
  args.out = o;
  args.q = q;
  args.sink = weights.attn_sink;
  args.scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(head_dim)));
  args.window = static_cast<int>(layout.window);
  args.ratio = ratio;
  args.layout = layout.kv_row;
  args.selected = selected;
  args.segments = segments;
  ops.attention(args);
  for (const AttentionSegment& s : segments) ops.ring_write(s.window, s.pos, s.chunk, s.count);

  // The values carry RoPE at their own positions; the query's takes it back to a relative one (section 4.8).
  ops.rope(o, angles, Direction::kInverse);

  // Grouped output projection; the input of wo_a is not quantised (section 4.9).
  const View b = step.alloc({tokens, config.o_groups, config.o_lora_rank});
  ops.grouped_matmul(b, o.reshape({tokens, config.o_groups, config.group_dim()}), weights.wo_a);
  const View flat = b.reshape({tokens, config.o_groups * config.o_lora_rank});
  return step.linear(step.linear_input(flat, weights.wo_b), weights.wo_b);
}

}  // namespace hadal
