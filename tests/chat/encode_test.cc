// The rules of api.md A1-A13 one by one, in the hosted form where it differs from the published encoder.
#include <gmock/gmock.h>

#include "chat/parser.h"
#include "chat/prompt_texts.h"
#include "chat_support.h"

namespace hadal::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kTool = R"({"type": "function", "function": {"name": "f"}})";

std::string bos(const std::string& rest) {
  return "<｜begin▁of▁sentence｜>" + rest;
}

TEST(System, ToolsWithoutSystemText) {
  const std::string request =
      std::string(R"({"mode": "chat", "messages": [{"role": "user", "content": "x"}], "tools": [)") + kTool +
      "]}";
  EXPECT_THAT(flat_of(request), StartsWith(bos("## Tools\n\nYou have")));
  EXPECT_THAT(flat_of(request), HasSubstr("tool calls.\n<｜User｜>x"));
  EXPECT_THAT(flat_of(request, Dialect::kReference), StartsWith(bos("\n\n## Tools\n\nYou have")));
}

TEST(System, AConversationWithoutUserStillAsksTheModel) {
  const std::string request = R"({"mode": "MODE", "messages": [{"role": "system", "content": "s"}]})";
  std::string chat = request, thinking = request;
  chat.replace(chat.find("MODE"), 4, "chat");
  thinking.replace(thinking.find("MODE"), 4, "thinking");
  EXPECT_EQ(flat_of(chat), bos("s<｜Assistant｜></think>"));
  EXPECT_EQ(flat_of(thinking), bos("s<｜Assistant｜><think>"));
}

TEST(Tools, OnlyThreeKeysInTheirOrder) {
  const std::string request =
      R"({"mode": "chat", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}],
      "tools": [{"type": "function", "function": {"strict": true, "parameters": {"z": 1, "a": 1e400}, "name": "n\u00e9"}},
                {"name": "g", "description": "d"}]})";
  EXPECT_THAT(
      flat_of(request),
      HasSubstr(
          "Schemas\n\n{\"name\": \"né\", \"description\": \"\", \"parameters\": {\"z\": 1, \"a\": 1e400}}\n"
          "{\"name\": \"g\", \"description\": \"d\", \"parameters\": {}}\n\nYou MUST strictly"));
  EXPECT_THAT(flat_of(request, Dialect::kReference),
              HasSubstr("{\"strict\": true, \"parameters\": {\"z\": 1, \"a\": 1e400}, \"name\": \"né\"}"));
}

TEST(Reasoning, IsKeptForLaterTurnsOnlyWithTools) {
  const std::string messages = R"("messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b", "reasoning_content": "r"}, {"role": "user", "content": "c"}])";
  EXPECT_EQ(flat_of("{" + messages + "}"),
            bos("<｜User｜>a<｜Assistant｜></think>b<｜end▁of▁sentence｜><｜User｜>c<｜Assistant｜><think>"));
  EXPECT_THAT(flat_of("{" + messages + ", \"tools\": [" + kTool + "]}"),
              HasSubstr("<｜User｜>a<｜Assistant｜><think>r</"
                        "think>b<｜end▁of▁sentence｜><｜User｜>c<｜Assistant｜><think>"));
  EXPECT_THAT(flat_of("{" + messages + ", \"tools\": []}"), Not(HasSubstr("r</think>")));
}

TEST(Assistant, AFirstMessageOfTheAssistantGetsItsPrefix) {
  const std::string messages =
      R"("messages": [{"role": "system", "content": "s"}, {"role": "assistant", "content": "hello",
      "reasoning_content": "r"}, {"role": "user", "content": "x"}])";
  EXPECT_EQ(flat_of(R"({"mode": "chat", )" + messages + "}"),
            bos("s<｜Assistant｜></think>hello<｜end▁of▁sentence｜><｜User｜>x<｜Assistant｜></think>"));
  EXPECT_EQ(flat_of("{" + messages + "}"),
            bos("s<｜Assistant｜></think>hello<｜end▁of▁sentence｜><｜User｜>x<｜Assistant｜><think>"));
  EXPECT_EQ(
      flat_of(R"({"drop_thinking": false, )" + messages + "}"),
      bos("s<｜Assistant｜><think>r</think>hello<｜end▁of▁sentence｜><｜User｜>x<｜Assistant｜><think>"));
}

