// Token ids as JSON, and files as a command line names them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace hadal::apps {

// The whole of a file, a pipe or a device. Throws Error naming it.
std::string read_file(const std::filesystem::path& path);

// One JSON text. `where` (a file, a line) begins the message of the Error{kInvalidFile} for what is no JSON.
nlohmann::json parse_json(std::string_view text, const std::string& where);

// The JSON array `list` as ids in [0, vocab_size). Throws Error{kInvalidFile}: `where`, the entry and what it
// is.
std::vector<int32_t> ids_from_json(const nlohmann::json& list, int64_t vocab_size, const std::string& where);

// A JSON array of at least one id in [0, vocab_size). Throws Error naming the file and the entry.
std::vector<int32_t> read_ids(const std::filesystem::path& path, int64_t vocab_size);

}  // namespace hadal::apps
