#include "serve/openai/response_body.h"

#include <gtest/gtest.h>

namespace hadal::serve::responses {
namespace {

Asked<ResponseAsk> read(const std::string& json) {
  const auto body = parse_json(json);
  EXPECT_TRUE(body) << json;
  BodyRules rules;
  rules.choose_model = [](std::string_view name) -> Asked<ModelChoice> {
    if (name == "other") return tl::make_unexpected(ApiError{.status = 404, .message = "no such model"});
    return ModelChoice{std::string(name), std::nullopt, {}};
  };
  return read_response_body(rules, *body);
}

TEST(ResponseBody, EveryFieldIsRead) {
  const auto ask = read(
      R"({"model":"m","input":"x","instructions":"i","reasoning":{"effort":"low","summary":"auto"},)"
      R"("max_output_tokens":99,"temperature":0.5,"top_p":0.25,"stream":true,"user":"u","top_logprobs":3,)"
      R"("include":["reasoning.encrypted_content"],"metadata":{"a":"b"},"text":{"format":{"type":"text"},)"
      R"("verbosity":"low"},"tools":[{"type":"function","name":"f"}],"tool_choice":"auto","store":true,)"
      R"("background":false,"parallel_tool_calls":true,"truncation":"auto","prompt_cache_key":"k"})");
  ASSERT_TRUE(ask) << ask.error().message;
  EXPECT_EQ(ask->chat.model.name, "m");
  EXPECT_EQ(ask->chat.chat.messages.size(), 2u);
  EXPECT_TRUE(ask->chat.paired);
  EXPECT_EQ(ask->chat.chat.tools.size(), 1u);
  EXPECT_EQ(ask->chat.effort, "low");
  EXPECT_EQ(ask->chat.max_tokens, 99);
  EXPECT_EQ(ask->chat.temperature, 0.5f);
  EXPECT_EQ(ask->chat.top_p, 0.25f);
  EXPECT_TRUE(ask->chat.stream);
  EXPECT_EQ(ask->chat.user, "u");
  EXPECT_EQ(ask->chat.top_logprobs, 3);
  EXPECT_TRUE(ask->encrypted_reasoning);
  EXPECT_EQ(ask->instructions, "\"i\"");
  EXPECT_EQ(ask->metadata, R"({"a": "b"})");
  EXPECT_EQ(ask->tool_choice, "\"auto\"");
}

TEST(ResponseBody, WhatIsLeftOutIsTheDefault) {
  const auto ask = read(R"({"input":"x","previous_response_id":null,"conversation":null,"tools":null})");
  ASSERT_TRUE(ask);
  EXPECT_TRUE(ask->chat.effort.empty());
  EXPECT_FALSE(ask->chat.max_tokens);
  EXPECT_EQ(ask->chat.top_logprobs, -1);
  EXPECT_FALSE(ask->encrypted_reasoning);
  EXPECT_EQ(ask->instructions, "null");
  EXPECT_EQ(ask->metadata, "{}");
  EXPECT_EQ(read(R"({"input":"x","top_logprobs":0})")->chat.top_logprobs, -1);
  EXPECT_EQ(read(R"({"input":"x","include":["message.output_text.logprobs"]})")->chat.top_logprobs, 0);
}

TEST(ResponseBody, EffortsAreThoseOfTheApi) {
  ChatRules rules;
  const std::pair<const char*, std::pair<Mode, Effort>> cases[] = {
      {"none", {Mode::kChat, Effort::kNone}},     {"minimal", {Mode::kThinking, Effort::kLow}},
      {"low", {Mode::kThinking, Effort::kLow}},   {"medium", {Mode::kThinking, Effort::kHigh}},
      {"high", {Mode::kThinking, Effort::kHigh}}, {"xhigh", {Mode::kThinking, Effort::kHigh}},
      {"max", {Mode::kThinking, Effort::kMax}},
  };
  for (const auto& [name, means] : cases) {
    auto ask = read(R"({"input":"x","reasoning":{"effort":")" + std::string(name) + "\"}}");
    ASSERT_TRUE(ask);
    ASSERT_TRUE(resolve_thinking(ask->chat, rules));
    EXPECT_EQ(ask->chat.chat.mode, means.first) << name;
    EXPECT_EQ(ask->chat.chat.effort, means.second) << name;
  }
  auto absent = read(R"({"input":"x","reasoning":{"summary":"auto"}})");
  ASSERT_TRUE(resolve_thinking(absent->chat, rules));
  EXPECT_EQ(absent->chat.chat.mode, Mode::kThinking);
  EXPECT_EQ(absent->chat.chat.effort, Effort::kHigh);
}

TEST(ResponseBody, ToolChoices) {
  const std::string tools =
      R"("tools":[{"type":"function","name":"f"},{"type":"custom","name":"apply_patch"}])";
  const auto choose = [&](const std::string& choice) {
    return read(R"({"input":"x",)" + tools + R"(,"tool_choice":)" + choice + "}");
  };
  const auto none = choose("\"none\"");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->chat.chat.tools.empty());
  EXPECT_EQ(none->tool_choice, "\"none\"");
  for (const char* free :
       {"\"auto\"", "null", R"({"type":"web_search_preview"})", R"({"type":"web_search"})"}) {
    const auto ask = choose(free);
    ASSERT_TRUE(ask) << free;
    EXPECT_EQ(ask->chat.chat.tools.size(), 2u);
  }
  for (const auto& [forced, tools_left] : std::vector<std::pair<std::string, size_t>>{
           {"\"required\"", 2},
           {R"({"type":"function","name":"f"})", 1},
           {R"({"type":"custom","name":"apply_patch"})", 1},
           {R"({"type":"allowed_tools","mode":"required","tools":[{"type":"custom","name":"apply_patch"}]})",
            1}}) {
    const auto ask = choose(forced);
    ASSERT_TRUE(ask) << forced;
    EXPECT_TRUE(ask->chat.must_call) << forced;
    EXPECT_EQ(ask->chat.chat.tools.size(), tools_left) << forced;
    EXPECT_EQ(ask->tools.shown().size(), 2u);  // what the answer repeats
  }
  const auto some =
      choose(R"({"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"}]})");
  ASSERT_TRUE(some);
  EXPECT_FALSE(some->chat.must_call);
  EXPECT_EQ(some->chat.chat.tools.size(), 1u);
}

