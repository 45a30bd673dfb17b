#include "serve/chat_ask.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

struct ThinkingCase {
  std::optional<bool> said;
  std::string effort;
  std::optional<bool> by_name;
  bool on;
  Effort level;
};

TEST(ChatAsk, ThinkingIsWhatIsSaidThenTheEffortThenTheName) {
  const ThinkingCase cases[] = {
      {{}, "", {}, true, Effort::kHigh},          {{}, "", false, false, Effort::kNone},
      {{}, "", true, true, Effort::kHigh},        {{}, "low", false, true, Effort::kLow},
      {{}, "none", true, false, Effort::kNone},   {true, "none", false, true, Effort::kHigh},
      {false, "max", true, false, Effort::kNone}, {true, "max", false, true, Effort::kMax},
      {{}, "minimal", {}, true, Effort::kLow},    {{}, "medium", {}, true, Effort::kHigh},
      {{}, "xhigh", {}, true, Effort::kHigh},     {{}, "ultra", {}, true, Effort::kMax}};
  for (const ThinkingCase& c : cases) {
    ChatAsk ask;
    ask.thinking = c.said;
    ask.effort = c.effort;
    ask.model.thinking = c.by_name;
    ASSERT_TRUE(resolve_thinking(ask, {}));
    EXPECT_EQ(ask.chat.mode == Mode::kThinking, c.on) << c.effort;
    EXPECT_EQ(ask.chat.effort, c.level) << c.effort;
  }
  ChatAsk ask;
  ask.effort = "hard";
  EXPECT_FALSE(resolve_thinking(ask, {}));
  ask.effort = "xhigh";
  ChatRules preview;
  preview.preview_efforts = true;
  ASSERT_TRUE(resolve_thinking(ask, preview));
  EXPECT_EQ(ask.chat.effort, Effort::kMax);
}

Message message(std::string role, std::vector<std::string> calls = {}, std::string answers = {}) {
  Message m;
  m.role = std::move(role);
  m.tool_call_id = std::move(answers);
  for (std::string& id : calls) m.tool_calls.push_back({std::move(id), "f", "{}"});
  return m;
}

std::string shape(const std::vector<Message>& messages) {
  std::string out;
  for (const Message& m : messages) out += m.role.substr(0, 1) + m.tool_call_id + " ";
  return out;
}

TEST(ChatAsk, MissingResultsBecomeEmptyOnes) {
  std::vector<Message> messages = {message("user"), message("assistant", {"a", "b", "c"}),
                                   message("tool", {}, "b"), message("user")};
  ASSERT_TRUE(pair_tool_results(messages, {}));
  EXPECT_EQ(shape(messages), "u a tb ta tc u ");
  messages = {message("user"), message("assistant", {"a"})};
  ASSERT_TRUE(pair_tool_results(messages, {}));
  EXPECT_EQ(shape(messages), "u a ta ");
  messages = {message("assistant", {"a"}), message("user")};
  ChatRules rules;
  rules.strict_tools = true;
  const auto strict = pair_tool_results(messages, rules);
  ASSERT_FALSE(strict);
  EXPECT_NE(strict.error().message.find("insufficient tool messages"), std::string::npos);
}

TEST(ChatAsk, ResultsWithoutTheirCallAreRefused) {
  const std::pair<std::vector<Message>, const char*> cases[] = {
      {{message("user"), message("tool", {}, "a")}, "must be a response to a preceding message"},
      {{message("assistant", {"a"}), message("tool", {}, "z")}, "Unexpected tool_call_id: z"},
      {{message("assistant", {"a"}), message("tool", {}, "a"), message("tool", {}, "a")}, "Duplicate value"},
      {{message("assistant", {"a", "a"})}, "Duplicate value"},
      {{message("assistant", {"a"}), message("user"), message("tool", {}, "a")}, "must be a response"}};
  for (auto [messages, says] : cases) {
    const auto paired = pair_tool_results(messages, {});
    ASSERT_FALSE(paired) << says;
    EXPECT_NE(paired.error().message.find(says), std::string::npos) << paired.error().message;
  }
}

