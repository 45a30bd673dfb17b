// The target of a request line taken apart. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hadal::serve {

struct RequestTarget {
  std::string path;   // percent-decoded once, without trailing slashes; "*" for the whole server (OPTIONS *)
  std::string query;  // as sent, without "?"
};

// Of "/path?query", "http://host/path?query" or "*". nullopt: something else, a broken escape, a NUL, or a
// path that is not UTF-8.
std::optional<RequestTarget> parse_target(std::string_view target);

}  // namespace hadal::serve
