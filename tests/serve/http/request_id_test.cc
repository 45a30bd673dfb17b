#include "serve/http/request_id.h"

#include <gtest/gtest.h>

#include <set>

namespace hadal::serve {
namespace {

std::string id_for(std::string sent) {
  HttpRequest request;
  request.headers = {{"X-Request-Id", std::move(sent)}};
  return request_id(request);
}

TEST(RequestId, TheClientsIsKept) {
  EXPECT_EQ(id_for("abc-123"), "abc-123");
  EXPECT_EQ(id_for("!"), "!");
  EXPECT_EQ(id_for(std::string(128, '~')), std::string(128, '~'));
}

TEST(RequestId, WhatCannotBeKeptIsReplaced) {
  for (const std::string& sent :
       {std::string(), std::string(129, 'a'), std::string("a\tb"), std::string("\xc3\xa9"),
        std::string("a\0b", 3), std::string("a\r\nX: y"), std::string("\x7f")}) {
    const std::string id = id_for(sent);
    EXPECT_EQ(id.size(), 28u);
    EXPECT_TRUE(id.starts_with("req_"));
  }
}

TEST(RequestId, NewOnesDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 10000; ++i) {
    const std::string id = new_request_id();
    ASSERT_EQ(id.size(), 28u);
    ASSERT_EQ(id.find_first_not_of("0123456789abcdef", 4), std::string::npos) << id;
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 10000u);
}

}  // namespace
}  // namespace hadal::serve