TEST(ResponseBody, Formats) {
  const auto object = read(R"({"input":"x","text":{"format":{"type":"json_object"}}})");
  ASSERT_TRUE(object);
  EXPECT_EQ(object->chat.answer.content, AnswerRules::Content::kJson);
  EXPECT_EQ(object->chat.chat.response_format, R"({"type": "json_object"})");
  EXPECT_EQ(object->text_format, R"({"type": "json_object"})");
  const auto schema = read(
      R"({"input":"x","text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":{"properties":{"a":{}}}}}})");
  ASSERT_TRUE(schema);
  EXPECT_EQ(schema->chat.chat.response_format, R"({"properties": {"a": {}}})");
  EXPECT_EQ(schema->chat.answer.schema.keys.back(), "additionalProperties");
  EXPECT_EQ(schema->chat.format_field, "text.format.schema");
}

TEST(ResponseBody, WhatIsWrongIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "Either input or instructions must be provided"},
      {R"({"input":"x","model":5})", "model"},
      {R"({"input":"x","model":"other"})", "no such model"},
      {R"({"input":"x","previous_response_id":"resp_1"})",
       "previous_response_id is not supported; replay full input instead"},
      {R"({"input":"x","conversation":{"id":"c"}})", "conversation is not supported"},
      {R"({"input":"x","tools":{}})", "tools: expected an array"},
      {R"({"input":"x","reasoning":"high"})", "reasoning: expected an object"},
      {R"({"input":"x","reasoning":{"effort":5}})", "reasoning.effort"},
      {R"({"input":"x","reasoning":{"effort":"huge"}})", "Invalid reasoning.effort 'huge'"},
      {R"({"input":"x","max_output_tokens":0})", "max_output_tokens must be greater than zero"},
      {R"({"input":"x","max_output_tokens":"9"})", "max_output_tokens"},
      {R"({"input":"x","temperature":3})", "the valid range of temperature is [0, 2]"},
      {R"({"input":"x","top_p":0})", "the valid range of top_p is (0, 1]"},
      {R"({"input":"x","top_logprobs":21})", "the valid range of top_logprobs is [0, 20]"},
      {R"({"input":"x","stream":"yes"})", "stream"},
      {R"({"input":"x","include":"all"})", "include"},
      {R"({"input":"x","user":")" + std::string(513, 'u') + "\"}", "string too long"},
      {R"({"input":"x","text":5})", "text: expected an object"},
      {R"({"input":"x","text":{"format":5}})", "text.format.type: expected"},
      {R"({"input":"x","text":{"format":{"type":"xml"}}})", "text.format: only text, json_object"},
      {R"({"input":"x","text":{"format":{"type":"json_schema"}}})",
       "text.format.schema: expected a JSON schema"},
      {R"({"input":"x","tools":[{"type":"function","name":"f"}],"tool_choice":{"type":"allowed_tools"}})",
       "tool_choice.tools: expected an array of tools"},
      {R"({"input":"x","tool_choice":"all"})", "tool_choice: expected none, auto, required or a tool"},
      {R"({"input":"x","tool_choice":5})", "tool_choice: expected none, auto, required or a tool"},
      {R"({"input":"x","tool_choice":{"type":"strange"}})", "tool_choice: unknown type 'strange'"},
      {R"({"input":"x","tool_choice":"required"})", "tool_choice: expected tools to choose from"},
      {R"({"input":"x","tool_choice":{"type":"function","name":"g"}})", "no tool named 'g' was specified"},
      {R"({"input":"x","metadata":[]})", "metadata: expected an object"},
  };
  for (const auto& [body, says] : cases) {
    const auto ask = read(body);
    ASSERT_FALSE(ask) << body;
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
    EXPECT_EQ(ask.error().status, says == "no such model" ? 404 : 400);
  }
}

}  // namespace
}  // namespace hadal::serve::responses
