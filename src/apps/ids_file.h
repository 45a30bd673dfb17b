// Token ids from a JSON file: [0, 15, 7, ...].
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace hadal::apps {

// Throws Error naming the file and the entry: not an array of integers in [0, vocab_size), or empty.
std::vector<int32_t> read_ids(const std::filesystem::path& path, int64_t vocab_size);

// A whole file as text. Throws Error{kNotFound, kIo}.
std::string read_file(const std::filesystem::path& path);

}  // namespace hadal::apps
