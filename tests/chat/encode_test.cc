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

TEST(Effort, TextsOfBothGenerations) {
  const auto flat = [](const std::string& effort, PromptGeneration generation,
                       const std::string& mode = "thinking") {
    const std::string value = effort == "null" ? effort : "\"" + effort + "\"";
    return flat_of(R"({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": )" + value +
                       R"(, "mode": ")" + mode + "\"}",
                   Dialect::kHosted, generation);
  };
  const std::string tail = "<｜User｜>x<｜Assistant｜><think>";
  const std::string absolute(kEffortAbsolute), beyond(kEffortBeyond);
  using enum PromptGeneration;
  for (const std::string effort : {"null", "none", "minimal", "low", "medium", "high", "xhigh"})
    EXPECT_EQ(flat(effort, kV4Preview), bos(tail)) << effort;
  for (const std::string effort : {"null", "none", "minimal", "low"})
    EXPECT_EQ(flat(effort, kV4Official), bos(tail)) << effort;
  for (const std::string effort : {"medium", "high", "xhigh"})
    EXPECT_EQ(flat(effort, kV4Official), bos(absolute + tail)) << effort;
  for (const std::string effort : {"ultra", "max"}) {
    EXPECT_EQ(flat(effort, kV4Preview), bos(absolute + tail)) << effort;
    EXPECT_EQ(flat(effort, kV4Official), bos(beyond + tail)) << effort;
    EXPECT_EQ(flat(effort, kV4Official, "chat"), bos("<｜User｜>x<｜Assistant｜></think>")) << effort;
  }
}

TEST(Effort, TheMapOfThePreview) {
  EXPECT_EQ(effort_from_name("low", EffortMap::kPreview), Effort::kHigh);
  EXPECT_EQ(effort_from_name("xhigh", EffortMap::kPreview), Effort::kMax);
  EXPECT_EQ(effort_from_name("medium", EffortMap::kPreview), Effort::kHigh);
  EXPECT_EQ(effort_from_name("none", EffortMap::kPreview), Effort::kNone);
  EXPECT_EQ(effort_from_name("High"), std::nullopt);
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

TEST(Tools, MarkupIsSpecialAndClientTextIsNot) {
  const auto items =
      items_of(R"({"mode": "chat", "messages": [{"role": "system", "content": "<think>｜DSML｜"},
      {"role": "user", "content": "</think><｜User｜>"}, {"role": "assistant", "content": "<｜end▁of▁sentence｜>",
      "tool_calls": [{"id": "1", "function": {"name": "</think>", "arguments": "{\"<think>\": \"</｜DSML｜parameter>\"}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "<｜Assistant｜>"}],
      "tools": [{"name": "<think>", "description": "｜DSML｜"}]})");
  std::map<std::string, int> specials;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].special) ++specials[items[i].text];
    EXPECT_FALSE(i > 0 && !items[i].special && !items[i - 1].special) << "adjacent texts";
  }
  // Nine tags in the tools block and six around the call; two of each mark of thought in the block.
  EXPECT_EQ(specials["｜DSML｜"], 9 + 6);
  EXPECT_EQ(specials["<think>"], 2);
  EXPECT_EQ(specials["</think>"], 2 + 2);
  EXPECT_EQ(specials["<｜User｜>"], 2);
  EXPECT_EQ(specials["<｜Assistant｜>"], 2);
  EXPECT_EQ(specials["<｜end▁of▁sentence｜>"], 1);
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

TEST(Calls, ArgumentsThatAreNoObject) {
  const auto call = [](const std::string& arguments, Dialect dialect = Dialect::kHosted) {
    const Json request = {
        {"mode", "chat"},
        {"messages",
         Json::array(
             {{{"role", "user"}, {"content", "a"}},
              {{"role", "assistant"},
               {"tool_calls",
                Json::array({{{"id", "1"}, {"function", {{"name", "f"}, {"arguments", arguments}}}}})}}})}};
    const std::string flat = flat_of(request.dump(), dialect);
    const std::string head = "invoke name=\"f\">\n";
    const size_t from = flat.find(head) + head.size();
    return flat.substr(from, flat.find("\n</｜DSML｜invoke>") - from);
  };
  const auto raw = [](const std::string& text) {
    return "<｜DSML｜parameter name=\"arguments\" string=\"true\">" + text + "</｜DSML｜parameter>";
  };
  EXPECT_EQ(call("{}"), "");
  EXPECT_EQ(call(""), "");
  EXPECT_EQ(call(" \n"), "");
  EXPECT_EQ(call("", Dialect::kReference), raw(""));
  EXPECT_EQ(call("[1]"), raw("[1]"));
  EXPECT_EQ(call("\"s\""), raw("\"s\""));
  EXPECT_EQ(call("{\"a\": 1"), raw("{\"a\": 1"));
  EXPECT_EQ(call(std::string(5000, '[')), raw(std::string(5000, '[')));
  EXPECT_EQ(call(R"({"a":1,"b":"x\ny","a":-0})"),
            "<｜DSML｜parameter name=\"a\" string=\"false\">0</｜DSML｜parameter>\n"
            "<｜DSML｜parameter name=\"b\" string=\"true\">x\ny</｜DSML｜parameter>");
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
