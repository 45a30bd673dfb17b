#include "serve/ollama/generate_body.h"

#include <gtest/gtest.h>

namespace hadal::serve::ollama {
namespace {

using Form = GenerateAsk::Form;

Asked<GenerateAsk> read(const std::string& body) {
  static const ModelNames names("hadal-mini", {});
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  const auto value = parse_json(body);
  EXPECT_TRUE(value) << body;
  return read_generate_body(rules, *value);
}

TEST(OllamaGenerateBody, AMessage) {
  const auto ask =
      read(R"({"prompt":"p","system":"s","template":"{{ }}","context":[1,2],"suffix":"","raw":false,
                            "think":true,"stream":false,"options":{"num_predict":3}})");
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->form, Form::kMessage);
  const auto& messages = ask->common.chat.chat.messages;
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_EQ(messages[0].role + messages[0].content, "systems");
  EXPECT_EQ(messages[1].role + messages[1].content, "userp");
  EXPECT_EQ(ask->common.chat.max_tokens, 3);
  EXPECT_EQ(ask->common.chat.thinking, true);
  EXPECT_EQ(read(R"({"prompt":"p"})")->common.chat.chat.messages.size(), 1u);
}

TEST(OllamaGenerateBody, APromptAsItIs) {
  const auto ask = read(R"({"prompt":"<｜User｜>p","raw":true,"system":"s"})");
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->form, Form::kRaw);
  EXPECT_EQ(ask->prompt, "<｜User｜>p");
}

TEST(OllamaGenerateBody, AGap) {
  for (const char* body : {R"({"prompt":"a","suffix":"b"})", R"({"prompt":"a","suffix":"b","raw":true})"}) {
    const auto ask = read(body);
    ASSERT_TRUE(ask);
    EXPECT_EQ(ask->form, Form::kGap);
    EXPECT_EQ(ask->prompt + "|" + ask->suffix, "a|b");
  }
  EXPECT_EQ(read(R"({"suffix":"b"})")->form, Form::kGap);
}

TEST(OllamaGenerateBody, Nothing) {
  EXPECT_EQ(read("{}")->form, Form::kNothing);
  EXPECT_EQ(read(R"({"prompt":"","raw":true,"system":"s"})")->form, Form::kNothing);
  EXPECT_TRUE(read(R"({"keep_alive":0})")->common.unload);
}

TEST(OllamaGenerateBody, BadFieldsAreNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"prompt":["a"]})", "prompt: expected a string"},
      {R"({"prompt":"a","suffix":1})", "suffix: expected a string"},
      {R"({"prompt":"a","system":{}})", "system: expected a string"},
      {R"({"prompt":"a","raw":"yes"})", "raw: expected true or false"},
      {R"({"prompt":"a","images":["x"]})", "This model does not support image"},
      {R"({"prompt":"a","images":"x"})", "images: expected an array"},
      {R"({"prompt":"a","format":"xml"})", "format: expected \"json\" or a JSON schema"},
  };
  for (const auto& [body, says] : cases) {
    const auto ask = read(body);
    ASSERT_FALSE(ask) << body;
    EXPECT_EQ(ask.error().status, 400);
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
  }
}

}  // namespace
}  // namespace hadal::serve::ollama
