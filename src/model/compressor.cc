#include "model/compressor.h"

namespace hadal {

void append_entries(const Step& step, int layer, const CompressorWeights& weights, CompressorKind kind,
                    View x) {
  Ops& ops = step.ops;
  const Arena::Frame frame(ops.arena());
  const bool index = kind == CompressorKind::kIndex;
  const int ratio = step.config.ratio(layer);
  const StateLayout& layout = step.segments.front().state->layout();
  const StateLayout::Layer& place = layout.layers[static_cast<size_t>(layer)];
  const StateLayout::Carry& carry = index ? place.index : place.main;
  const RowLayout& row = index ? layout.index_row : layout.kv_row;
  const EntryPlan& plan = step.plan(ratio);

  // fp32 and never rounded to bf16 (section 5.1); x is not quantised here.
  const View kv = step.alloc_f32({step.tokens(), carry.width}),
             score = step.alloc_f32({step.tokens(), carry.width});
  ops.matmul(kv, x, weights.wkv);
  ops.matmul(score, x, weights.wgate);

  const View pooled = step.alloc({plan.total, row.dim});
  for (size_t i = 0; i < step.segments.size(); ++i) {
    const StepSegment& s = step.segments[i];
    CompressArgs args;
    args.kv = kv.slice(0, s.begin, s.count);
    args.score = score.slice(0, s.begin, s.count);
    args.ape = weights.ape;
    args.ratio = ratio;
    args.dim = row.dim;
    args.overlap = ratio == 4;
    args.pos = s.pos;
    args.carry_kv = s.state->carry_kv(carry);
    args.carry_score = s.state->carry_score(carry);
    args.out = pooled.slice(0, plan.parts[i].offset, plan.parts[i].count);
    ops.compress(args);
  }
  if (plan.total == 0) return;

  const View rows = step.rms_norm(pooled, weights.norm);
  ops.rope(rows, plan.angles, Direction::kForward);
  if (index && step.numerics == Numerics::kRelease) ops.hadamard(rows);
  for (size_t i = 0; i < step.segments.size(); ++i) {
    const EntryPlan::Part& part = plan.parts[i];
    const SequenceState& state = *step.segments[i].state;
    if (part.count > 0)
      ops.append_rows(index ? state.keys(layer) : state.rows(layer), part.first,
                      rows.slice(0, part.offset, part.count), row);
  }
}

}  // namespace hadal
