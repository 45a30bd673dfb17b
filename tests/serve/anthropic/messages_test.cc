// POST /v1/messages and count_tokens through the whole server, on the bundled model.
#include "serve/anthropic/messages.h"

#include <gtest/gtest.h>

#include "serve/json_out.h"
#include "serve/service_fixture.h"

namespace hadal::serve::anthropic {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

TestServer& server() {
  static TestServer all([] {
    TestServer::Options options;
    options.service.rules.client_sampling_in_thinking = true;  // so that an answer can be had twice
    return options;
  }());
  return all;
}

constexpr const char* kOff = R"("thinking":{"type":"disabled"},"temperature":0,"max_tokens":30)";
constexpr const char* kOn =
    R"("thinking":{"type":"enabled","budget_tokens":1024},"temperature":0,"max_tokens":30)";
const std::string kQuestion = R"({"role":"user","content":"Tell me a story about a fox."})";
const std::string kTools =
    R"("tools":[{"name":"get_weather","description":"Weather.","input_schema":{"properties":{"city":{"type":"string"}}}}])";

std::string body(const std::string& fields, const std::string& more_messages = {}) {
  return R"({"model":"claude-sonnet-4-5","messages":[)" + kQuestion + more_messages + "]," + fields + "}";
}
Reply ask(const std::string& fields, const std::string& more_messages = {}) {
  return server().post("/v1/messages", body(fields, more_messages));
}
std::string field(const Reply& reply, std::string_view path) {
  return at(reply.json(), path).text;
}
int64_t number(const JsonValue& value, std::string_view path) {
  return std::stoll("0" + at(value, path).text);
}
int64_t count(const std::string& request) {
  const Reply reply = server().post("/v1/messages/count_tokens", request);
  EXPECT_EQ(reply.status, 200) << reply.body;
  return number(reply.json(), "input_tokens");
}

TEST(Messages, AnAnswerHasTheFieldsOfTheApi) {
  const Reply reply = ask(kOff);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_TRUE(field(reply, "id").starts_with("msg_"));
  EXPECT_EQ(field(reply, "id").size(), 28u);
  EXPECT_EQ(field(reply, "type"), "message");
  EXPECT_EQ(field(reply, "role"), "assistant");
  EXPECT_EQ(field(reply, "model"), "hadal-mini");
  ASSERT_EQ(at(reply.json(), "content").items.size(), 1u);
  EXPECT_EQ(field(reply, "content.0.type"), "text");
  EXPECT_FALSE(field(reply, "content.0.text").empty());
  EXPECT_EQ(number(reply.json(), "usage.output_tokens"), 30);
  EXPECT_EQ(field(reply, "stop_reason"), "max_tokens");
  EXPECT_EQ(field(reply, "usage.service_tier"), "standard");
}

// What a client that puts the events together has.
JsonValue put_together(const Reply& reply) {
  std::string blocks, stop, usage, id;
  std::string type, text, signature;
  for (const std::string& data : reply.events()) {
    const JsonValue event = *parse_json(data);
    const std::string name = at(event, "type").text;
    if (name == "message_start") id = at(event, "message.id").text;
    if (name == "content_block_start") {
      type = at(event, "content_block.type").text;
      text.clear(), signature.clear();
    }
    if (name == "content_block_delta") {
      text += at(event, "delta.text").text + at(event, "delta.thinking").text;
      signature += at(event, "delta.signature").text;
    }
    if (name == "content_block_stop") {
      std::string block;
      JsonOut json(block);
      json.begin('{').field("type", type).field(type, text);
      if (type == "thinking") json.field("signature", signature);
      json.end('}');
      blocks += (blocks.empty() ? "" : ",") + block;
    }
    if (name == "message_delta") {
      stop = at(event, "delta.stop_reason").text;
      usage = at(event, "usage.output_tokens").text;
    }
  }
  EXPECT_TRUE(reply.body.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
  return *parse_json(R"({"id":")" + id + R"(","content":[)" + blocks + R"(],"stop_reason":")" + stop +
                     R"(","output":)" + (usage.empty() ? "0" : usage) + "}");
}

