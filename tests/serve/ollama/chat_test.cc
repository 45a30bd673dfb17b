// POST /api/chat and /api/generate through the whole server, on the bundled model.
#include "serve/ollama/chat.h"

#include <gtest/gtest.h>

#include "chat/python_json.h"
#include "serve/json_out.h"
#include "serve/service_fixture.h"

namespace hadal::serve::ollama {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

TestServer& server() {
  static TestServer all;
  return all;
}

std::string text(const Reply& reply, std::string_view path) {
  return at(reply.json(), path).text;
}
Reply chat(const std::string& fields) {
  return server().post(
      "/api/chat",
      R"({"model":"hadal-mini","messages":[{"role":"user","content":"Tell me a story."}],)" + fields + "}");
}
Reply generate(const std::string& fields) {
  return server().post("/api/generate", "{" + fields + "}");
}
std::vector<JsonValue> lines(const Reply& reply) {
  std::vector<JsonValue> out;
  for (size_t begin = 0; begin < reply.body.size();) {
    const size_t end = reply.body.find('\n', begin);
    EXPECT_NE(end, std::string::npos) << "every line ends";
    const auto line = parse_json(reply.body.substr(begin, end - begin));
    EXPECT_TRUE(line) << reply.body;
    out.push_back(line.value_or(JsonValue{}));
    begin = end + 1;
  }
  return out;
}

TEST(OllamaChat, AnAnswerComesAsLines) {
  const std::string fields = R"("think":false,"options":{"seed":3,"num_predict":25})";
  const Reply stream = chat(fields), whole = chat(fields + R"(,"stream":false)");
  ASSERT_EQ(stream.status, 200) << stream.body;
  ASSERT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(stream.content_type, "application/x-ndjson");
  EXPECT_EQ(whole.content_type, "application/json");
  std::string content;
  const std::vector<JsonValue> all = lines(stream);
  for (const JsonValue& line : all) {
    EXPECT_EQ(at(line, "model").text, "hadal-mini");
    EXPECT_EQ(at(line, "message.role").text, "assistant");
    EXPECT_EQ(at(line, "done").is(JsonValue::Kind::kTrue), &line == &all.back());
    content += at(line, "message.content").text;
  }
  EXPECT_EQ(content, text(whole, "message.content"));
  EXPECT_FALSE(content.empty());
  for (const JsonValue& last : {all.back(), whole.json()}) {
    EXPECT_EQ(at(last, "done_reason").text, at(last, "eval_count").text == "25" ? "length" : "stop");
    EXPECT_GT(std::stoll(at(last, "prompt_eval_count").text), 0);
    EXPECT_GT(std::stoll(at(last, "total_duration").text), 0);
    EXPECT_GT(std::stoll(at(last, "eval_duration").text), 0);
  }
}

TEST(OllamaChat, AStopStringEndsItAndTheTimesAreToldAllTheSame) {
  const std::string fields = R"("think":false,"stream":false,"options":{"seed":3,"num_predict":25)";
  const std::string all = text(chat(fields + "}"), "message.content");
  ASSERT_GT(all.size(), 20u);
  const std::string stop = all.substr(10, 4);
  const Reply reply = chat(fields + R"(,"stop":[)" + json_quoted(stop) + "]}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply, "message.content"), all.substr(0, all.find(stop)));
  EXPECT_EQ(text(reply, "done_reason"), "stop");
  for (const char* name : {"total_duration", "prompt_eval_duration", "eval_duration", "eval_count"})
    EXPECT_GT(std::stoll(text(reply, name)), 0) << name;
}

TEST(OllamaChat, ThinkingIsAPartOfTheMessage) {
  const std::string options = R"("stream":false,"options":{"seed":3,"num_predict":25})";
  EXPECT_EQ(at(chat(R"("think":false,)" + options).json(), "message").find("thinking"), nullptr);
  for (const std::string on : {R"("think":true,)", R"("think":"high",)", ""})
    EXPECT_FALSE(text(chat(on + options), "message.thinking").empty()) << on;
  EXPECT_EQ(chat(R"("think":"enormous",)" + options).status, 400);
}

TEST(OllamaChat, GenerateIsTheSameAnswerInAnotherForm) {
  const std::string fields = R"("think":false,"stream":false,"options":{"seed":3,"num_predict":25})";
  const Reply reply = generate(R"("prompt":"Tell me a story.",)" + fields);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply, "response"), text(chat(fields), "message.content"));
  // The same prompt, written out.
  const Reply raw =
      generate(R"("raw":true,"prompt":"<｜User｜>Tell me a story.<｜Assistant｜></think>",)" + fields);
  ASSERT_EQ(raw.status, 200) << raw.body;
  EXPECT_EQ(text(raw, "prompt_eval_count"), text(reply, "prompt_eval_count"));
  EXPECT_EQ(text(raw, "response"), text(reply, "response"));
}

