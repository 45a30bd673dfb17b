// Lightning indexer of a CSA layer: which compressed entries a query attends to (spec/model.md section 6).
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace hadal {

// Runs the indexer's compressor on x [tokens, D] (after attn_norm), then selects for every token. qr [tokens,
// q_lora] is the normed query latent. Returns [tokens, index_topk] i32 ascending, meaningful for tokens that
// see more entries than index_topk; an empty view when no token does.
View select_entries(const Step& step, int layer, const IndexerWeights& weights, View qr, View x);

}  // namespace hadal
