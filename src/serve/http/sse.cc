#include "serve/http/sse.h"

#include "base/check.h"

namespace hadal::serve {

void append_sse(std::string& out, std::string_view data) {
  // A client takes "\r\n", "\n" and "\r" as the end of a line.
  for (;;) {
    const size_t end = data.find_first_of("\r\n");
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  out += '\n';
}

void append_sse(std::string& out, std::string_view event, std::string_view data) {
  HADAL_CHECK(event.find_first_of("\r\n") == std::string_view::npos);
  out += "event: ";
  out += event;
  out += '\n';
  append_sse(out, data);
}

void append_ndjson(std::string& out, std::string_view json) {
  HADAL_CHECK(json.find_first_of("\r\n") == std::string_view::npos);
  out += json;
  out += '\n';
}

HttpHead sse_head() {
  return {
      200, "text/event-stream; charset=utf-8", {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}};
}

HttpHead ndjson_head() {
  return {200, "application/x-ndjson", {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}};
}

}  // namespace hadal::serve
