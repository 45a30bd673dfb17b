// The block of calls: values that look like markup, malformed blocks and what is made of them (api.md A17.5).
#include <gtest/gtest.h>

#include <regex>

#include "chat/python_json.h"
#include "parser_support.h"
#include "text/json_value.h"

namespace hadal::test {
namespace {

using Calls = std::vector<ParsedCall>;

void expect_parse(const ParserOptions& options, const std::string& completion, const std::string& content,
                  const Calls& calls) {
  for (const size_t fragment : {0, 1, 2, 3, 5, 7}) {
    const ParsedMessage result = parsed(options, completion, fragment, FinishCause::kEos);
    EXPECT_EQ(result.content, content) << completion << "\nfragments of " << fragment;
    EXPECT_EQ(result.calls, calls) << completion << "\nfragments of " << fragment;
    EXPECT_EQ(result.reason, calls.empty() ? FinishReason::kStop : FinishReason::kToolCalls);
  }
}

TEST(ParserCalls, ValuesThatLookLikeMarkup) {
  const std::vector<std::string> values = {"2>&1",
                                           "<",
                                           "</",
                                           "\"",
                                           "\\",
                                           "</｜",
                                           "a\r\nb\r\n",
                                           "",
                                           "parameter name=\"x\"",
                                           "<parameter name=\"x\">",
                                           "invoke name=\"g\"",
                                           "</tool_calls>",
                                           "</invoke>",
                                           "\n",
                                           "<<</</<",
                                           "</think>",
                                           "<think>",
                                           "]}",
                                           "日本語 😀 é",
                                           "\x01\x1f\x7f",
                                           "DSML",
                                           "<|DSML|parameter>",
                                           "</parameter>",
                                           "true\">",
                                           "\t \n",
                                           "</\n",
                                           "< /"};
  for (const std::string& value : values) {
    for (const std::string& around : {std::string(), std::string("z")}) {
      const std::string text = around + value + around;
      for (const size_t fragment : {0, 1, 2, 3}) {
        const auto result = parsed(chat_options(), block(invoke("f", parameter("k", text))) + kEos, fragment);
        ASSERT_EQ(result.calls.size(), 1u) << text;
        const auto arguments = parse_json(result.calls[0].arguments);
        ASSERT_TRUE(arguments && arguments->find("k") != nullptr) << result.calls[0].arguments;
        EXPECT_EQ(arguments->find("k")->text, text);
        EXPECT_EQ(result.content, "");
      }
    }
  }
}

TEST(ParserCalls, NamesAndKeysAreTakenAsTheyAre) {
  const auto result = parsed(chat_options(), block(invoke("日历.a-b", parameter("内\\容\n", "v"))) + kEos);
  EXPECT_EQ(result.calls, (std::vector<ParsedCall>{{"日历.a-b", R"({"内\\容\n": "v"})"}}));
}

// A whole block with every mark written differently. push_flat would make special tokens of the exact
// spelling, so that one is fed as bytes.
std::string block_with(const std::string& mark) {
  return std::regex_replace(
      "<｜DSML｜tool_calls>\n" + invoke("f", parameter("a", "b")) + "</｜DSML｜tool_calls>",
      std::regex("｜DSML｜"), mark);
}

TEST(Lenient, SpelledOpenersAtTheStartOfALine) {
  const Calls wanted = {{"f", R"({"a": "b"})"}};
  for (const std::string mark :
       {"DSML｜", "|DSML|", "DSML|", "｜DSML|", "| DSML |", "｜ DSML ｜ ", "||DSML||", ""}) {
    expect_parse(chat_options(), block_with(mark) + kEos, "", wanted);
    expect_parse(chat_options(), "text\n" + block_with(mark) + kEos, "text", wanted);
    const std::string inline_text =
        "the <" + mark + "tool_calls> tag and <" + mark + "invoke name=\"f\"> in it";
    expect_parse(chat_options(), inline_text + kEos, inline_text, {});
    ParserOptions strict = chat_options();
    strict.lenient = false;
    expect_parse(strict, block_with(mark) + kEos, block_with(mark), {});
  }
}

TEST(Lenient, TheExactSpellingMadeOfOrdinaryTokens) {
  for (const size_t fragment : {1, 2, 3, 1000}) {
    ChatParser parser(chat_options());
    CollectingSink sink;
    const std::string text = "x\n\n" + block_with("｜DSML｜");
    for (size_t at = 0; at < text.size(); at += fragment)
      parser.push_bytes(std::string_view(text).substr(at, fragment), sink);
    parser.finish(FinishCause::kEos, sink);
    EXPECT_EQ(sink.message.content, "x");
    EXPECT_EQ(sink.message.calls, (Calls{{"f", R"({"a": "b"})"}}));
  }
}

TEST(Lenient, PlainTagsNeedAnInvocation) {
  expect_parse(chat_options(), "<tool_calls>\n<invoke name=\"f\">\n</invoke>\n</tool_calls>" + kEos, "",
               {{"f", "{}"}});
  const std::string text = "<tool_calls>\nis how a block begins";
  expect_parse(chat_options(), text + kEos, text, {});
}

TEST(Lenient, AnInvocationWithoutABlock) {
  const Calls wanted = {{"f", R"({"a": "b"})"}, {"g", "{}"}};
  expect_parse(chat_options(), "x\n\n" + invoke("f", parameter("a", "b")) + invoke("g", "") + kEos, "x",
               wanted);
  const std::string bars = std::regex_replace(invoke("f", parameter("a", "b")) + invoke("g", ""),
                                              std::regex("｜DSML｜"), "|DSML|");
  expect_parse(chat_options(), bars + kEos, "", wanted);
}

TEST(Lenient, ValuesOfASpelledBlockMayContainMarks) {
  const std::string value = "write <|DSML|x> and </|DSML|> and </b>";
  const std::string text =
      std::regex_replace(block(invoke("f", parameter("a", value))), std::regex("｜DSML｜"), "|DSML|");
  expect_parse(chat_options(), text + kEos, "", {{"f", "{\"a\": \"" + value + "\"}"}});
}

TEST(Lenient, SpelledMarksInsideARealBlockAreText) {
  const std::string value = "</|DSML|parameter></parameter>";
  expect_parse(chat_options(), block(invoke("f", parameter("a", value))) + kEos, "",
               {{"f", "{\"a\": \"" + value + "\"}"}});
}

TEST(Lenient, MissingAttributeMeansString) {
  expect_parse(chat_options(),
               block(invoke("f", "<｜DSML｜parameter name=\"a\">5</｜DSML｜parameter>")) + kEos, "",
               {{"f", R"({"a": "5"})"}});
}

TEST(Lenient, NestedParametersAreAnObject) {
  const std::string inner = "\n" + parameter("x", "1") + "\n" + parameter("y", "2", false) + "\n";
  expect_parse(
      chat_options(),
      block(invoke("f", parameter("o", inner) + parameter("p", parameter("q", parameter("r", "s")), false))) +
          kEos,
      "", {{"f", R"({"o": {"x": "1", "y": 2}, "p": {"q": {"r": "s"}}})"}});
  // One that is never closed ends with its invocation.
  expect_parse(
      chat_options(),
      block(invoke("f", "<｜DSML｜parameter name=\"o\" string=\"false\">" + parameter("x", "1"))) + kEos, "",
      {{"f", R"({"o": {"x": "1"}})"}});
}

TEST(Lenient, MissingAndSuperfluousEndTags) {
  const std::string open = "<｜DSML｜parameter name=\"a\" string=\"true\">b";
  expect_parse(chat_options(),
               block("<｜DSML｜invoke name=\"f\">\n" + open + "</｜DSML｜invoke>\n" + invoke("g", "")) + kEos,
               "", {{"f", R"({"a": "b"})"}, {"g", "{}"}});
  expect_parse(chat_options(), block("<｜DSML｜invoke name=\"f\">\n" + invoke("g", "")) + kEos, "",
               {{"f", "{}"}, {"g", "{}"}});
  expect_parse(chat_options(),
               block(invoke("f", parameter("a", "b") + "</｜DSML｜parameter>" + parameter("c", "d"))) + kEos,
               "", {{"f", R"({"a": "b", "c": "d"})"}});
  expect_parse(
      chat_options(),
      "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n" + open + "</｜DSML｜tool_calls>after" + kEos,
      "", {{"f", R"({"a": "b"})"}});
  expect_parse(chat_options(), "<｜DSML｜ calls>\n" + invoke("f", "") + "</｜DSML｜ calls>after" + kEos, "",
               {{"f", "{}"}});
}

TEST(Lenient, ABlockThatTheEndOfTheTurnCutsIsClosed) {
  const std::string text =
      block(invoke("f", parameter("a", "b") + "\n" + parameter("c", R"([["]\\\"<"]])", false) + "\n" +
                            parameter("d", "1", false)));
  const std::string token = "｜DSML｜";
  for (size_t length = text.find("\">\n") + 1; length < text.size(); ++length) {
    const size_t begun = text.rfind(token, length - 1);
    if (begun != std::string::npos && length < begun + token.size()) continue;  // tokens come whole
    const std::string cut = text.substr(0, length);
    const ParsedMessage result = parsed(chat_options(), cut, 1, FinishCause::kEos);
    ASSERT_EQ(result.calls.size(), 1u) << cut;
    EXPECT_EQ(result.reason, FinishReason::kToolCalls);
    EXPECT_TRUE(parse_json(result.calls[0].arguments)) << cut << "\n" << result.calls[0].arguments;
  }
}

