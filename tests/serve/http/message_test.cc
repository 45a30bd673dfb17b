#include "serve/http/message.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

TEST(Message, HeadersAreFoundInAnyCase) {
  HttpRequest request;
  request.headers = {{"Content-Type", "text/plain"}, {"X-API-Key", "a"}, {"x-api-key", "b"}};
  EXPECT_EQ(request.header("content-type"), "text/plain");
  EXPECT_EQ(request.header("X-Api-KEY"), "a");
  EXPECT_EQ(request.header("content"), std::nullopt);
  EXPECT_EQ(request.header("content-type2"), std::nullopt);
}

TEST(Message, AReadyAnswerIsOver) {
  ReadyAnswer answer({201, "text/plain", {}}, "body");
  std::string out = "before ";
  EXPECT_TRUE(answer.pull(out));
  EXPECT_EQ(out, "before body");
  EXPECT_EQ(answer.head().status, 201);
  EXPECT_TRUE(answer.keep_alive().empty());
}

}  // namespace
}  // namespace hadal::serve
