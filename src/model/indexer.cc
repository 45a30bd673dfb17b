#include "model/indexer.h"

#include <algorithm>
#include <cmath>

#include "model/compressor.h"

namespace hadal {

View select_entries(const Step& step, int layer, const IndexerWeights& weights, View qr, View x) {
  Ops& ops = step.ops;
  const Config& config = step.config;
  const int ratio = config.ratio(layer);
  append_entries(step, layer, weights.compressor, CompressorKind::kIndex, x);
  const bool choose = std::any_of(step.segments.begin(), step.segments.end(), [&](const StepSegment& s) {
    return (s.pos + s.count) / ratio > config.index_topk;
  });
  if (!choose) return {};

  const View selected = ops.arena().alloc({step.tokens(), config.index_topk}, DType::kI32);
  const Arena::Frame frame(ops.arena());
  const View q = step.linear(step.linear_input(qr, weights.wq_b), weights.wq_b)
                     .reshape({step.tokens(), config.index_n_heads, config.index_head_dim});
  ops.rope(q, step.angles(ratio), Direction::kForward);
  if (step.numerics == Numerics::kRelease) {
    ops.hadamard(q);
    ops.fake_quant(q, q, QuantSim::kFp4Block32);
  }
  const View g = step.linear(x, weights.weights_proj);
  ops.scale(g, static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.index_head_dim)) /
                                  std::sqrt(static_cast<double>(config.index_n_heads))));

  std::vector<IndexSegment> segments;
  for (const StepSegment& s : step.segments)
    segments.push_back({s.pos, s.begin, s.count, s.state->keys(layer)});
  IndexArgs args;
  args.selected = selected;
  args.q = q;
  args.weights = g;
  args.ratio = ratio;
  args.layout = step.segments.front().state->layout().index_row;
  args.segments = segments;
  ops.index_select(args);
  return selected;
}

}  // namespace hadal
