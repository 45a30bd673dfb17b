// A whole sequence in one file, to go on with later, in this process or another (docs/formats/kvfile.md).
#pragma once

#include <filesystem>

#include "kv/chain.h"
#include "model/state.h"

namespace hadal {

// Writes atomically: others see no file or the whole one. Boundaries that the blocks keep go with it, so the
// sequence can be taken back after loading as before. Throws Error{kIo, kInvalidInput} (an empty sequence).
void save_session(const std::filesystem::path& path, const KvIdentity& identity, const Snapshot& snapshot);

// Throws Error: kNotFound, kInvalidFile (damaged, cut short, of another model, numerics or format version;
// the message names the field), kOutOfMemory, kIo.
Snapshot load_session(const std::filesystem::path& path, const KvIdentity& identity,
                      const StateLayout& layout, const KvPool& pool);

}  // namespace hadal
