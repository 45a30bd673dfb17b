#include "serve/anthropic/message_body.h"

#include <gtest/gtest.h>

namespace hadal::serve::anthropic {
namespace {

Asked<MessageAsk> read_whole(const std::string& body, bool strict = false) {
  static const ModelNames names("hadal-mini", {});
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  const auto value = parse_json(body);
  EXPECT_TRUE(value) << body;
  return read_message_body(rules, strict, *value);
}
Asked<MessageAsk> read(const std::string& fields) {
  return read_whole(R"({"messages":[{"role":"user","content":"q"}])" + (fields.empty() ? "" : "," + fields) +
                    "}");
}

TEST(MessageBody, WhatIsNotSaidIsOpen) {
  const auto ask = read("");
  ASSERT_TRUE(ask);
  const ChatAsk& chat = ask->chat;
  ASSERT_EQ(chat.chat.messages.size(), 1u);
  EXPECT_EQ(chat.model.name, "hadal-mini");
  EXPECT_TRUE(chat.paired && ask->show_thinking);
  EXPECT_TRUE(chat.effort.empty() && chat.stops.empty() && chat.user.empty() && chat.chat.tools.empty());
  EXPECT_FALSE(chat.thinking || chat.temperature || chat.top_p || chat.top_k || chat.max_tokens ||
               chat.stream);
  EXPECT_EQ(chat.n, 1);
}

TEST(MessageBody, EveryField) {
  const auto ask = read(R"("model":"claude-sonnet-4-5[1m]","max_tokens":100.0,"temperature":0.5,"top_p":0.9,
      "top_k":40,"stop_sequences":["a","b"],"stream":true,"thinking":{"type":"enabled","budget_tokens":1024},
      "output_config":{"effort":"max"},"metadata":{"user_id":"user_1_account__session_é"},
      "system":[{"type":"text","text":"Be kind."}],"tools":[{"name":"f","input_schema":{}}],
      "tool_choice":{"type":"auto"},"container":"c","mcp_servers":[],"service_tier":"auto",
      "context_management":{},"inference_geo":"eu","speed":"fast","betas":["x"])");
  ASSERT_TRUE(ask) << ask.error().message;
  const ChatAsk& chat = ask->chat;
  EXPECT_EQ(chat.model.name, "hadal-mini");
  EXPECT_EQ(chat.max_tokens, 100);
  EXPECT_FLOAT_EQ(*chat.temperature, 0.5f);
  EXPECT_FLOAT_EQ(*chat.top_p, 0.9f);
  EXPECT_FALSE(chat.top_k);
  EXPECT_EQ(chat.stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(chat.stream);
  EXPECT_EQ(chat.thinking, true);
  EXPECT_EQ(chat.effort, "max");
  EXPECT_EQ(chat.user, "user_1_account__session_é");
  ASSERT_EQ(chat.chat.messages.size(), 2u);
  EXPECT_EQ(chat.chat.messages[0].role, "system");
  EXPECT_EQ(chat.chat.messages[0].content, "Be kind.");
  EXPECT_EQ(chat.chat.tools.size(), 1u);
}

TEST(MessageBody, NullIsAbsent) {
  const auto ask =
      read(R"("model":null,"max_tokens":null,"temperature":null,"top_p":null,"stop_sequences":null,
      "stream":null,"thinking":null,"output_config":null,"output_format":null,"metadata":null,"system":null,
      "tools":null,"tool_choice":null)");
  ASSERT_TRUE(ask) << ask.error().message;
  EXPECT_EQ(ask->chat.chat.messages.size(), 1u);
  EXPECT_TRUE(
      read(R"("metadata":{"user_id":null},"output_config":{"effort":null,"format":null},"system":"")"));
}

TEST(MessageBody, ThinkingAndWhatIsShownOfIt) {
  const auto thinking = [](const char* json) { return read(std::string(R"("thinking":)") + json); };
  EXPECT_EQ(thinking(R"({"type":"adaptive"})")->chat.thinking, true);
  EXPECT_EQ(thinking(R"({"type":"disabled"})")->chat.thinking, false);
  EXPECT_TRUE(thinking(R"({"type":"enabled","display":"summarized"})")->show_thinking);
  EXPECT_FALSE(thinking(R"({"type":"enabled","display":"omitted"})")->show_thinking);
}

TEST(MessageBody, HiddenThinkingIsCountedAmongAllMessages) {
  const auto ask = read_whole(R"({"system":"s","messages":[{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"thinking","signature":"x"},{"type":"text","text":"a"}]},
      {"role":"user","content":"r"}]})");
  ASSERT_TRUE(ask);
  ASSERT_EQ(ask->hidden.size(), 1u);
  EXPECT_EQ(ask->hidden[0].message, 2u);
  EXPECT_EQ(ask->chat.chat.messages[2].role, "assistant");
}

TEST(MessageBody, StrictnessReachesTheTools) {
  const std::string body = R"({"messages":[{"role":"assistant","content":[
      {"type":"tool_use","id":"t","name":"f"}]},{"role":"user","content":"r"}]})";
  EXPECT_TRUE(read_whole(body));
  EXPECT_FALSE(read_whole(body, true));
}

