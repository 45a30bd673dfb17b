#include "serve/http/path.h"

#include <algorithm>

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
std::string without_authority(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    const size_t end = std::min(target.find_first_of("/?", scheme.size()), target.size());
    return (target.substr(end).starts_with('/') ? "" : "/") + std::string(target.substr(end));
  }
  return std::string(target);
}

}  // namespace

std::optional<RequestTarget> parse_target(std::string_view target) {
  if (target == "*") return RequestTarget{"*", ""};
  const std::string whole = without_authority(target);
  const size_t mark = std::min(whole.find('?'), whole.size());
  auto path = percent_decode(std::string_view(whole).substr(0, mark));
  if (!path || path->find('\0') != std::string::npos || utf8_valid_prefix(*path) != path->size())
    return std::nullopt;
  while (path->size() > 1 && path->ends_with('/')) path->pop_back();
  if (!path->starts_with('/')) return std::nullopt;
  return RequestTarget{std::move(*path), mark < whole.size() ? whole.substr(mark + 1) : ""};
}

}  // namespace hadal::serve
