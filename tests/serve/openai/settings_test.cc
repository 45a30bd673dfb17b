#include "serve/openai/settings.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

Asked<ChatAsk> read(const std::string& json, int64_t least_tokens = 1) {
  const auto body = parse_json(json);
  EXPECT_TRUE(body) << json;
  ChatAsk ask;
  BodyRules rules;
  rules.most_choices = 4;
  if (const auto s = read_settings(rules, *body, ask, least_tokens); !s)
    return tl::make_unexpected(s.error());
  return ask;
}

TEST(Settings, EveryFieldIsRead) {
  const auto ask =
      read(R"({"temperature":0.5,"top_p":0.25,"min_p":0.125,"presence_penalty":1,"frequency_penalty":-1,)"
           R"("repetition_penalty":1.5,"top_k":7,"seed":18446744073709551615,"max_tokens":12,"stream":true,)"
           R"("user_id":"u","stop":["a","","b"],"n":3})");
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->temperature, 0.5f);
  EXPECT_EQ(ask->top_p, 0.25f);
  EXPECT_EQ(ask->min_p, 0.125f);
  EXPECT_EQ(ask->presence_penalty, 1.0f);
  EXPECT_EQ(ask->frequency_penalty, -1.0f);
  EXPECT_EQ(ask->repetition_penalty, 1.5f);
  EXPECT_EQ(ask->top_k, 7);
  EXPECT_EQ(ask->seed, 18446744073709551615u);
  EXPECT_EQ(ask->max_tokens, 12);
  EXPECT_TRUE(ask->stream);
  EXPECT_EQ(ask->user, "u");
  EXPECT_EQ(ask->stops, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(ask->n, 3);
}

TEST(Settings, NullIsAbsent) {
  const auto ask = read(R"({"temperature":null,"max_tokens":null,"stop":null,"n":null,"logit_bias":null})");
  ASSERT_TRUE(ask);
  EXPECT_FALSE(ask->temperature);
  EXPECT_FALSE(ask->max_tokens);
  EXPECT_EQ(ask->n, 1);
}

TEST(Settings, SpellingsOfOtherServers) {
  EXPECT_EQ(read(R"({"max_completion_tokens":9})")->max_tokens, 9);
  EXPECT_EQ(read(R"({"max_tokens":5,"max_completion_tokens":9})")->max_tokens, 5);
  EXPECT_EQ(read(R"({"top_k":-1})")->top_k, 0);
  EXPECT_EQ(read(R"({"stop":"x"})")->stops, std::vector<std::string>{"x"});
  EXPECT_EQ(read(R"({"user":"a","user_id":"b"})")->user, "b");
  EXPECT_EQ(read(R"({"n":2.0,"temperature":1})")->n, 2);
}

TEST(Settings, WhatIsWrongIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"temperature":2.5})", "Invalid temperature value, the valid range of temperature is [0, 2]"},
      {R"({"top_p":0})", "Invalid top_p value, the valid range of top_p is (0, 1]"},
      {R"({"min_p":2})", "Invalid min_p value, the valid range of min_p is [0, 1]"},
      {R"({"presence_penalty":-3})", "Invalid presence_penalty value"},
      {R"({"frequency_penalty":3})", "Invalid frequency_penalty value"},
      {R"({"repetition_penalty":0})", "Invalid repetition_penalty value"},
      {R"({"temperature":"1"})", "Failed to deserialize the JSON body into the target type: temperature"},
      {R"({"stream":1})", "stream"},
      {R"({"max_tokens":0})", "max_tokens must be greater than zero"},
      {R"({"max_tokens":-7})", "max_tokens must be greater than zero"},
      {R"({"max_tokens":1.5})", "max_tokens"},
      {R"({"seed":-1})", "seed"},
      {R"({"n":5})", "Invalid n value: expected a whole number from 1 to 4"},
      {R"({"n":0})", "Invalid n value"},
      {R"({"stop":[1]})", "stop"},
      {R"({"logit_bias":{"1":2}})", "logit_bias is not supported by this server"},
      {R"({"user":")" + std::string(513, 'x') + "\"}", "Invalid 'user_id': string too long."},
  };
  for (const auto& [body, says] : cases) {
    const auto ask = read(body);
    ASSERT_FALSE(ask) << body;
    EXPECT_EQ(ask.error().status, 400);
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
  }
  EXPECT_EQ(read(R"({"max_tokens":0})", 0)->max_tokens, 0);
  EXPECT_FALSE(read(R"({"max_tokens":-1})", 0));
}

TEST(Settings, AMemberIsTrueOnlyWhereItIs) {
  const auto body = parse_json(R"({"a":{"b":true,"c":1},"d":true})");
  EXPECT_TRUE(member_is_true(*body, "a", "b"));
  EXPECT_FALSE(member_is_true(*body, "a", "c"));
  EXPECT_FALSE(member_is_true(*body, "d", "b"));
  EXPECT_FALSE(member_is_true(*body, "e", "b"));
}

}  // namespace
}  // namespace hadal::serve
