#include "model/moe.h"

#include <limits>

namespace hadal {

View moe(const Step& step, int layer, const MoeWeights& weights, const Weights& all, View x) {
  Ops& ops = step.ops;
  const Config& config = step.config;
  const int64_t tokens = step.tokens(), k = config.num_experts_per_tok;

  const View logits = step.alloc_f32({tokens, config.n_routed_experts});
  ops.matmul(logits, x, weights.gate);
  const View ids = ops.arena().alloc({tokens, k}, DType::kI32), gates = step.alloc_f32({tokens, k});
  RouteArgs route;
  route.ids = ids;
  route.weights = gates;
  route.logits = logits;
  route.bias = weights.bias;
  route.tid2eid = weights.tid2eid;
  route.token_ids = step.ids;
  route.scale = static_cast<float>(config.routed_scaling_factor);
  ops.route(route);
  for (int64_t i = 0; i < tokens * k; ++i)
    if (const int32_t id = ids.as<const int32_t>()[i]; id >= 0) all.experts->check(all, layer, id);

  ExpertArgs args;
  args.out = step.alloc({tokens, config.hidden_size});
  args.x = x;
  args.xq = weights.shared.w1.quantised() ? step.linear_input(x, weights.shared.w1)
                                          : step.linear_input(x, weights.experts.front().w1);
  args.ids = ids;
  args.weights = gates;
  args.experts = weights.experts;
  args.shared = &weights.shared;
  args.limit = config.swiglu_limit > 0 ? static_cast<float>(config.swiglu_limit)
                                       : std::numeric_limits<float>::infinity();
  args.quantise_activations = step.numerics == Numerics::kRelease;
  ops.expert_ffn(args);
  return args.out;
}

}  // namespace hadal
