#include "serve/http/path.h"

#include "text/utf8.h"

namespace hadal::serve {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

// "http://host/path" is what a client sends that takes us for a proxy: what comes after the host counts.
std::string_view without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t path = target.find_first_of("/?", scheme.size());
    return path == std::string_view::npos ? "/" : target.substr(path);
  }
  return target;
}

}  // namespace

std::optional<RequestTarget> parse_target(std::string_view target) {
  if (target == "*") return RequestTarget{"*", ""};
  target = without_authority(target);
  const size_t mark = target.find('?');
  auto path = percent_decode(target.substr(0, mark));
  if (!path || path->find('\0') != std::string::npos || utf8_valid_prefix(*path) != path->size())
    return std::nullopt;
  while (path->size() > 1 && path->ends_with('/')) path->pop_back();
  if (path->empty() && mark == 0) *path = "/";  // "http://host?query"
  if (!path->starts_with('/')) return std::nullopt;
  return RequestTarget{std::move(*path),
                       std::string(mark == std::string_view::npos ? "" : target.substr(mark + 1))};
}

}  // namespace hadal::serve
