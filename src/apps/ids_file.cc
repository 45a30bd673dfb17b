#include "apps/ids_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace hadal::apps {
namespace {

using Json = nlohmann::json;

// A value for a message. Never a list or an object: printing one recurses as deep as a hostile file is
// nested.
std::string shown(const Json& value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr size_t kLongest = 40;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

// Compared as the type the parser chose, so that a huge number does not wrap around.
bool is_id(const Json& value, int64_t vocab_size) {
  if (value.is_number_unsigned()) return value.get<uint64_t>() < static_cast<uint64_t>(vocab_size);
  return value.is_number_integer() && value.get<int64_t>() >= 0 && value.get<int64_t>() < vocab_size;
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const int reason = errno;
    fail(reason == ENOENT || reason == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
         "{}: cannot be opened for reading: {}", path.string(), std::strerror(reason));
  }
  std::string text;
  char buffer[1 << 16];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0 || (n < 0 && errno == EINTR))
    if (n > 0) text.append(buffer, static_cast<size_t>(n));
  const int reason = errno;
  ::close(fd);
  if (n < 0) fail(ErrorCode::kIo, "{}: cannot be read: {}", path.string(), std::strerror(reason));
  return text;
}

nlohmann::json parse_json(std::string_view text, const std::string& where) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    fail(ErrorCode::kInvalidFile, "{}: not valid JSON at byte {}", where, error.byte);
  } catch (const Json::exception&) {
    fail(ErrorCode::kInvalidFile, "{}: a number is outside the range of a double", where);
  }
}

std::vector<int32_t> ids_from_json(const Json& list, int64_t vocab_size, const std::string& where) {
  if (!list.is_array())
    fail(ErrorCode::kInvalidFile, "{}: expected a JSON array of token ids, found {}", where, shown(list));
  std::vector<int32_t> ids;
  ids.reserve(list.size());
  for (const Json& id : list) {
    if (!is_id(id, vocab_size))
      fail(ErrorCode::kInvalidFile, "{}: entry {} is {}; expected a token id from 0 to {}", where, ids.size(),
           shown(id), vocab_size - 1);
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::vector<int32_t> read_ids(const std::filesystem::path& path, int64_t vocab_size) {
  const std::string where = path.string();
  std::vector<int32_t> ids = ids_from_json(parse_json(read_file(path), where), vocab_size, where);
  if (ids.empty())
    fail(ErrorCode::kInvalidFile, "{}: expected a JSON array of token ids, at least one", where);
  return ids;
}

}  // namespace hadal::apps
