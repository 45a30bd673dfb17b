#include "model/step.h"

namespace hadal {

const EntryPlan& Step::plan(int ratio) const {
  for (const EntryPlan& p : entries)
    if (p.ratio == ratio) return p;
  HADAL_CHECK(false, "no layer of ratio {}", ratio);
  return entries.front();
}

View Step::linear_input(View x, const Weight& w) const {
  if (numerics != Numerics::kRelease || !w.quantised()) return x;
  const View out = ops.arena().alloc({x.rows(), x.last()}, x.dtype);
  ops.fake_quant(out, x, QuantSim::kFp8Block128);
  return out;
}

View Step::linear(View input, const Weight& w) const {
  const View out = alloc({input.rows(), w.out});
  ops.matmul(out, input, w);
  return out;
}

View Step::rms_norm(View x, View gain) const {
  const View out = alloc({x.rows(), x.last()});
  ops.rms_norm(out, x, gain, static_cast<float>(config.rms_norm_eps));
  return out;
}

}  // namespace hadal
