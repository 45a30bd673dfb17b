#include "serve/http/cors.h"

#include <algorithm>
#include <utility>

namespace hadal::serve {
namespace {

// What the API's clients send: "*" does not cover Authorization, and nothing at all for requests with
// credentials.
constexpr std::string_view kAllowedHeaders =
    "*, Authorization, Content-Type, x-api-key, anthropic-version, anthropic-beta, "
    "anthropic-dangerous-direct-browser-access, x-request-id";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// "example.org" of "example.org:80", "[::1]" of "[::1]:80".
std::string_view without_port(std::string_view host) {
  const size_t bracket = host.rfind(']');
  const size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return host.substr(0, colon);
}

}  // namespace

bool cors_allows(const CorsPolicy& policy, std::string_view origin) {
  switch (policy.mode) {
    case CorsPolicy::Mode::kOff:
      return false;
    case CorsPolicy::Mode::kAny:
      return true;
    case CorsPolicy::Mode::kListed:
      break;
  }
  const std::string wanted = lower(origin);
  return std::any_of(policy.origins.begin(), policy.origins.end(),
                     [&](const std::string& o) { return lower(o) == wanted; });
}

std::vector<Header> cors_headers(const CorsPolicy& policy, const HttpRequest& request) {
  if (policy.mode == CorsPolicy::Mode::kOff) return {};
  std::vector<Header> headers;
  if (policy.mode == CorsPolicy::Mode::kAny) {
    headers.push_back({"Access-Control-Allow-Origin", "*"});
  } else {
    headers.push_back({"Vary", "Origin"});  // a cache must not give one origin's answer to another
    const auto origin = request.header("origin");
    if (!origin || !cors_allows(policy, *origin)) return headers;
    headers.push_back({"Access-Control-Allow-Origin", std::string(*origin)});
  }
  headers.push_back({"Access-Control-Expose-Headers", "x-request-id, request-id"});
  return headers;
}

std::vector<Header> options_headers(const CorsPolicy& policy, const HttpRequest& request, std::string allow) {
  std::vector<Header> headers = {{"Allow", allow.empty() ? "OPTIONS" : std::move(allow)}};
  for (Header& header : cors_headers(policy, request)) headers.push_back(std::move(header));
  const auto origin = request.header("origin");
  if (policy.mode == CorsPolicy::Mode::kAny || (origin && cors_allows(policy, *origin))) {
    headers.push_back({"Access-Control-Allow-Methods", "GET, POST, OPTIONS"});
    headers.push_back({"Access-Control-Allow-Headers", std::string(kAllowedHeaders)});
    headers.push_back({"Access-Control-Max-Age", "86400"});
    // A page on the internet that asks for a server in the private network (a rule of Chromium).
    if (request.header("access-control-request-private-network"))
      headers.push_back({"Access-Control-Allow-Private-Network", "true"});
  }
  return headers;
}

bool host_allowed(const std::vector<std::string>& hosts, const HttpRequest& request) {
  const auto sent = request.header("host");
  if (!sent) return true;
  std::string host = lower(without_port(*sent));
  if (host.size() > 1 && host.ends_with('.')) host.pop_back();
  return std::any_of(hosts.begin(), hosts.end(),
                     [&](const std::string& allowed) { return lower(allowed) == host; });
}

bool is_foreign_browser_request(const CorsPolicy& policy, const HttpRequest& request) {
  const auto site = request.header("sec-fetch-site");
  if (!site || *site != "cross-site") return false;
  if (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS") return false;
  const auto origin = request.header("origin");
  return !origin || !cors_allows(policy, *origin);
}

}  // namespace hadal::serve
