// The bytes before an answer's body. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace hadal::serve {

// How a client knows where the body ends.
struct Framing {
  enum class Kind { kLength, kChunked, kClose, kNone };
  Kind kind = Kind::kNone;  // kNone: a status without a body
  size_t length = 0;        // kLength
};

// What an answer's head has besides the answer's own part.
struct HeadContext {
  std::string_view request_id;
  std::string_view date;  // http_date()
  bool keep_alive = true;
  const std::vector<Header>* more = nullptr;  // CORS
};

// "HTTP/1.1 200 OK\r\n" to the empty line. Line breaks and NULs in values become spaces: a value may come
// from a client.
std::string response_head(const HttpHead& head, const Framing& framing, const HeadContext& context);

// Whether answers of this status have no body.
bool is_bodyless(int status);

// "SIZE\r\nDATA\r\n"; nothing for no data, which would be the end.
void append_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string http_date(std::time_t time);

}  // namespace hadal::serve
