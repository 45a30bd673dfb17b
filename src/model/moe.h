// One mixture-of-experts sub-layer (spec/model.md section 7).
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace hadal {

// x [tokens, D] after ffn_norm -> [tokens, D] in the caller's arena frame. all: the weights that `weights` is
// part of, for experts whose scales are checked at first use.
View moe(const Step& step, int layer, const MoeWeights& weights, const Weights& all, View x);

}  // namespace hadal
