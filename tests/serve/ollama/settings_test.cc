#include "serve/ollama/settings.h"

#include <gtest/gtest.h>

namespace hadal::serve::ollama {
namespace {

Asked<CommonAsk> read(const std::string& fields) {
  static const ModelNames names("hadal-mini", {});
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  const auto body = parse_json("{" + fields + "}");
  EXPECT_TRUE(body) << fields;
  return read_common(rules, *body);
}
ChatAsk options(const std::string& fields) {
  const auto ask = read(R"("options":{)" + fields + "}");
  EXPECT_TRUE(ask) << fields;
  return ask ? ask->chat : ChatAsk{};
}

TEST(OllamaSettings, WhatIsNotSaidIsOpen) {
  for (const char* fields : {"", R"("model":null,"stream":null,"options":null,"think":null,"format":null,
                                    "keep_alive":null,"logprobs":null)"}) {
    const auto ask = read(fields);
    ASSERT_TRUE(ask);
    EXPECT_TRUE(ask->chat.stream);
    EXPECT_FALSE(ask->unload);
    EXPECT_FALSE(ask->chat.thinking || ask->chat.max_tokens || ask->chat.seed || ask->chat.temperature);
    EXPECT_EQ(ask->chat.top_logprobs, -1);
    EXPECT_EQ(ask->chat.model.name, "hadal-mini");
  }
}

TEST(OllamaSettings, Options) {
  const ChatAsk ask =
      options(R"("temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.1,"seed":7,"stop":["a","","b"],
      "num_predict":12,"num_ctx":4096,"repeat_penalty":"x","mirostat":{},"num_gpu":[])");
  EXPECT_FLOAT_EQ(*ask.temperature, 0.5f);
  EXPECT_FLOAT_EQ(*ask.top_p, 0.9f);
  EXPECT_EQ(ask.top_k, 40);
  EXPECT_FLOAT_EQ(*ask.min_p, 0.1f);
  EXPECT_EQ(ask.seed, 7u);
  EXPECT_EQ(ask.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ask.max_tokens, 12);
  EXPECT_EQ(options(R"("stop":"x")").stops, std::vector<std::string>{"x"});
  EXPECT_EQ(options(R"("num_predict":-1)").max_tokens, kMostAnswerTokens);
  EXPECT_EQ(options(R"("num_predict":-2)").max_tokens, kMostAnswerTokens);
  EXPECT_FALSE(options(R"("seed":-1)").seed);
  EXPECT_EQ(options(R"("top_k":-1)").top_k, 0);
  EXPECT_GT(options(R"("top_p":0)").top_p, 0.0f);
}

TEST(OllamaSettings, Thinking) {
  EXPECT_EQ(read(R"("think":true)")->chat.thinking, true);
  EXPECT_EQ(read(R"("think":false)")->chat.thinking, false);
  const auto level = read(R"("think":"medium")");
  EXPECT_FALSE(level->chat.thinking);
  EXPECT_EQ(level->chat.effort, "medium");
}

TEST(OllamaSettings, LogProbabilities) {
  EXPECT_EQ(read(R"("logprobs":true)")->chat.top_logprobs, 0);
  EXPECT_EQ(read(R"("logprobs":true,"top_logprobs":5)")->chat.top_logprobs, 5);
  EXPECT_EQ(read(R"("logprobs":false,"top_logprobs":5)")->chat.top_logprobs, -1);
}

TEST(OllamaSettings, HowLongToKeepIt) {
  for (const char* zero : {"0", "0.0", "\"0\"", "\"0s\"", "\"0m0s\""})
    EXPECT_TRUE(read(std::string(R"("keep_alive":)") + zero)->unload) << zero;
  for (const char* longer : {"-1", "5", "\"5m\"", "\"10m\"", "\"-1\"", "\"\"", "{}", "true"})
    EXPECT_FALSE(read(std::string(R"("keep_alive":)") + longer)->unload) << longer;
}

TEST(OllamaSettings, Images) {
  const auto refused = [](const char* json) { return refuse_images(*parse_json(json), "messages[3]"); };
  EXPECT_TRUE(refused("{}"));
  EXPECT_TRUE(refused(R"({"images":[]})"));
  EXPECT_TRUE(refused(R"({"images":null})"));
  EXPECT_EQ(refused(R"({"images":["aGk="]})").error().message, "This model does not support image");
  EXPECT_EQ(refused(R"({"images":"aGk="})").error().message, "messages[3].images: expected an array");
}

TEST(OllamaSettings, Formats) {
  using Content = AnswerRules::Content;
  EXPECT_EQ(read(R"("format":"")")->chat.answer.content, Content::kText);
  const auto object = read(R"("format":"json")");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->chat.answer.content, Content::kJson);
  EXPECT_EQ(object->chat.chat.response_format, R"({"type": "json_object"})");
  const auto schema = read(R"("format":{"type":"array"})");
  ASSERT_TRUE(schema);
  EXPECT_EQ(schema->chat.chat.response_format, R"({"type": "array"})");
  EXPECT_EQ(schema->chat.format_field, "format");
}

TEST(OllamaSettings, BadFieldsAreNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"("model":5)", "model: expected a string"},
      {R"("stream":"no")", "stream: expected true or false"},
      {R"("think":3)", "think: expected true, false, low, medium, high or max"},
      {R"("think":{})", "think: expected true, false, low, medium, high or max"},
      {R"("format":"xml")", "format: expected \"json\" or a JSON schema"},
      {R"("format":[])", "format: expected \"json\" or a JSON schema"},
      {R"("format":true)", "format: expected \"json\" or a JSON schema"},
      {R"("logprobs":1)", "logprobs: expected true or false"},
      {R"("top_logprobs":21)", "top_logprobs: expected a whole number from 0 to 20"},
      {R"("options":[])", "options: expected an object"},
      {R"("options":{"temperature":"hot"})", "options.temperature: expected a number"},
      {R"("options":{"temperature":3})", "Invalid temperature value"},
      {R"("options":{"top_p":1.5})", "Invalid top_p value"},
      {R"("options":{"min_p":-1})", "Invalid min_p value"},
      {R"("options":{"top_k":1.5})", "options.top_k: expected a whole number"},
      {R"("options":{"seed":1e300})", "options.seed: expected a whole number"},
      {R"("options":{"num_predict":"many"})", "options.num_predict: expected a whole number"},
      {R"("options":{"stop":[1]})", "options.stop[0]: expected a string"},
      {R"("options":{"stop":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"]})",
       "options.stop: expected a string or an array of at most 16 strings"},
  };
  for (const auto& [fields, says] : cases) {
    const auto ask = read(fields);
    ASSERT_FALSE(ask) << fields;
    EXPECT_EQ(ask.error().status, 400);
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
  }
  EXPECT_TRUE(read(R"("format":"")"));
  EXPECT_EQ(read(R"("model":"llama3:8b")").error().status, 404);
  EXPECT_TRUE(read(R"("model":"hadal-mini:latest")"));
}

}  // namespace
}  // namespace hadal::serve::ollama