TEST(Messages, AStreamIsTheSameAnswer) {
  for (const std::string fields : {kOff, kOn}) {
    const Reply whole = ask(fields);
    const Reply stream = ask(fields + R"(,"stream":true)");
    ASSERT_EQ(whole.status, 200) << whole.body;
    ASSERT_EQ(stream.status, 200) << stream.body;
    EXPECT_TRUE(stream.content_type.starts_with("text/event-stream"));
    const JsonValue all = put_together(stream), message = whole.json();
    EXPECT_TRUE(at(all, "id").text.starts_with("msg_"));
    ASSERT_EQ(at(all, "content").items.size(), at(message, "content").items.size());
    for (size_t i = 0; i < at(all, "content").items.size(); ++i) {
      const JsonValue one = at(all, "content").items[i], other = at(message, "content").items[i];
      for (const char* member : {"type", "text", "thinking"})
        EXPECT_EQ(at(one, member).text, at(other, member).text);
      if (at(one, "type").text == "thinking") {
        EXPECT_FALSE(at(one, "signature").text.empty());
        EXPECT_NE(at(one, "signature").text, at(other, "signature").text);
      }
    }
    EXPECT_EQ(at(all, "stop_reason").text, at(message, "stop_reason").text);
    EXPECT_EQ(at(all, "output").text, at(message, "usage.output_tokens").text);
  }
}

TEST(Messages, ThinkingIsTheFirstBlock) {
  const Reply on = ask(kOn);
  EXPECT_EQ(field(on, "content.0.type"), "thinking");
  EXPECT_FALSE(field(on, "content.0.signature").empty());
  // An answer that goes on with text of the client's has no thinking any more.
  const Reply begun = ask(kOn, R"(,{"role":"assistant","content":"Once"})");
  ASSERT_EQ(begun.status, 200) << begun.body;
  EXPECT_EQ(field(begun, "content.0.type"), "text");
}

TEST(Messages, CountTokensIsWhatTheAnswerWillSay) {
  const std::string turns =
      R"(,{"role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"x"},
          {"type":"tool_use","id":"t1","name":"get_weather","input":{"city":"Bern"}},
          {"type":"tool_use","id":"t2","name":"get_weather","input":{"city":"Rom"}}]},
         {"role":"user","content":[{"type":"text","text":"Well?"},
          {"type":"tool_result","tool_use_id":"t2","content":[{"type":"text","text":"sun"}]}]})";
  const std::string one = R"("max_tokens":1,)";
  const std::pair<std::string, std::string> cases[] = {
      {one + R"("stream":false)", ""},
      {one + R"("thinking":{"type":"disabled"})", ""},
      {one + R"("output_config":{"effort":"max"},"system":"Be kind.")", ""},
      {one + kTools, ""},
      {one + kTools + R"(,"tool_choice":{"type":"none"})", ""},
      {one + kTools, turns},
      {one + R"("system":[{"type":"text","text":"x-anthropic-billing-header: a"}])", turns},
      {one + R"("thinking":{"type":"disabled"})", R"(,{"role":"assistant","content":"Once "})"},
  };
  for (const auto& [fields, messages] : cases) {
    const int64_t counted = count(body(fields, messages));
    EXPECT_GT(counted, 5);
    for (int again = 0; again < 2; ++again) {  // the second time from the cache
      const Reply reply = ask(fields, messages);
      ASSERT_EQ(reply.status, 200) << reply.body;
      const JsonValue usage = at(reply.json(), "usage");
      EXPECT_EQ(number(usage, "input_tokens") + number(usage, "cache_read_input_tokens"), counted) << fields;
    }
    const Reply stream = ask(fields + R"(,"stream":true)", messages);
    const JsonValue start = *parse_json(stream.events().front());
    EXPECT_EQ(
        number(start, "message.usage.input_tokens") + number(start, "message.usage.cache_read_input_tokens"),
        counted);
  }
  EXPECT_LT(count(body(one + R"("system":"")")), count(body(one + R"("system":"Be kind.")")));
}

TEST(Messages, CountTokensDoesNotNeedAModelThatCouldAnswer) {
  std::string words;
  for (int i = 0; i < 20000; ++i) words += "word ";
  const std::string request = R"({"messages":[{"role":"user","content":")" + words + "\"}]}";
  EXPECT_GT(count(request), 16384);
  const Reply refused = server().post("/v1/messages", request);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(field(refused, "error.code"), "context_length_exceeded");
}

TEST(Messages, ASignatureStandsForTheThinking) {
  const Reply first = ask(kOn);
  const std::string thinking = field(first, "content.0.thinking");
  const std::string signature = field(first, "content.0.signature");
  ASSERT_FALSE(thinking.empty()) << first.body;
  // With tools, what was thought before stays in the prompt.
  const auto next = [&](const std::string& text, const std::string& key) {
    return count(body(R"("max_tokens":1,)" + kTools,
                      R"(,{"role":"assistant","content":[{"type":"thinking","thinking":)" +
                          json_string(text) + R"(,"signature":)" + json_string(key) +
                          R"(},{"type":"text","text":"Yes."}]},{"role":"user","content":"Go on."})"));
  };
  EXPECT_EQ(next("", signature), next(thinking, signature));
  EXPECT_EQ(next(thinking, "forged"), next(thinking, signature));
  EXPECT_LT(next("", "forged"), next("", signature));
  // One whose text the client did not want to see.
  const Reply hidden =
      ask(R"("thinking":{"type":"enabled","display":"omitted"},"temperature":0,"max_tokens":30)");
  EXPECT_EQ(field(hidden, "content.0.thinking"), "");
  EXPECT_EQ(next("", field(hidden, "content.0.signature")), next(thinking, ""));
}

