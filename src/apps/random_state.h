// Long contexts for measurements, without the hours that computing them takes.
#pragma once

#include <cstdint>

#include "model/state.h"

namespace hadal::apps {

// As if `tokens` more tokens had been read, with random compressed rows and index rows in place of theirs:
// what a step costs depends on how many there are. Windows and what compressors carry stay those of the
// tokens before, so some real ones should follow. The length and `tokens` are multiples of 128. Throws
// Error{kOutOfMemory}.
void append_random_rows(SequenceState& state, Ops& ops, int64_t tokens, uint64_t seed);

}  // namespace hadal::apps
