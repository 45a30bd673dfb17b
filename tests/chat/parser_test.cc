// The parser on well-formed answers and on the cases of api.md V5 and A17.3.
#include <gmock/gmock.h>

#include "chat/python_json.h"
#include "parser_support.h"
#include "text/json_value.h"

namespace hadal::test {
namespace {

ParsedMessage message(std::string reasoning, std::string content, std::vector<ParsedCall> calls,
                      FinishReason reason, std::string stop = "") {
  return {std::move(reasoning), std::move(content), std::move(calls), true, reason, std::move(stop)};
}

using enum FinishReason;

struct Case {
  ParserOptions options;
  std::string completion;
  ParsedMessage wanted;
  FinishCause cause = FinishCause::kLength;
};

void expect_cases(const std::vector<Case>& cases) {
  for (const Case& c : cases)
    for (const size_t fragment : {0, 1, 2, 3, 5, 7})
      EXPECT_EQ(parsed(c.options, c.completion, fragment, c.cause), c.wanted)
          << c.completion << "\nfragments of " << fragment;
}

TEST(Parser, WellFormed) {
  const std::string weather =
      "r</think>" +
      block(invoke("get_weather", parameter("location", "Beijing") + "\n" + parameter("unit", "celsius")));
  const std::string two = block(
      invoke("sh", parameter("cmd", "a 2>&1") + "\n" + parameter("n", "5", false)) +
      invoke("g", parameter("x", "{\"k\": [1, null]}", false) + "\n" + parameter("t", "say \"hi\"\n\\")));
  expect_cases({
      {thinking_options(), "Simple arithmetic.</think>2 + 2 = 4." + kEos,
       message("Simple arithmetic.", "2 + 2 = 4.", {}, kStop)},
      {chat_options(), "Hi" + kEos, message("", "Hi", {}, kStop)},
      {thinking_options(), weather + kEos,
       message("r", "", {{"get_weather", R"({"location": "Beijing", "unit": "celsius"})"}}, kToolCalls)},
      {chat_options(), "ok" + block(invoke("f", "")) + kEos, message("", "ok", {{"f", "{}"}}, kToolCalls)},
      {chat_options(), two + kEos,
       message("", "",
               {{"sh", R"({"cmd": "a 2>&1", "n": 5})"},
                {"g", R"({"x": {"k": [1, null]}, "t": "say \"hi\"\n\\"})"}},
               kToolCalls)},
      {chat_options(), block(invoke("f", parameter("t", "<"))) + kEos,
       message("", "", {{"f", R"({"t": "<"})"}}, kToolCalls)},
  });
}

TEST(Parser, TheRulesOfThisProgram) {
  ParserOptions no_tools, stop_end, forced;
  no_tools.tools = false;
  stop_end.stops = {"END"};
  forced.start = ParserStart::kToolCalls;
  const std::string plain = "x" + block(invoke("f", ""));
  const std::string open =
      "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" "
      "string=\"true\">unfin";
  const std::string inside = invoke("f", parameter("a", "1", false)) + "</｜DSML｜tool_calls>";
  expect_cases({
      {thinking_options(), "thinking and then nothing" + kEos,
       message("thinking and then nothing", "", {}, kStop)},
      {chat_options(), "Hello\n\n" + kEos, message("", "Hello\n\n", {}, kStop)},
      {chat_options(), "A</think>B" + kEos, message("", "AB", {}, kStop)},
      {thinking_options(), "\n\nr\n</think>\n\nanswer" + kEos, message("r", "answer", {}, kStop)},
      {chat_options(), "x" + block(invoke("f", parameter("a", "b"))) + "trailing" + kEos,
       message("", "x", {{"f", R"({"a": "b"})"}}, kToolCalls)},
      {no_tools, plain + kEos, message("", plain, {}, kStop)},
      {chat_options(), open, message("", "", {{"f", R"({"a": "unfin)"}}, kLength)},
      {chat_options(), open + kEos, message("", "", {{"f", R"({"a": "unfin"})"}}, kToolCalls)},
      {stop_end, "fooENDbar" + kEos, message("", "foo", {}, kStop, "END")},
      {forced, inside + kEos, message("", "", {{"f", R"({"a": 1})"}}, kToolCalls)},
  });
}

TEST(Parser, WithExactNewlinesOnlyTheSeparatorOfTheBlockIsTaken) {
  ParserOptions options = thinking_options();
  options.exact_newlines = true;
  options.lenient = false;
  expect_cases({
      {options, "\nr\n</think>\n\nc\n\n" + block(invoke("f", "")) + kEos,
       message("\nr\n", "\n\nc\n\n", {{"f", "{}"}}, kToolCalls)},
      {options, "r</think>" + block(invoke("f", parameter("a", " 1 ", false))) + kEos,
       message("r", "", {{"f", R"({"a":  1 })"}}, kToolCalls)},
      {options, "r</think>\n\n" + kEos, message("r", "\n\n", {}, kStop)},
  });
}

TEST(Parser, ContinuedStartsKeepLeadingNewlines) {
  ParserOptions reasoning, content;
  reasoning.start = ParserStart::kReasoningContinued;
  content.start = ParserStart::kContentContinued;
  expect_cases({{reasoning, "\nr</think>\nc" + kEos, message("\nr", "c", {}, kStop)},
                {content, "\n\nc" + kEos, message("", "\n\nc", {}, kStop)}});
}

TEST(Parser, AMarkInReasoningIsACallOnlyWhenTheOpeningIsComplete) {
  const std::string call = block(invoke("f", ""));
  expect_cases({
      {thinking_options(), "let me" + call + kEos, message("let me", "", {{"f", "{}"}}, kToolCalls)},
      {thinking_options(), "the <｜DSML｜tool_calls> tag</think>ok" + kEos,
       message("the <｜DSML｜tool_calls> tag", "ok", {}, kStop)},
      {thinking_options(), "<｜DSML｜tool_calls>\n<｜DSML｜parameter</think>ok" + kEos,
       message("<｜DSML｜tool_calls>\n<｜DSML｜parameter", "ok", {}, kStop)},
      {thinking_options(), "a\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke na" + kEos,
       message("a\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke na", "", {}, kStop)},
  });
}

TEST(Parser, TokensThatEndTheTurn) {
  for (const std::string token :
       {"<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<|EOT|>"})
    EXPECT_EQ(parsed(chat_options(), "a" + token + "b"), message("", "a", {}, kStop)) << token;
  ChatParser parser(chat_options());
  CollectingSink sink;
  parser.push_special("<｜place▁holder▁no▁1｜>", sink);
  parser.finish(FinishCause::kEos, sink);
  EXPECT_EQ(sink.message.content, "<｜place▁holder▁no▁1｜>");
}

TEST(Parser, FinishCauses) {
  expect_cases({{chat_options(), "a", message("", "a", {}, kStop), FinishCause::kEos},
                {chat_options(), "a", message("", "a", {}, kLength), FinishCause::kLength},
                {chat_options(), "a", message("", "a", {}, kInsufficientResource), FinishCause::kFailure},
                // A limit never reports tool_calls, even when the block is whole.
                {chat_options(), block(invoke("f", "")), message("", "", {{"f", "{}"}}, kLength),
                 FinishCause::kLength}});
}

TEST(Parser, NothingAfterTheEnd) {
  ChatParser parser(chat_options());
  CollectingSink sink;
  parser.finish(FinishCause::kEos, sink);
  parser.push_bytes("x", sink);
  parser.push_special("</think>", sink);
  parser.finish(FinishCause::kLength, sink);
  EXPECT_EQ(sink.message, message("", "", {}, kStop));
  EXPECT_TRUE(parser.finished());
}

TEST(Parser, CountsWhatItDiscards) {
  ChatParser parser(chat_options());
  CollectingSink sink;
  push_flat(parser, block(invoke("f", "")) + "four", 0, sink);
  EXPECT_EQ(parser.discarded(), 4u);
}

TEST(Parser, SaysWhileItIsReasoning) {
  ChatParser parser(thinking_options());
  CollectingSink sink;
  parser.push_bytes("r", sink);
  EXPECT_TRUE(parser.in_reasoning());
  parser.push_special("</think>", sink);
  EXPECT_FALSE(parser.in_reasoning());
}

TEST(Parser, EveryDeltaIsWholeUtf8) {
  class Checking : public CollectingSink {
   public:
    void on_reasoning(std::string_view delta) override { check(delta), CollectingSink::on_reasoning(delta); }
    void on_content(std::string_view delta) override { check(delta), CollectingSink::on_content(delta); }
    void on_arguments(int i, std::string_view delta) override {
      check(delta), CollectingSink::on_arguments(i, delta);
    }
    static void check(std::string_view delta) { EXPECT_TRUE(parse_json(json_quoted(delta))) << delta; }
  };
  const std::string bad = "é日😀\xF0\x9F\x98";
  ParserOptions options = thinking_options();
  options.stops = {"éx", "日本"};
  for (const size_t fragment : {0, 1, 2, 3}) {
    ChatParser parser(options);
    Checking sink;
    push_flat(parser, bad + "</think>" + bad + "\xFF" + block(invoke("f", parameter("k", bad))), fragment,
              sink);
    parser.finish(FinishCause::kEos, sink);
    EXPECT_EQ(sink.message.reasoning, "é日😀\xEF\xBF\xBD");
    EXPECT_EQ(sink.message.content, "é日😀\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(sink.message.calls.at(0).arguments, "{\"k\": \"é日😀\xEF\xBF\xBD\"}");
  }
}

TEST(Parser, ContentIsNotHeldBackWithoutReason) {
  ChatParser parser(chat_options());
  CollectingSink sink;
  parser.push_bytes("a", sink);
  EXPECT_EQ(sink.message.content, "a");
  parser.push_bytes(" < ", sink);
  EXPECT_EQ(sink.message.content, "a < ");
  parser.push_bytes("\n", sink);
  EXPECT_EQ(sink.message.content, "a < ");
  parser.push_bytes("b", sink);
  EXPECT_EQ(sink.message.content, "a < \nb");
  push_flat(
      parser,
      "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"k\" string=\"true\">part",
      0, sink);
  EXPECT_EQ(sink.message.calls.at(0).arguments, "{\"k\": \"part");
}

TEST(Stops, OnlyInContentTheFirstToEndAndTheLongestOfThese) {
  const auto with = [](std::vector<std::string> stops) {
    ParserOptions options = thinking_options();
    options.stops = std::move(stops);
    return options;
  };
  const std::string call = block(invoke("STOP", parameter("STOP", "STOP")));
  expect_cases({
      {with({"STOP"}), "STOP</think>a" + call + kEos,
       message("STOP", "a", {{"STOP", R"({"STOP": "STOP"})"}}, kToolCalls)},
      {with({"", "bc", "abc", "cd"}), "</think>xabcd" + kEos, message("", "x", {}, kStop, "abc")},
      {with({"abcd", "c"}), "</think>xabcd" + kEos, message("", "xab", {}, kStop, "c")},
      {with({"aab"}), "</think>aaab" + kEos, message("", "a", {}, kStop, "aab")},
      {with({"abx"}), "</think>abab" + kEos, message("", "abab", {}, kStop)},
      {with({"a\n\nb"}), "</think>a\n\nb" + kEos, message("", "", {}, kStop, "a\n\nb")},
      {with({"\n"}), "</think>a\n" + kEos, message("", "a", {}, kStop, "\n")},
      {with({"ENDING"}), "</think>END" + call + kEos,
       message("", "END", {{"STOP", R"({"STOP": "STOP"})"}}, kToolCalls)},
      {with({"日本"}), "</think>日日本語" + kEos, message("", "日", {}, kStop, "日本")},
  });
  // Newlines before a block that turn out to be text, and to be the end of it.
  ParserOptions exact = with({"\n\n"});
  exact.exact_newlines = true;
  expect_cases({{exact, "</think>c\n\n\n\n" + call + kEos, message("", "c", {}, kStop, "\n\n")}});
}

TEST(Parser, LongRunsAreLinear) {
  const std::string newlines(300'000, '\n'), brackets(300'000, '<'), spaces(300'000, ' ');
  ParserOptions options = chat_options();
  options.stops = {std::string(1000, '<') + "x"};
  EXPECT_EQ(parsed(options, "a" + newlines + brackets, 1).content, "a" + newlines + brackets);
  const auto result = parsed(options, block(invoke("f", parameter("k", spaces + brackets + "</"))), 1);
  EXPECT_EQ(result.calls.at(0).arguments.size(),
            spaces.size() + brackets.size() + std::string("{'k': '</'}").size());
}

}  // namespace
}  // namespace hadal::test