TEST(Messages, AStopSequenceIsNamed) {
  const std::string text = field(ask(kOff), "content.0.text");
  ASSERT_GT(text.size(), 20u);
  const std::string stop = text.substr(8, 5);
  const Reply reply = ask(std::string(kOff) + R"(,"stop_sequences":[)" + json_string(stop) + "]");
  EXPECT_EQ(field(reply, "stop_reason"), "stop_sequence");
  EXPECT_EQ(field(reply, "stop_sequence"), stop);
  EXPECT_EQ(field(reply, "content.0.text"), text.substr(0, text.find(stop)));
}

TEST(Messages, EverySpellingOfItsRoutes) {
  for (const std::string path : {"/v1/messages", "/anthropic/v1/messages", "/anthropic/messages", "/messages",
                                 "/v1/v1/messages", "/anthropic/v1/v1/messages"}) {
    EXPECT_EQ(server().post(path, body(kOff)).status, 200) << path;
    const Reply counted = server().post(path + "/count_tokens", body(kOff));
    EXPECT_EQ(counted.status, 200) << path << counted.body;
    EXPECT_EQ(counted.body, R"({"input_tokens":)" + std::to_string(count(body(kOff))) + "}");
    const Reply method = server().get(path);
    EXPECT_EQ(method.status, 405);
    EXPECT_EQ(field(method, "type"), "error") << method.body;
  }
}

TEST(Messages, ErrorsHaveTheFormOfTheApi) {
  const std::tuple<std::string, int, std::string> cases[] = {
      {"{", 400, "invalid_request_error"},
      {"[]", 400, "invalid_request_error"},
      {"{}", 400, "invalid_request_error"},
      {R"({"messages":[]})", 400, "invalid_request_error"},
      {R"({"model":"llama","messages":[{"role":"user","content":"x"}]})", 404, "not_found_error"},
      {R"({"messages":[{"role":"user","content":[{"type":"image"}]}]})", 400, "invalid_request_error"},
      {R"({"messages":[{"role":"assistant","content":""}]})", 400, "invalid_request_error"},
      {body(R"("output_config":{"effort":"enormous"})"), 400, "invalid_request_error"},
      {body(kTools + R"(,"tool_choice":{"type":"any"},"thinking":{"type":"enabled"})"), 400,
       "invalid_request_error"},
  };
  for (const auto& [request, status, type] : cases)
    for (const std::string path : {"/v1/messages", "/v1/messages/count_tokens"}) {
      const Reply reply = server().post(path, request);
      EXPECT_EQ(reply.status, status) << request << reply.body;
      EXPECT_EQ(field(reply, "type"), "error");
      EXPECT_EQ(field(reply, "error.type"), type) << reply.body;
      EXPECT_FALSE(field(reply, "error.message").empty());
      EXPECT_EQ(field(reply, "request_id"), "req_test");
    }
}

TEST(Messages, ASecondTurnFindsTheFirstInTheCache) {
  std::string question;
  for (int i = 0; i < 60; ++i) question += "Once upon a time there was a small cat. ";
  const std::string head = R"({"messages":[{"role":"user","content":")" + question + "\"}";
  const std::string tail = "]," + std::string(kOff) + "}";
  // A header that is another one in every request does not matter.
  const auto system = [](int i) {
    return R"(,"system":[{"type":"text","text":"x-anthropic-billing-header: cch=)" + std::to_string(i) +
           R"(;"},{"type":"text","text":"You tell stories."}]})";
  };
  const auto post = [&](const std::string& request, int i) {
    return server().post("/v1/messages", request.substr(0, request.size() - 1) + system(i));
  };
  const Reply first = post(head + tail, 1);
  ASSERT_EQ(first.status, 200) << first.body;
  const int64_t before =
      number(first.json(), "usage.input_tokens") + number(first.json(), "usage.output_tokens");
  const Reply second = post(head + R"(,{"role":"assistant","content":[{"type":"text","text":)" +
                                json_string(field(first, "content.0.text")) +
                                R"(}]},{"role":"user","content":"Go on."})" + tail,
                            2);
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_GE(number(second.json(), "usage.cache_read_input_tokens"), (before - 1) / 128 * 128) << second.body;
}

}  // namespace
}  // namespace hadal::serve::anthropic
