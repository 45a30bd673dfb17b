// Which model it is: 128 bits that change when the configuration or the weights of a checkpoint do.
#pragma once

#include <filesystem>

#include "kv/chain.h"

namespace hadal {

class Checkpoint;

// Covers config.json beside the weights (its absence too) and the shard index, whole; of every weight file
// its name, size, time of last change in nanoseconds and safetensors header, and its content: all of it up to
// 64 MiB, otherwise 64 pieces of 4 KiB evenly spaced over the file, the first and the last included. So 160
// GB cost a few thousand small reads.
//
// Limits: a larger file changed in place, between the pieces, with its size and time of change put back, is
// not noticed. A copy of a checkpoint whose times differ counts as another model; what was cached for the
// first is then not used.
//
// Throws Error{kNotFound, kIo, kInvalidFile} naming the file.
Hash128 fingerprint(const Checkpoint& checkpoint);

}  // namespace hadal
