// The two framings of a streamed answer: server-sent events and lines of JSON. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "serve/http/message.h"

namespace hadal::serve {

// "data: DATA\n\n". Data of several lines becomes several data: lines, which a client joins again.
void append_sse(std::string& out, std::string_view data);
// "event: EVENT\ndata: DATA\n\n". The event's name has no line break.
void append_sse(std::string& out, std::string_view event, std::string_view data);
// A line of NDJSON; the JSON must not contain a line break.
void append_ndjson(std::string& out, std::string_view json);

// What a client may be sent at any time while nothing else is.
inline constexpr std::string_view kSseKeepAlive = ": keep-alive\n\n";

HttpHead sse_head();
HttpHead ndjson_head();

}  // namespace hadal::serve