TEST(OllamaChat, AGapIsFilled) {
  const Reply reply =
      generate(R"("prompt":"Once upon","suffix":"The end.","stream":false,"options":{"num_predict":5})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply, "prompt_eval_count"),
            std::to_string(4 + server().text().tokenizer().encode("Once upon").size() +
                           server().text().tokenizer().encode("The end.").size()));
  EXPECT_EQ(at(reply.json(), "thinking").kind, JsonValue::Kind::kNull);
}

TEST(OllamaChat, LogProbabilities) {
  const Reply reply = chat(
      R"("think":false,"stream":false,"logprobs":true,"top_logprobs":2,"options":{"num_predict":6,"seed":1})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const JsonValue list = at(reply.json(), "logprobs");
  ASSERT_TRUE(list.is_array());
  std::string spelled;
  for (const JsonValue& token : list.items) {
    EXPECT_EQ(at(token, "top_logprobs").items.size(), 2u);
    for (const JsonValue& byte : at(token, "bytes").items)
      spelled.push_back(static_cast<char>(std::stoi(byte.text)));
  }
  EXPECT_EQ(spelled, text(reply, "message.content"));
}

TEST(OllamaChat, ARequestForNothingLoads) {
  const auto reason = [](const std::string& path, const std::string& body) {
    const Reply reply = server().post(path, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(reply.content_type, "application/json");
    EXPECT_TRUE(at(reply.json(), "done").is(JsonValue::Kind::kTrue));
    return text(reply, "done_reason");
  };
  EXPECT_EQ(reason("/api/chat", R"({"model":"hadal-mini","messages":[]})"), "load");
  EXPECT_EQ(reason("/api/chat", R"({"model":"hadal-mini"})"), "load");
  EXPECT_EQ(reason("/api/chat", R"({"messages":[],"keep_alive":0})"), "unload");
  EXPECT_EQ(reason("/api/generate", R"({"model":"hadal-mini"})"), "load");
  EXPECT_EQ(reason("/api/generate", R"({"prompt":"","keep_alive":"0s"})"), "unload");
}

TEST(OllamaChat, ToolsRoundTrip) {
  const Reply reply =
      server().post("/api/chat", R"({"model":"hadal-mini","stream":false,"options":{"num_predict":3},
      "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],
      "messages":[{"role":"user","content":"x"},
        {"role":"assistant","content":"","tool_calls":[{"function":{"name":"f","arguments":{}}},
                                                       {"function":{"name":"g","arguments":{}}}]},
        {"role":"tool","tool_name":"g","content":"two"},{"role":"user","content":"y"}]})");
  EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST(OllamaChat, ErrorsHaveTheFormOfTheApi) {
  const std::tuple<std::string, std::string, int> cases[] = {
      {"/api/chat", "{", 400},
      {"/api/chat", R"({"model":"llama3"})", 404},
      {"/api/chat", R"({"messages":[{"role":"user","content":"x","images":["aGk="]}]})", 400},
      {"/api/chat", R"({"messages":[{"role":"user","content":"x"}],"format":"xml"})", 400},
      {"/api/chat", R"({"messages":[{"role":"tool","content":"x"}]})", 400},
      {"/api/generate", R"({"prompt":5})", 400},
      {"/api/generate", R"({"prompt":"x","model":"llama3"})", 404},
      {"/api/nothing", "{}", 404},
  };
  for (const auto& [path, body, status] : cases) {
    const Reply reply = server().post(path, body);
    EXPECT_EQ(reply.status, status) << body << reply.body;
    const JsonValue json = reply.json();
    EXPECT_EQ(json.keys, std::vector<std::string>{"error"}) << reply.body;
    EXPECT_FALSE(at(json, "error").text.empty());
  }
  std::string words;
  for (int i = 0; i < 20000; ++i) words += "word ";
  for (const std::string raw : {"true", "false"})
    EXPECT_EQ(generate(R"("raw":)" + raw + R"(,"prompt":")" + words + "\"").status, 400);
}

}  // namespace
}  // namespace hadal::serve::ollama