TEST(Lenient, ABlockWithoutAnyCallIsText) {
  expect_parse(chat_options(), "see\n\n<｜DSML｜tool_calls>\nnothing" + kEos,
               "see\n\n<｜DSML｜tool_calls>\nnothing", {});
  expect_parse(chat_options(), "the <｜DSML｜ mark" + kEos, "the <｜DSML｜ mark", {});
  expect_parse(chat_options(), "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"unfin" + kEos,
               "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"unfin", {});
  ParserOptions forced;
  forced.start = ParserStart::kToolCalls;
  expect_parse(forced, "I would rather not." + kEos, "I would rather not.", {});
  expect_parse(chat_options(), "x" + block("") + kEos, "x", {});
  expect_parse(chat_options(), "a ｜DSML｜ b" + kEos, "a ｜DSML｜ b", {});
}

// Repairs and failures of an answer that ended by itself.
std::pair<int, int> counts(const ParserOptions& options, const std::string& completion) {
  ChatParser parser(options);
  CollectingSink sink;
  push_flat(parser, completion, 3, sink);
  parser.finish(FinishCause::kEos, sink);
  return {parser.repairs(), parser.failures()};
}

TEST(Lenient, WhatWasMalformedIsCounted) {
  using Counts = std::pair<int, int>;
  const ParserOptions chat = chat_options();
  const std::string value = parameter("a", "b"),
                    open = "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n";
  EXPECT_EQ(counts(chat, "text <tool_calls>"), Counts(0, 0));
  EXPECT_EQ(counts(chat, block(invoke("f", value + "\n" + parameter("n", "5", false)) + invoke("g", ""))),
            Counts(0, 0));
  EXPECT_EQ(counts(chat, "<tool_calls>\n<invoke name=\"f\">\n</invoke>\n</tool_calls>"), Counts(1, 0));
  EXPECT_EQ(counts(chat, open), Counts(1, 0)) << "nothing is closed";
  EXPECT_EQ(counts(chat, open + value + "</｜DSML｜tool_calls>"), Counts(1, 0)) << "the invocation is open";
  EXPECT_EQ(counts(chat, open + value + "</｜DSML｜parameter></｜DSML｜invoke></｜DSML｜tool_calls>"),
            Counts(1, 0))
      << "a tag too many";
  EXPECT_EQ(counts(chat, "\n\n<｜DSML｜tool_calls>\nnothing"), Counts(0, 1));
  EXPECT_EQ(counts(chat, block("")), Counts(0, 1));
  ParserOptions whole = chat;
  whole.whole_values = true;
  const std::string word = block(invoke("f", parameter("a", "Paris", false)));
  EXPECT_EQ(counts(whole, word), Counts(1, 0));
  EXPECT_EQ(counts(chat, word), Counts(0, 0)) << "as it came: the reader of the arguments finds out";
}

TEST(Lenient, ALimitLeavesArgumentsAsTheyAre) {
  const auto cut = [](const std::string& text) {
    const ParsedMessage result =
        parsed(chat_options(), "\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n" + text);
    EXPECT_EQ(result.reason, FinishReason::kLength);
    return result.calls.at(0).arguments;
  };
  EXPECT_EQ(cut(""), "");
  EXPECT_EQ(cut("<｜DSML｜parameter name=\"ab"), "{\"ab");
  EXPECT_EQ(cut("<｜DSML｜parameter name=\"ab\""), "{\"ab\": ");
  EXPECT_EQ(cut("<｜DSML｜parameter name=\"ab\" string=\"true\">"), "{\"ab\": \"");
  EXPECT_EQ(cut("<｜DSML｜parameter name=\"ab\" string=\"true\"> \n"), "{\"ab\": \" \\n");
  EXPECT_EQ(cut("<｜DSML｜parameter name=\"ab\" string=\"false\">[1, <"), "{\"ab\": [1, <");
}

TEST(Lenient, BareWordsBecomeStringsOnlyWhenNothingIsStreamed) {
  const std::string text = block(invoke(
      "f", parameter("a", "west", false) + parameter("b", " {\"x\": 1} ", false) +
               parameter("c", "[1,", false) + parameter("d", "1e400", false) + parameter("e", "", false)));
  EXPECT_EQ(parsed(chat_options(), text + kEos).calls.at(0).arguments,
            R"({"a": west, "b":  {"x": 1} , "c": [1,, "d": 1e400, "e": })");
  ParserOptions whole;
  whole.whole_values = true;
  expect_parse(whole, text + kEos, "",
               {{"f", R"({"a": "west", "b":  {"x": 1} , "c": [1,, "d": 1e400, "e": })"}});
}

}  // namespace
}  // namespace hadal::test
