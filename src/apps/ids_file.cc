#include "apps/ids_file.h"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace hadal::apps {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) fail(ErrorCode::kNotFound, "{}: cannot be opened for reading", path.string());
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (in.bad()) fail(ErrorCode::kIo, "{}: reading failed", path.string());
  return text;
}

std::vector<int32_t> read_ids(const std::filesystem::path& path, int64_t vocab_size) {
  const nlohmann::json json = nlohmann::json::parse(read_file(path), nullptr, false);
  if (!json.is_array() || json.empty())
    fail(ErrorCode::kInvalidFile, "{}: expected a JSON array of token ids, at least one", path.string());
  std::vector<int32_t> ids;
  ids.reserve(json.size());
  for (const nlohmann::json& id : json) {
    if (!id.is_number_integer() || id.get<int64_t>() < 0 || id.get<int64_t>() >= vocab_size)
      fail(ErrorCode::kInvalidFile, "{}: entry {} is {}; expected a token id from 0 to {}", path.string(),
           ids.size(), id.dump(), vocab_size - 1);
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

}  // namespace hadal::apps
