// POST /responses through the whole server, on the bundled model.
#include "serve/openai/responses.h"

#include <gtest/gtest.h>

#include "serve/service_fixture.h"

namespace hadal::serve::responses {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

// Greedy where a test says so, with thinking too.
TestServer& server() {
  static TestServer all([] {
    TestServer::Options options;
    options.service.rules.client_sampling_in_thinking = true;
    options.service.rules.default_max_thinking = 1500;
    return options;
  }());
  return all;
}

Reply respond(const std::string& fields, const std::string& path = "/v1/responses") {
  return server().post(path, R"({"model":"hadal-mini",)" + fields + "}");
}

std::string field(const Reply& reply, std::string_view path) {
  return at(reply.json(), path).text;
}

// The response that the last event of a stream carries.
JsonValue last_response(const Reply& reply) {
  const std::vector<std::string> events = reply.events();
  EXPECT_FALSE(events.empty());
  return events.empty() ? JsonValue{} : at(*parse_json(events.back()), "response");
}

const std::string kStory = R"("input":"Tell me a story",)";
const std::string kPlain = R"("reasoning":{"effort":"none"},)";

TEST(Responses, AnAnswerHasTheFormOfTheApi) {
  const Reply reply = respond(kStory + kPlain + R"("max_output_tokens":20,"temperature":0)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(field(reply, "object"), "response");
  EXPECT_EQ(field(reply, "model"), "hadal-mini");
  EXPECT_TRUE(field(reply, "id").starts_with("resp_"));
  EXPECT_EQ(at(reply.json(), "output").items.size(), 1u);
  EXPECT_EQ(field(reply, "output.0.type"), "message");
  EXPECT_EQ(field(reply, "status"), "incomplete");
  EXPECT_EQ(field(reply, "usage.output_tokens"), "20");
  const Reply chat = server().post(
      "/v1/chat/completions",
      R"({"messages":[{"role":"user","content":"Tell me a story"}],"thinking":{"type":"disabled"},"max_tokens":20,"temperature":0})");
  EXPECT_EQ(field(reply, "output.0.content.0.text"), field(chat, "choices.0.message.content"));
  EXPECT_EQ(field(reply, "usage.input_tokens"), field(chat, "usage.prompt_tokens"));
  for (const char* path : {"/responses", "/v1/v1/responses", "/beta/responses"})
    EXPECT_EQ(respond(kStory + R"("max_output_tokens":1)", path).status, 200) << path;
}

TEST(Responses, AStreamIsTheSameAnswer) {
  for (const std::string& fields :
       {kStory + R"("temperature":0)", kStory + kPlain + R"("temperature":0,"max_output_tokens":15)"}) {
    const Reply whole = respond(fields), stream = respond(fields + R"(,"stream":true)");
    ASSERT_EQ(whole.status, 200) << whole.body;
    ASSERT_EQ(stream.status, 200) << stream.body;
    EXPECT_TRUE(stream.content_type.starts_with("text/event-stream"));
    const JsonValue last = last_response(stream), first = whole.json();
    ASSERT_EQ(at(last, "output").items.size(), at(first, "output").items.size());
    for (size_t i = 0; i < at(last, "output").items.size(); ++i)
      for (const char* what : {"type", "status", "phase", "content.0.text"})
        EXPECT_EQ(at(last, fmt::format("output.{}.{}", i, what)).text,
                  at(first, fmt::format("output.{}.{}", i, what)).text);
    EXPECT_EQ(at(last, "status").text, at(first, "status").text);
    EXPECT_EQ(at(last, "usage.output_tokens").text, at(first, "usage.output_tokens").text);
    EXPECT_EQ(stream.body.find("[DONE]"), std::string::npos);
  }
}

TEST(Responses, ReasoningComesBackByItsName) {
  const std::string question = R"({"role":"user","content":"Tell me a story"})";
  // With a tool all reasoning stays in the conversation.
  const std::string tail = R"(],"tools":[{"type":"function","name":"f"}],"temperature":0,)"
                           R"("include":["reasoning.encrypted_content"])";
  const Reply first = respond(R"("input":[)" + question + tail);
  ASSERT_EQ(first.status, 200) << first.body;
  ASSERT_EQ(field(first, "output.0.type"), "reasoning") << first.body;
  const std::string handle = field(first, "output.0.encrypted_content");
  ASSERT_EQ(handle.size(), 32u);
  std::string answer;
  JsonOut(answer).value(field(first, "output.1.content.0.text"));
  const std::string message = R"({"role":"assistant","content":)" + answer + "}";
  const auto again = [&](const std::string& reasoning) {
    return respond(R"("input":[)" + question + "," + reasoning + message +
                   R"(,{"role":"user","content":"Go on"})" + tail + R"(,"max_output_tokens":20)");
  };
  std::string text;
  JsonOut(text).value(field(first, "output.0.content.0.text"));
  const Reply by_name = again(R"({"type":"reasoning","summary":[],"encrypted_content":")" + handle + "\"},");
  const Reply by_text = again(
      R"({"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":)" + text + "}]},");
  ASSERT_EQ(by_name.status, 200) << by_name.body;
  EXPECT_EQ(field(by_name, "usage.input_tokens"), field(by_text, "usage.input_tokens"));
  EXPECT_EQ(field(by_name, "output.0.content.0.text"), field(by_text, "output.0.content.0.text"));
  const int64_t before = std::stoll(field(first, "usage.total_tokens"));
  EXPECT_GE(std::stoll(field(by_name, "usage.input_tokens_details.cached_tokens")), (before - 1) / 128 * 128);
}

TEST(Responses, AForeignNameOfReasoningSaysNothing) {
  const Reply reply =
      respond(R"("input":[{"role":"user","content":"a"},{"type":"reasoning","encrypted_content":"gAAAAAB"},)"
              R"({"role":"assistant","content":"b"},{"role":"user","content":"c"}],"max_output_tokens":2)");
  EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST(Responses, ProbabilitiesOfTheText) {
  const Reply reply = respond(kStory + kPlain + R"("max_output_tokens":6,"top_logprobs":2)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  std::string text;
  for (const JsonValue& token : at(reply.json(), "output.0.content.0.logprobs").items) {
    text += at(token, "token").text;
    EXPECT_EQ(at(token, "top_logprobs").items.size(), 2u);
  }
  EXPECT_EQ(text, field(reply, "output.0.content.0.text"));
}

TEST(Responses, WhatCannotBeDoneIsRefused) {
  const Reply memory = respond(R"("input":"x","previous_response_id":"resp_1")");
  EXPECT_EQ(memory.status, 400);
  EXPECT_EQ(field(memory, "error.message"),
            "previous_response_id is not supported; replay full input instead");
  EXPECT_EQ(field(memory, "error.param"), "previous_response_id");
  const Reply format = respond(
      R"("input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object","properties":{"a":{"type":"strung"}}}}})");
  EXPECT_EQ(format.status, 400);
  EXPECT_EQ(field(format, "error.param"), "text.format.schema");
  std::string words;
  for (int i = 0; i < 20000; ++i) words += "word ";
  const Reply large = respond(R"("input":")" + words + "\"");
  EXPECT_EQ(large.status, 400);
  EXPECT_EQ(field(large, "error.code"), "context_length_exceeded");
  EXPECT_EQ(field(large, "error.param"), "input");
  EXPECT_EQ(server().post("/v1/responses", R"({"model":"llama","input":"x"})").status, 404);
}

}  // namespace
}  // namespace hadal::serve::responses
