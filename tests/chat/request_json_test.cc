// Reading a request: problems that name the field, and what clients really send (api.md A3, B3.2, B3.3).
#include <gmock/gmock.h>

#include "chat_support.h"

namespace hadal::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string bos(const std::string& rest) {
  return "<｜begin▁of▁sentence｜>" + rest;
}

TEST(Effort, TheMapOfThePreview) {
  EXPECT_EQ(effort_from_name("low", EffortMap::kPreview), Effort::kHigh);
  EXPECT_EQ(effort_from_name("xhigh", EffortMap::kPreview), Effort::kMax);
  EXPECT_EQ(effort_from_name("medium", EffortMap::kPreview), Effort::kHigh);
  EXPECT_EQ(effort_from_name("none", EffortMap::kPreview), Effort::kNone);
  EXPECT_EQ(effort_from_name("High"), std::nullopt);
}

TEST(Request, ProblemsNameTheField) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[", "byte 1: expected a JSON value"},
      {"3", "expected an object with \"messages\", or an array of messages"},
      {"{}", "messages: expected an array of messages, found nothing"},
      {R"({"messages": {}})", "messages: expected an array of messages"},
      {R"({"messages": []})", "messages: expected at least one message"},
      {R"({"messages": [3]})", "messages[0]: expected an object"},
      {R"([{"role": 1}])", "messages[0].role: expected a string"},
      {R"([{"role": "user", "content": 3}])", "messages[0].content: expected a string or an array of parts"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])",
       "messages[0].content[0].type: expected \"text\", found \"image_url\""},
      {R"([{"role": "assistant", "tool_calls": [{"id": 7}]}])",
       "messages[0].tool_calls[0].id: expected a string"},
      {R"([{"role": "assistant", "tool_calls": [{"id": "7"}]}])",
       "messages[0].tool_calls[0].function: expected an object"},
      {R"([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": 1}}]}])",
       "messages[0].tool_calls[0].function.arguments: expected a string of JSON or an object"},
      {R"([{"role": "user", "task": "dance"}])", "messages[0].task: unknown task \"dance\""},
      {R"({"messages": [{"role": "user"}], "mode": "fast"})",
       "mode: expected \"chat\" or \"thinking\", found \"fast\""},
      {R"({"messages": [{"role": "user"}], "tools": {}})", "tools: expected an array of tools"},
      {R"({"messages": [{"role": "user"}], "tools": [{"type": "function"}]})",
       "tools[0].function.name: expected a string"},
      {R"({"messages": [{"role": "user"}], "drop_thinking": 1})", "drop_thinking: expected true or false"}};
  for (const auto& [json, wanted] : cases) EXPECT_EQ(problem_of(json), wanted) << json;
  EXPECT_THAT(problem_of(R"([{"role": "robot"}])"),
              HasSubstr("messages[0].role: expected one of system, user"));
  EXPECT_THAT(problem_of(R"({"messages": [{"role": "user"}], "reasoning_effort": "extreme"})"),
              StartsWith("reasoning_effort: "));
}

TEST(Request, AcceptsWhatClientsSend) {
  EXPECT_EQ(
      flat_of("\xEF\xBB\xBF"
              R"({"mode": "chat", "tools": null, "unknown": {}, "messages": [
      {"role": "user", "name": "n", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "assistant", "content": null, "reasoning": "r", "tool_calls": [{"id": "1", "type": "function",
       "function": {"name": "f", "arguments": {"x": 1.50}}}]},
      {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "T"}, {"type": "file"}]}]})"),
      bos("<｜User｜>a\n\nb<｜Assistant｜></think>\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n"
          "<｜DSML｜parameter name=\"x\" "
          "string=\"false\">1.5</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"
          "<｜end▁of▁sentence｜><｜User｜><tool_result>T\n\n[Unsupported "
          "file]</tool_result><｜Assistant｜></think>"));
}

}  // namespace
}  // namespace hadal::test
