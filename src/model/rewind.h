// Rewinding to any length: what a state cannot tell any more is computed again from its own tokens.
#pragma once

#include "model/model.h"

namespace hadal {

// Makes the state hold exactly the first `length` of its tokens, bit for bit as it was then, the draft block
// included if it had seen them. Returns how many tokens were computed again: at most 127 where every boundary
// is kept. Throws Error as Model::forward does; the state is then shorter, and exact.
int64_t rewind(const Model& model, const Ctx& ctx, SequenceState& state, int64_t length);

}  // namespace hadal
