// The door and the routes of the server, with keys and without.
#include "serve/service.h"

#include <gtest/gtest.h>

#include "serve/service_fixture.h"
#include "support/files.h"

namespace hadal::serve {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

std::string text(const Reply& reply, std::string_view path) {
  return at(reply.json(), path).text;
}

const std::string kShort =
    R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":4,"thinking":{"type":"disabled"}})";

TestServer& open_server() {
  static TestServer all;
  return all;
}

TEST(Service, EverySpellingOfARouteAnswers) {
  for (const char* path :
       {"/v1/chat/completions", "/chat/completions", "/beta/chat/completions", "/beta/v1/chat/completions",
        "/v1/beta/chat/completions", "/v1/v1/chat/completions"})
    EXPECT_EQ(open_server().post(path, kShort).status, 200) << path;
  for (const char* path :
       {"/v1/models", "/models", "/beta/models", "/anthropic/v1/models", "/models/deepseek-v4-pro",
        "/v1/models/claude-opus-4", "/user/balance", "/health", "/v1/health", "/healthz", "/ping", "/ready",
        "/live", "/metrics", "/version", "/props", "/"})
    EXPECT_EQ(open_server().get(path).status, 200) << path;
}

TEST(Service, UnknownPathsAndMethodsHaveTheirApisErrors) {
  const Reply lost = open_server().get("/v1/nothing");
  EXPECT_EQ(lost.status, 404);
  EXPECT_EQ(text(lost, "error.type"), "invalid_request_error");
  EXPECT_EQ(text(open_server().get("/anthropic/nothing"), "error.type"), "not_found_error");
  EXPECT_FALSE(text(open_server().get("/api/nothing"), "error").empty());
  const Reply method = open_server().get("/v1/chat/completions");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.header("Allow"), "OPTIONS, POST");
  EXPECT_EQ(open_server().post("/rerank", "{}").status, 501);
  const Service& service = open_server().service();
  EXPECT_EQ(service.allow("/v1/chat/completions"), "OPTIONS, POST");
  EXPECT_EQ(service.allow("/v1/models/x"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(service.allow("/ping"), "GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(service.allow("/api/delete"), "DELETE, OPTIONS");
  EXPECT_EQ(service.allow("*"), "DELETE, GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(service.allow("/v1/nothing"), "");
}

TEST(Service, DeprecatedNamesAreServedWithAWarning) {
  const std::string body =
      R"({"model":"deepseek-reasoner","messages":[{"role":"user","content":"Hi"}],"max_tokens":2})";
  const Reply reply = open_server().post("/v1/chat/completions", body);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.header("Deprecation"), "true");
  EXPECT_NE(reply.header("Warning").find("deepseek-reasoner"), std::string::npos);
  EXPECT_EQ(text(reply, "model"), "hadal-mini");
  EXPECT_EQ(open_server().post("/v1/chat/completions", kShort).header("Deprecation"), "");
}

TEST(Service, ModelsInBothForms) {
  const Reply openai = open_server().get("/v1/models");
  EXPECT_EQ(text(openai, "object"), "list");
  EXPECT_EQ(text(openai, "data.0.id"), "hadal-mini");
  EXPECT_EQ(text(openai, "data.0.context_length"), "16384");
  const Reply anthropic = open_server().get("/v1/models", {{"anthropic-version", "2023-06-01"}});
  EXPECT_EQ(text(anthropic, "data.0.type"), "model");
  EXPECT_EQ(text(anthropic, "first_id"), "hadal-mini");
  EXPECT_EQ(open_server().get("/v1/models/llama").status, 404);
  EXPECT_EQ(text(open_server().get("/v1/models/deepseek-v4-pro"), "id"), "deepseek-v4-pro");
}

TEST(Service, WithoutAKeyNobodyEnters) {
  TestServer::Options options;
  options.accounts.keys = {"sk-right"};
  options.service.open_metrics = false;
  TestServer server(std::move(options));
  EXPECT_EQ(server.get("/health").status, 200);
  const Reply missing = server.post("/v1/chat/completions", kShort);
  EXPECT_EQ(missing.status, 401);
  EXPECT_EQ(text(missing, "error.type"), "authentication_error");
  const Reply wrong =
      server.post("/v1/chat/completions", kShort, {{"Authorization", "Bearer sk-very-wrong-0000"}});
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(text(wrong, "error.message"), "Authentication Fails, Your api key: ****0000 is invalid");
  for (const Header& header : {Header{"Authorization", "Bearer sk-right"},
                               Header{"authorization", "bearer sk-right"}, Header{"X-Api-Key", "sk-right"}})
    EXPECT_EQ(server.post("/v1/chat/completions", kShort, {header}).status, 200) << header.name;
  EXPECT_EQ(server
                .post("/v1/chat/completions", kShort,
                      {{"Authorization", "Bearer nonsense"}, {"x-api-key", "sk-right"}})
                .status,
            200)
      << "any valid key is enough";
  EXPECT_EQ(server.post("/v1/chat/completions", kShort, {{"Authorization", "Basic sk-right"}}).status, 401);
  for (const char* path : {"/v1/models", "/metrics", "/props", "/user/balance"}) {
    EXPECT_EQ(server.get(path).status, 401) << path;
    EXPECT_EQ(server.get(path, {{"x-api-key", "sk-right"}}).status, 200) << path;
  }
}

TEST(Service, LimitsOfAKeyAreTold) {
  const hadal::test::TempFolder folder;
  folder.write("keys", "sk-slow name=slow rpm=2\nsk-other name=other\n");
  TestServer::Options options;
  options.accounts.key_file = folder / "keys";
  TestServer server(std::move(options));
  const std::vector<Header> slow = {{"x-api-key", "sk-slow"}};
  EXPECT_EQ(server.post("/v1/chat/completions", kShort, slow).status, 200);
  EXPECT_EQ(server.post("/v1/chat/completions", kShort, slow).status, 200);
  const Reply limited = server.post("/v1/chat/completions", kShort, slow);
  EXPECT_EQ(limited.status, 429);
  EXPECT_EQ(text(limited, "error.type"), "rate_limit_error");
  EXPECT_FALSE(limited.header("Retry-After").empty());
  EXPECT_EQ(server.get("/v1/models", slow).status, 200) << "only what computes counts";
  EXPECT_EQ(server.post("/v1/chat/completions", kShort, {{"x-api-key", "sk-other"}}).status, 200);
  EXPECT_EQ(server.get("/slots", {{"x-api-key", "sk-other"}}).status, 403) << "for administrators";
}

TEST(Service, UsersDoNotShareCachedPrefixes) {
  const hadal::test::TempFolder folder;
  folder.write("keys", "sk-a name=a\nsk-b name=b\n");
  TestServer::Options options;
  options.accounts.key_file = folder / "keys";
  TestServer server(std::move(options));
  std::string words;
  for (int i = 0; i < 100; ++i) words += "Once upon a time there was a cat. ";
  const auto cached = [&](const char* key, const std::string& user) {
    const Reply reply = server.post(
        "/v1/chat/completions",
        R"({"messages":[{"role":"user","content":")" + words + R"("}],"max_tokens":2)" + user + "}",
        {{"x-api-key", key}});
    return std::stoll(text(reply, "usage.prompt_cache_hit_tokens"));
  };
  EXPECT_EQ(cached("sk-a", ""), 0);
  EXPECT_GT(cached("sk-a", ""), 0);
  EXPECT_EQ(cached("sk-b", ""), 0) << "another key";
  EXPECT_EQ(cached("sk-a", R"(,"user_id":"x")"), 0) << "another user of the same key";
  EXPECT_GT(cached("sk-a", R"(,"user_id":"x")"), 0);
}

TEST(Service, UsageIsOnTheBill) {
  const hadal::test::TempFolder folder;
  folder.write("keys", "sk-a name=a\n");
  TestServer::Options options;
  options.accounts.key_file = folder / "keys";
  options.accounts.prices = PriceTable::parse(
      R"({"currency":"USD","models":{"*":{"input_cache_hit":"1","input_cache_miss":"10","output":"100"}}})",
      "prices");
  TestServer server(std::move(options));
  const Reply reply = server.post("/v1/chat/completions", kShort, {{"x-api-key", "sk-a"}});
  ASSERT_EQ(reply.status, 200) << reply.body;
  const std::vector<KeyTotals> totals = server.service().parts().accounts.totals();
  ASSERT_EQ(totals.size(), 1u);
  EXPECT_EQ(totals[0].totals.requests, 1);
  EXPECT_EQ(totals[0].totals.completion_tokens, std::stoll(text(reply, "usage.completion_tokens")));
  EXPECT_EQ(totals[0].totals.cache_miss_tokens, std::stoll(text(reply, "usage.prompt_cache_miss_tokens")));
  EXPECT_EQ(totals[0].totals.cost.nano,
            10000 * totals[0].totals.cache_miss_tokens + 100000 * totals[0].totals.completion_tokens);
}

TEST(Service, AFullQueueIsAnErrorToRetry) {
  TestServer::Options options;
  options.service.most_waiting = 0;
  TestServer server(std::move(options));
  const Reply busy = server.post("/v1/chat/completions", kShort);
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.header("Retry-After"), "1");
}

TEST(Service, ReadinessEndsBeforeTheServerDoes) {
  TestServer server;
  EXPECT_EQ(server.get("/ready").status, 200);
  server.service().close();
  EXPECT_EQ(server.get("/ready").status, 503);
  EXPECT_EQ(server.get("/health").status, 200);
}

}  // namespace
}  // namespace hadal::serve
