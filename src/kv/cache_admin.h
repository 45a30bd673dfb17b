// What a person does with a cache folder from outside: look, check, make smaller. Other processes may be
// using it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kv/disk_index.h"

namespace hadal {

// Every payload file, the most recently used first. Nothing is removed; a missing index is made. Throws
// Error{kNotFound} when there is no such folder, {kIo} when it cannot be read.
std::vector<IndexedFile> list_cache(const std::filesystem::path& folder);

struct VerifiedFile {
  std::string name;
  int64_t bytes = 0;
  std::string problem;  // empty: every byte is as it was written
};
// Reads all of every payload file and checks all of it. remove_bad: those with problems are removed. The same
// errors.
std::vector<VerifiedFile> verify_cache(const std::filesystem::path& folder, bool remove_bad);

struct PruneResult {
  int64_t removed_files = 0, removed_bytes = 0;
  int64_t files = 0, bytes = 0;  // what is left
};
// Removes the least recently used until at most max_bytes are left. The same errors.
PruneResult prune_cache(const std::filesystem::path& folder, int64_t max_bytes);

}  // namespace hadal
