// Compressors: tokens in, pooled rows out (spec/model.md section 5). The main one feeds attention, the
// indexer's feeds the indexer.
#pragma once

#include "model/step.h"
#include "model/weights.h"

namespace hadal {

enum class CompressorKind { kMain, kIndex };

// Pools the entries that x [tokens, D] (after attn_norm) completes and appends them to the states of the
// step.
void append_entries(const Step& step, int layer, const CompressorWeights& weights, CompressorKind kind,
                    View x);

}  // namespace hadal
