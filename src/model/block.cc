#include "model/block.h"

#include <utility>

#include "model/attention.h"
#include "model/moe.h"

namespace hadal {
namespace {

HcMixArgs mix_args(const Step& step, View streams) {
  HcMixArgs args;
  args.streams = streams;
  args.norm_eps = static_cast<float>(step.config.rms_norm_eps);
  args.hc_eps = static_cast<float>(step.config.hc_eps);
  args.sinkhorn_iters = step.config.hc_sinkhorn_iters;
  args.pre = step.alloc_f32({streams.dim[0], streams.dim[1]});
  return args;
}

// X <- post (x) F(norm(sum pre X)) + comb^T X.
template <class F>
void sub_layer(const Step& step, const HcWeights& hc, View norm, View& streams, View& spare, F&& inner) {
  const Arena::Frame frame(step.ops.arena());
  const int64_t tokens = streams.dim[0], copies = streams.dim[1];
  HcMixArgs mix = mix_args(step, streams);
  mix.fn = hc.fn;
  mix.base = hc.base;
  mix.scale = hc.scale;
  mix.post = step.alloc_f32({tokens, copies});
  mix.comb = step.alloc_f32({tokens, copies, copies});
  step.ops.hc_mix(mix);
  const View y = step.alloc({tokens, streams.dim[2]});
  step.ops.hc_pre(y, streams, mix.pre);
  const View o = inner(step.rms_norm(y, norm));
  step.ops.hc_post(spare, o, streams, mix.post, mix.comb);
  std::swap(streams, spare);
}

}  // namespace

void run_block(const Step& step, int layer, const LayerWeights& weights, const Weights& all, View& streams,
               View& spare) {
  sub_layer(step, weights.hc_attn, weights.attn_norm, streams, spare,
            [&](View x) { return attention(step, layer, weights.attn, x); });
  sub_layer(step, weights.hc_ffn, weights.ffn_norm, streams, spare,
            [&](View x) { return moe(step, layer, weights.ffn, all, x); });
}

View collapse(const Step& step, const HcHeadWeights& weights, View streams) {
  HcMixArgs mix = mix_args(step, streams);
  mix.fn = weights.fn;
  mix.base = weights.base;
  mix.scale = weights.scale;
  step.ops.hc_mix(mix);
  const View y = step.alloc({streams.dim[0], streams.dim[2]});
  step.ops.hc_pre(y, streams, mix.pre);
  return y;
}

}  // namespace hadal
