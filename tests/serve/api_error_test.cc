#include "serve/api_error.h"

#include <gtest/gtest.h>

#include <tuple>

namespace hadal::serve {
namespace {

TEST(ApiError, ThePathTellsWhoseErrorsAreExpected) {
  EXPECT_EQ(style_of("/v1/chat/completions"), ApiStyle::kOpenAi);
  EXPECT_EQ(style_of("/"), ApiStyle::kOpenAi);
  EXPECT_EQ(style_of(""), ApiStyle::kOpenAi);
  EXPECT_EQ(style_of("/v1/messages"), ApiStyle::kAnthropic);
  EXPECT_EQ(style_of("/v1/messages/count_tokens"), ApiStyle::kAnthropic);
  EXPECT_EQ(style_of("/anthropic/v1/models"), ApiStyle::kAnthropic);
  EXPECT_EQ(style_of("/api/chat"), ApiStyle::kOllama);
}

TEST(ApiError, BodiesAreThoseOfTheirApi) {
  const ApiError error{.status = 401, .message = "Authentication Fails, Your api key: ****0000 is invalid"};
  EXPECT_EQ(
      error_body(ApiStyle::kOpenAi, error),
      R"({"error":{"message":"Authentication Fails, Your api key: ****0000 is invalid","type":"authentication_error","param":null,"code":"invalid_request_error"}})");
  EXPECT_EQ(
      error_body(ApiStyle::kAnthropic, error, "req_1"),
      R"({"type":"error","error":{"message":"Authentication Fails, Your api key: ****0000 is invalid","type":"authentication_error","param":null,"code":"invalid_request_error"},"request_id":"req_1"})");
  EXPECT_EQ(error_body(ApiStyle::kOllama, error),
            R"({"error":"Authentication Fails, Your api key: ****0000 is invalid"})");
}

TEST(ApiError, AContextThatIsTooLongSaysByHowMuch) {
  const ApiError error{.message = "m",
                       .code = "context_length_exceeded",
                       .param = "messages",
                       .n_prompt_tokens = 9,
                       .n_ctx = 5};
  EXPECT_EQ(
      error_body(ApiStyle::kOpenAi, error),
      R"({"error":{"message":"m","type":"invalid_request_error","param":"messages","code":"context_length_exceeded","n_prompt_tokens":9,"n_ctx":5}})");
}

TEST(ApiError, EveryStatusHasItsType) {
  const std::tuple<int, const char*, const char*> cases[] = {
      {400, "invalid_request_error", "invalid_request_error"},
      {401, "authentication_error", "authentication_error"},
      {402, "invalid_request_error", "billing_error"},
      {403, "permission_error", "permission_error"},
      {404, "invalid_request_error", "not_found_error"},
      {408, "timeout", "timeout_error"},
      {413, "invalid_request_error", "request_too_large"},
      {429, "rate_limit_error", "rate_limit_error"},
      {500, "server_error", "api_error"},
      {503, "service_unavailable", "overloaded_error"}};
  for (const auto& [status, openai, anthropic] : cases) {
    EXPECT_EQ(openai_error_type(status), openai) << status;
    EXPECT_EQ(anthropic_error_type(status), anthropic) << status;
  }
}

TEST(ApiError, HeadersTellWhatToDo) {
  EXPECT_TRUE(error_head({.status = 400, .message = {}}).headers.empty());
  const HttpHead busy = error_head(server_busy("later", 7));
  EXPECT_EQ(busy.status, 503);
  ASSERT_EQ(busy.headers.size(), 1u);
  EXPECT_EQ(busy.headers[0].name, "Retry-After");
  EXPECT_EQ(busy.headers[0].value, "7");
  EXPECT_EQ(error_head({.status = 405, .message = {}, .allow = "GET"}).headers[0].value, "GET");
  EXPECT_EQ(error_head({.status = 401, .message = {}}).headers[0].name, "WWW-Authenticate");
}

}  // namespace
}  // namespace hadal::serve