TEST(Assistant, Continued) {
  const auto flat = [](const std::string& mode, const std::string& fields,
                       Dialect dialect = Dialect::kHosted) {
    return flat_of(R"({"mode": ")" + mode +
                       R"(", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", )" +
                       fields + R"(, "prefix": true}]})",
                   dialect);
  };
  EXPECT_EQ(flat("chat", R"("content": "b")"), bos("<｜User｜>a<｜Assistant｜></think>b"));
  EXPECT_EQ(flat("thinking", R"("content": "b")"), bos("<｜User｜>a<｜Assistant｜><think></think>b"));
  EXPECT_EQ(flat("thinking", R"("reasoning_content": "r")"), bos("<｜User｜>a<｜Assistant｜><think>r"));
  EXPECT_EQ(flat("thinking", R"("reasoning_content": "r")", Dialect::kReference),
            bos("<｜User｜>a<｜Assistant｜><think>r</think>"));
  EXPECT_EQ(
      problem_of(
          R"({"messages": [{"role": "assistant", "content": "b", "prefix": true}, {"role": "user", "content": "a"}]})"),
      "messages[0].prefix: expected only on the last message, and only for the assistant");
  EXPECT_EQ(problem_of(R"({"continue_last": true, "messages": [{"role": "user", "content": "a"}]})"),
            "messages: expected an assistant message at the end, to be continued");
}

TEST(Forced, OpensTheBlockAndNeedsToolsAndChatMode) {
  const std::string tail = R"("forced_tool": true, "messages": [{"role": "user", "content": "a"}])";
  const std::string tools = std::string(", \"tools\": [") + kTool + "]";
  EXPECT_THAT(flat_of(R"({"mode": "chat", )" + tail + tools + "}"),
              testing::EndsWith("<｜Assistant｜></think>\n\n<｜DSML｜tool_calls>\n"));
  EXPECT_THAT(problem_of("{" + tail + tools + "}"), StartsWith("forced_tool: "));
  EXPECT_THAT(problem_of(R"({"mode": "chat", )" + tail + "}"), StartsWith("forced_tool: "));
}

TEST(Reminder, AtTheEndStillAsksTheModel) {
  EXPECT_EQ(
      flat_of(
          R"({"messages": [{"role": "user", "content": "x"}, {"role": "latest_reminder", "content": "R"}]})"),
      bos("<｜User｜>x<｜Assistant｜><think><｜latest_reminder｜>R<｜Assistant｜><think>"));
}

TEST(ParserStart, FollowsThePrompt) {
  const auto start = [](const std::string& json) { return parser_start(items_of(json)); };
  const std::string user = R"("messages": [{"role": "user", "content": "a"})";
  EXPECT_EQ(start("{" + user + "]}"), ParserStart::kReasoning);
  EXPECT_EQ(start(R"({"mode": "chat", )" + user + "]}"), ParserStart::kContent);
  const std::string more = user + R"(, {"role": "assistant", "prefix": true, )";
  EXPECT_EQ(start("{" + more + R"("reasoning_content": "r"}]})"), ParserStart::kReasoningContinued);
  EXPECT_EQ(start("{" + more + R"("content": "c"}]})"), ParserStart::kContentContinued);
  EXPECT_EQ(
      start("{" + more + R"("tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}]})"),
      ParserStart::kContentContinued);
  EXPECT_EQ(
      start(R"({"mode": "chat", "forced_tool": true, "tools": [)" + std::string(kTool) + "], " + user + "]}"),
      ParserStart::kToolCalls);
}

}  // namespace
}  // namespace hadal::test
