#include "serve/http/cors.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

HttpRequest with(std::vector<Header> headers, std::string method = "POST") {
  HttpRequest request;
  request.method = std::move(method);
  request.headers = std::move(headers);
  return request;
}

std::string value(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers)
    if (header.name == name) return header.value;
  return "none";
}

const CorsPolicy kOff, kAny{CorsPolicy::Mode::kAny, {}},
    kListed{CorsPolicy::Mode::kListed, {"https://Chat.example.org", "http://localhost:3000"}};

TEST(Cors, OffSaysNothing) {
  EXPECT_TRUE(cors_headers(kOff, with({{"Origin", "https://a"}})).empty());
  const auto options = options_headers(kOff, with({{"Origin", "https://a"}}, "OPTIONS"), "OPTIONS, POST");
  ASSERT_EQ(options.size(), 1u);
  EXPECT_EQ(value(options, "Allow"), "OPTIONS, POST");
  EXPECT_EQ(value(options_headers(kOff, with({}, "OPTIONS"), ""), "Allow"), "OPTIONS");
}

TEST(Cors, AnyOriginIsAStar) {
  const auto headers = cors_headers(kAny, with({}));
  EXPECT_EQ(value(headers, "Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(value(headers, "Access-Control-Expose-Headers"), "x-request-id, request-id");
  EXPECT_EQ(value(headers, "Vary"), "none");
}

TEST(Cors, AListedOriginIsEchoed) {
  const auto headers = cors_headers(kListed, with({{"origin", "https://chat.EXAMPLE.org"}}));
  EXPECT_EQ(value(headers, "Access-Control-Allow-Origin"), "https://chat.EXAMPLE.org");
  EXPECT_EQ(value(headers, "Vary"), "Origin");
  for (const char* origin : {"https://evil.org", "null", "", "https://chat.example.org.evil.org"}) {
    const auto other = cors_headers(kListed, with({{"origin", origin}}));
    EXPECT_EQ(value(other, "Access-Control-Allow-Origin"), "none") << origin;
    EXPECT_EQ(value(other, "Vary"), "Origin");
  }
  EXPECT_EQ(value(cors_headers(kListed, with({})), "Access-Control-Allow-Origin"), "none");
}

TEST(Cors, Preflight) {
  const auto request = with({{"Origin", "http://localhost:3000"},
                             {"Access-Control-Request-Method", "POST"},
                             {"Access-Control-Request-Private-Network", "true"}},
                            "OPTIONS");
  for (const CorsPolicy& policy : {kAny, kListed}) {
    const auto headers = options_headers(policy, request, "OPTIONS, POST");
    EXPECT_EQ(value(headers, "Access-Control-Allow-Methods"), "GET, POST, OPTIONS");
    EXPECT_EQ(value(headers, "Access-Control-Max-Age"), "86400");
    EXPECT_EQ(value(headers, "Access-Control-Allow-Private-Network"), "true");
    const std::string allowed = value(headers, "Access-Control-Allow-Headers");
    for (const char* name : {"*", "Authorization", "Content-Type", "x-api-key", "anthropic-version",
                             "anthropic-beta", "anthropic-dangerous-direct-browser-access"})
      EXPECT_NE((", " + allowed + ",").find(", " + std::string(name) + ","), std::string::npos) << name;
  }
  const auto foreign = options_headers(kListed, with({{"Origin", "https://evil.org"}}, "OPTIONS"), "OPTIONS");
  EXPECT_EQ(value(foreign, "Access-Control-Allow-Methods"), "none");
}

TEST(Cors, HostsByNameWithAnyPort) {
  const std::vector<std::string> hosts = {"localhost", "127.0.0.1", "[::1]", "Box.lan"};
  for (const char* host :
       {"localhost", "LocalHost:8080", "127.0.0.1:1", "[::1]", "[::1]:8080", "box.lan", "localhost."})
    EXPECT_TRUE(host_allowed(hosts, with({{"Host", host}}))) << host;
  for (const char* host : {"evil.org", "localhost.evil.org", "", "127.0.0.1.evil.org:80", "[::2]", "::1",
                           "localhost@evil", "[::1]x", "."})
    EXPECT_FALSE(host_allowed(hosts, with({{"Host", host}}))) << host;
  EXPECT_TRUE(host_allowed(hosts, with({})));
}

TEST(Cors, WhatABrowserSendsAcrossSites) {
  const Header cross = {"Sec-Fetch-Site", "cross-site"};
  EXPECT_TRUE(is_foreign_browser_request(kOff, with({cross, {"Origin", "https://a"}})));
  EXPECT_TRUE(is_foreign_browser_request(kOff, with({cross})));
  EXPECT_TRUE(is_foreign_browser_request(kListed, with({cross, {"Origin", "https://a"}})));
  EXPECT_FALSE(is_foreign_browser_request(kListed, with({cross, {"Origin", "http://localhost:3000"}})));
  EXPECT_FALSE(is_foreign_browser_request(kAny, with({cross, {"Origin", "https://a"}})));
  EXPECT_FALSE(is_foreign_browser_request(kOff, with({{"Origin", "https://a"}}))) << "not a browser of today";
  EXPECT_FALSE(is_foreign_browser_request(kOff, with({{"Sec-Fetch-Site", "same-origin"}})));
  for (const char* method : {"GET", "HEAD", "OPTIONS"})
    EXPECT_FALSE(is_foreign_browser_request(kOff, with({cross}, method))) << method;
}

}  // namespace
}  // namespace hadal::serve