TEST(MessageBody, Formats) {
  for (const std::string fields :
       {R"("output_config":{"format":{"type":"json_schema","schema":{"type":"null"}}})",
        R"("output_format":{"type":"json_schema","schema":{"type":"null"}})"}) {
    const auto ask = read(fields);
    ASSERT_TRUE(ask) << ask.error().message;
    EXPECT_EQ(ask->chat.answer.content, AnswerRules::Content::kJson);
    EXPECT_EQ(ask->chat.chat.response_format, R"({"type": "null"})");
  }
}

TEST(MessageBody, BadFieldsAreNamed) {
  const std::string long_user(513, 'u');
  const std::pair<std::string, std::string> cases[] = {
      {R"("model":5)", "model: expected a string"},
      {R"("max_tokens":0)", "max_tokens must be greater than zero"},
      {R"("max_tokens":-5)", "max_tokens must be greater than zero"},
      {R"("max_tokens":"many")", "max_tokens: expected a whole number"},
      {R"("max_tokens":1e300)", "max_tokens: expected a whole number"},
      {R"("temperature":2.5)", "Invalid temperature value, the valid range of temperature is [0, 2]"},
      {R"("temperature":"hot")", "temperature: expected a number"},
      {R"("top_p":0)", "Invalid top_p value, the valid range of top_p is (0, 1]"},
      {R"("top_p":[])", "top_p: expected a number"},
      {R"("stream":"yes")", "stream: expected true or false"},
      {R"("stop_sequences":"a")", "stop_sequences must contain at most 16 non-empty strings"},
      {R"("stop_sequences":[""])", "stop_sequences must contain at most 16 non-empty strings"},
      {R"("stop_sequences":[1])", "stop_sequences must contain at most 16 non-empty strings"},
      {R"("stop_sequences":["1","2","3","4","5","6","7","8","9","a","b","c","d","e","f","g","h"])",
       "stop_sequences must contain at most 16 non-empty strings"},
      {R"("thinking":true)", "thinking.type: expected enabled, disabled or adaptive"},
      {R"("thinking":{})", "thinking.type: expected enabled, disabled or adaptive"},
      {R"("thinking":{"type":"maybe"})", "thinking.type: expected enabled, disabled or adaptive"},
      {R"("output_config":"max")", "output_config: expected an object"},
      {R"("output_config":{"effort":3})", "output_config.effort: expected a string"},
      {R"("output_config":{"format":{"type":"xml"}})", "output_config.format: only text"},
      {R"("output_config":{"format":{"type":"json_schema"}})",
       "output_config.format.schema: expected a JSON schema"},
      {R"("output_format":"json")", "output_format.type: expected"},
      {R"("metadata":"me")", "metadata: expected an object"},
      {R"("metadata":{"user_id":5})", "metadata.user_id: expected a string"},
      {R"("metadata":{"user_id":")" + long_user + "\"}",
       "Invalid 'user_id': string too long. Expected a string with maximum length 512, but got a string with "
       "length 513 instead"},
      {R"("system":{})", "system: expected a string or an array of text blocks"},
      {R"("tools":{})", "tools: expected an array"},
      {R"("tool_choice":3)", "tool_choice.type"},
  };
  for (const auto& [fields, says] : cases) {
    const auto ask = read(fields);
    ASSERT_FALSE(ask) << fields;
    EXPECT_EQ(ask.error().status, 400);
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
  }
  EXPECT_EQ(read_whole("{}").error().message,
            "Failed to deserialize the JSON body into the target type: missing field `messages`");
  EXPECT_EQ(read_whole(R"({"messages":[]})").error().message, "messages: at least one message is required");
  EXPECT_EQ(read(R"("model":"llama-3")").error().status, 404);
}

}  // namespace
}  // namespace hadal::serve::anthropic
