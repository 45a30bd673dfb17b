#include "serve/http/message.h"

#include <algorithm>

namespace hadal::serve {

std::optional<std::string_view> HttpRequest::header(std::string_view name) const {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  for (const Header& h : headers)
    if (std::equal(h.name.begin(), h.name.end(), name.begin(), name.end(),
                   [&](char a, char b) { return lower(a) == lower(b); }))
      return h.value;
  return std::nullopt;
}

}  // namespace hadal::serve
