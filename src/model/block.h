// One layer: attention and MoE sub-layers, each between hc_pre and hc_post (spec/model.md section 3.2).
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace hadal {

// streams and spare: [tokens, M, D]. The result is in `streams`; the two views may have been exchanged.
void run_block(const Step& step, int layer, const LayerWeights& weights, const Weights& all, View& streams,
               View& spare);

// The final collapse (section 3.6): [rows, M, D] -> [rows, D] in the caller's arena frame.
View collapse(const Step& step, const HcHeadWeights& weights, View streams);

}  // namespace hadal