TEST(ChatAsk, SamplingOfClientsCountsWithoutThinking) {
  ChatAsk ask;
  ask.temperature = 0.25f;
  ask.seed = 5;
  ask.chat.mode = Mode::kChat;
  ChatRules rules;
  rules.sampling.temperature = 0.75f;
  EXPECT_EQ(settings_of(ask, rules)->sampling.temperature, 0.25f);
  ask.chat.mode = Mode::kThinking;
  EXPECT_EQ(settings_of(ask, rules)->sampling.temperature, 0.75f);
  rules.client_sampling_in_thinking = true;
  EXPECT_EQ(settings_of(ask, rules)->sampling.temperature, 0.25f);
  EXPECT_EQ(settings_of(ask, rules)->sampling.seed, 5u);
  rules.seed = 9;
  EXPECT_EQ(settings_of(ask, rules)->sampling.seed, 5u);
  ask.seed.reset();
  EXPECT_EQ(settings_of(ask, rules)->sampling.seed, 9u);
  rules.seed.reset();
  EXPECT_NE(settings_of(ask, rules)->sampling.seed, settings_of(ask, rules)->sampling.seed);
}

TEST(ChatAsk, PenaltiesCountWithoutThinking) {
  ChatAsk ask;
  ask.presence_penalty = 0.5f;
  ask.frequency_penalty = -0.5f;
  ask.chat.mode = Mode::kChat;
  EXPECT_EQ(settings_of(ask, {})->sampling.presence_penalty, 0.5f);
  EXPECT_EQ(settings_of(ask, {})->sampling.frequency_penalty, -0.5f);
  ask.chat.mode = Mode::kThinking;
  EXPECT_EQ(settings_of(ask, {})->sampling.presence_penalty, 0.0f);
  EXPECT_EQ(settings_of(ask, {})->sampling.frequency_penalty, 0.0f);
}

TEST(ChatAsk, ReasoningOfCallsIsWantedWhereTheRulesSaySo) {
  ChatRequest chat;
  chat.mode = Mode::kThinking;
  chat.tools = {R"({"name":"f"})"};
  chat.messages = {message("user"), message("assistant", {"a"}), message("tool", {}, "a")};
  ChatRules rules;
  EXPECT_TRUE(check_reasoning(chat, rules));
  rules.require_reasoning = true;
  EXPECT_FALSE(check_reasoning(chat, rules));
  chat.messages[1].reasoning_content = "r";
  EXPECT_TRUE(check_reasoning(chat, rules));
  chat.messages[1].reasoning_content.clear();
  chat.mode = Mode::kChat;
  EXPECT_TRUE(check_reasoning(chat, rules));
}

TEST(ChatAsk, TheBudgetIsWhatTheContextLeaves) {
  EXPECT_EQ(*token_budget(10, std::nullopt, 100, 1000), 100);
  EXPECT_EQ(*token_budget(10, 50, 100, 1000), 50);
  EXPECT_EQ(*token_budget(10, 384000, 100, 1000), 990);
  EXPECT_EQ(*token_budget(10, std::nullopt, 65536, 1000), 990);
  EXPECT_EQ(*token_budget(999, 50, 100, 1000), 1);
  EXPECT_EQ(*token_budget(10, int64_t{1} << 40, 1, int64_t{1} << 41), kMostAnswerTokens);
  const auto full = token_budget(1000, 50, 100, 1000);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, "context_length_exceeded");
  EXPECT_EQ(full.error().message,
            "This model's maximum context length is 1000 tokens. However, you requested 1050 tokens (1000 in "
            "the messages, 50 "
            "in the completion). Please reduce the length of the messages or completion.");
}

}  // namespace
}  // namespace hadal::serve
