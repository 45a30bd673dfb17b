// Who may call from a browser: cross-origin headers (CORS), and the names a Host header may have. Pure
// functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace hadal::serve {

struct CorsPolicy {
  enum class Mode { kOff, kListed, kAny };
  Mode mode = Mode::kOff;
  std::vector<std::string> origins;  // kListed: "https://chat.example.org", compared in lower case
};

bool cors_allows(const CorsPolicy& policy, std::string_view origin);

// The headers every answer to `request` carries besides its own; none with kOff.
std::vector<Header> cors_headers(const CorsPolicy& policy, const HttpRequest& request);

// The headers of the answer (204) to an OPTIONS request: what a preflight asks for, or Allow alone. `allow`:
// the methods of the path; empty: there is nothing, which the request itself will say.
std::vector<Header> options_headers(const CorsPolicy& policy, const HttpRequest& request, std::string allow);

// Whether the Host header names one of `hosts`, in any case of letters, with any port. Without the header
// (only HTTP/1.0 may do without): true.
bool host_allowed(const std::vector<std::string>& hosts, const HttpRequest& request);

// Whether a browser says that the request comes from another site, wants more than to read, and is not
// allowed to by `policy`: any page can make a browser send such a POST.
bool is_foreign_browser_request(const CorsPolicy& policy, const HttpRequest& request);

}  // namespace hadal::serve
