// From messages to turns: merging, order and dropping (api.md A3, A6, A9).
#include <gmock/gmock.h>

#include "chat_support.h"

namespace hadal::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string bos(const std::string& rest) {
  return "<｜begin▁of▁sentence｜>" + rest;
}

TEST(System, LeadingMessagesAreJoinedAndEmptyOnesDropped) {
  EXPECT_EQ(
      flat_of(
          R"({"mode": "chat", "messages": [{"role": "system", "content": "a"}, {"role": "system", "content": ""},
      {"role": "developer", "content": "b"}, {"role": "user", "content": "x"}]})"),
      bos("a\n\nb<｜User｜>x<｜Assistant｜></think>"));
}

TEST(System, ALateMessageIsAUserMessage) {
  const std::string request = R"({"mode": "chat", "messages": [{"role": "system", "content": "a"},
      {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}, {"role": "system", "content": "d"},
      {"role": "user", "content": "e"}]})";
  EXPECT_EQ(flat_of(request), bos("a<｜User｜>b<｜Assistant｜></"
                                  "think>c<｜end▁of▁sentence｜><｜User｜>d\n\ne<｜Assistant｜></think>"));
}

TEST(Reasoning, ADeveloperMessageBeforeTheLastUserIsDroppedAsThePublishedEncoderDoes) {
  const std::string messages =
      R"("messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
      {"role": "developer", "content": "d"}, {"role": "assistant", "content": "e"}, {"role": "user", "content": "f"}]})";
  EXPECT_THAT(flat_of(R"({"mode": "thinking", )" + messages, Dialect::kReference),
              Not(HasSubstr("<｜User｜>d")));
  EXPECT_THAT(flat_of(R"({"mode": "chat", )" + messages, Dialect::kReference), HasSubstr("<｜User｜>d"));
  EXPECT_THAT(flat_of(R"({"mode": "thinking", )" + messages), HasSubstr("<｜User｜>d"));
}

TEST(Assistant, ConsecutiveTurnsAreMerged) {
  EXPECT_EQ(flat_of(R"({"messages": [{"role": "user", "content": "a"},
      {"role": "assistant", "content": "b", "reasoning_content": "r"},
      {"role": "assistant", "content": "c", "reasoning_content": "s"}, {"role": "assistant", "reasoning_content": "t"}]})"),
            bos("<｜User｜>a<｜Assistant｜><think>r\n\ns\n\nt</think>b\n\nc<｜end▁of▁sentence｜>"));
  EXPECT_EQ(
      problem_of(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b",
      "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}, {"role": "assistant", "content": "c"}]})"),
      "messages[2]: expected the results of the tool calls of the assistant message before it");
}

TEST(Results, FollowTheOrderOfTheCallsAndTextKeepsItsPlace) {
  const std::string request =
      R"({"mode": "chat", "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "tool_calls": [
      {"id": "x", "function": {"name": "f", "arguments": "{}"}}, {"id": "y", "function": {"name": "f", "arguments": "{}"}},
      {"id": "z", "function": {"name": "f", "arguments": "{}"}}]},
      {"role": "tool", "tool_call_id": "z", "content": "Z"}, {"role": "user", "content": "u"},
      {"role": "tool", "tool_call_id": "unknown", "content": "?"}, {"role": "tool", "tool_call_id": "y", "content": "Y"},
      {"role": "tool", "tool_call_id": "x", "content": "X"}]})";
  EXPECT_THAT(flat_of(request),
              HasSubstr("<｜User｜><tool_result>?</tool_result>\n\nu\n\n<tool_result>X</tool_result>\n\n"
                        "<tool_result>Y</tool_result>\n\n<tool_result>Z</tool_result><｜Assistant｜>"));
}

}  // namespace
}  // namespace hadal::test
