// One attention sub-layer: window, compressed rows and grouped output projection (spec/model.md section 4).
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace hadal {

// x [tokens, D] after attn_norm -> [tokens, D] in the caller's arena frame. Appends to the states of the
// step's segments.
View attention(const Step& step, int layer, const AttentionWeights& weights, View x);

}  // namespace hadal
