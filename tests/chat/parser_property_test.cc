// What must hold for every completion: the events do not depend on how the bytes are cut, well-formed answers
// give what the strict parse gives, and what was encoded comes back.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "chat/python_json.h"
#include "chat_support.h"
#include "parser_support.h"
#include "strict_parse.h"
#include "text/json_value.h"

namespace hadal::test {
namespace {

// Pieces of text that are or nearly are markup.
rc::Gen<std::string> tricky_text(std::vector<std::string> more = {}) {
  std::vector<std::string> pieces = {"a",
                                     " ",
                                     "\n",
                                     "\n\n",
                                     "<",
                                     "</",
                                     ">",
                                     "\"",
                                     "\\",
                                     "é",
                                     "日本",
                                     "😀",
                                     "\r\n",
                                     "tool_calls>",
                                     "<tool_calls>",
                                     "\n<invoke name=\"x\">",
                                     "invoke name=\"",
                                     "parameter name=\"",
                                     "string=\"true\">",
                                     "<|DSML|",
                                     "DSML",

                                     "|",
                                     "</parameter>",
                                     "END",
                                     "{",
                                     "}",
                                     "</b>"};
  pieces.insert(pieces.end(), more.begin(), more.end());
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pieces)),
                      [](const std::vector<std::string>& parts) {
                        std::string text;
                        for (const std::string& part : parts) text += part;
                        return text;
                      });
}

rc::Gen<std::string> anything() {
  return tricky_text({"｜",
                      "｜DSML｜",
                      "<｜DSML｜",
                      "</｜DSML｜",
                      "</think>",
                      "<think>",
                      "<｜DSML｜tool_calls>\n",
                      "</｜DSML｜tool_calls>",
                      "<｜DSML｜invoke name=\"f\">",
                      "</｜DSML｜invoke>\n",
                      "<｜DSML｜parameter name=\"k\" string=\"true\">",
                      "<｜DSML｜parameter name=\"k\" string=\"false\">",
                      "</｜DSML｜parameter>\n",
                      "\xFF",
                      "\xE2\x82",
                      "\xF0\x9F",
                      "<|DSML|tool_calls>",
                      "<|DSML|invoke name=\"g\">",
                      "</|DSML|invoke>",
                      "<parameter name=\"p\">"});
}

ParserOptions any_options() {
  ParserOptions options;
  options.start =
      *rc::gen::element(ParserStart::kReasoning, ParserStart::kReasoningContinued, ParserStart::kContent,
                        ParserStart::kContentContinued, ParserStart::kToolCalls);
  options.tools = *rc::gen::weightedElement<bool>({{4, true}, {1, false}});
  options.lenient = *rc::gen::weightedElement<bool>({{4, true}, {1, false}});
  options.exact_newlines = *rc::gen::arbitrary<bool>();
  options.whole_values = *rc::gen::arbitrary<bool>();
  const std::vector<std::vector<std::string>> stops = {{}, {"END"}, {"\n\n", "a"}, {"日本", "<b"}};
  options.stops = *rc::gen::elementOf(stops);
  return options;
}

RC_GTEST_PROP(ParserProperty, CutsDoNotMatter, ()) {
  const ParserOptions options = any_options();
  const std::string completion = *anything();
  const FinishCause cause = *rc::gen::element(FinishCause::kEos, FinishCause::kLength);
  const ParsedMessage whole = parsed(options, completion, 0, cause);
  for (const size_t fragment : {1, 2, 3, 5}) RC_ASSERT(parsed(options, completion, fragment, cause) == whole);
}

RC_GTEST_PROP(ParserProperty, MalformedBytesNeverComeOut, ()) {
  const ParsedMessage message =
      parsed(any_options(), *anything(), *rc::gen::inRange<size_t>(0, 4), FinishCause::kEos);
  RC_ASSERT(parse_json(json_quoted(message.content)).has_value());
  RC_ASSERT(parse_json(json_quoted(message.reasoning)).has_value());
  for (const ParsedCall& call : message.calls)
    RC_ASSERT(parse_json(json_quoted(call.name + call.arguments)).has_value());
}

RC_GTEST_PROP(ParserProperty, AgreesWithTheStrictParse, ()) {
  const bool thinking = *rc::gen::arbitrary<bool>();
  std::string completion = thinking ? *tricky_text() + "</think>" : "";
  completion += *tricky_text();
  const int calls = *rc::gen::inRange(-1, 3);
  if (calls >= 0) {
    std::string invocations;
    for (int i = 0; i < calls; ++i) {
      std::string parameters;
      const int count = *rc::gen::inRange(0, 3);
      for (int k = 0; k < count; ++k) {
        if (k > 0) parameters += "\n";
        parameters += parameter("k" + std::to_string(k), *tricky_text(), *rc::gen::arbitrary<bool>());
      }
      invocations += invoke("f" + std::to_string(i), parameters);
    }
    completion += block(invocations);
  }
  completion += kEos;
  ParserOptions options = thinking ? thinking_options() : chat_options();
  options.exact_newlines = true;
  options.lenient = false;
  const auto wanted = StrictParse::of(completion, thinking);
  RC_ASSERT(wanted.has_value());
  RC_ASSERT(parsed(options, completion, *rc::gen::inRange<size_t>(0, 5)) == *wanted);
}

// An assistant message goes through the encoder and the parser and is itself again.
RC_GTEST_PROP(ParserProperty, WhatWasEncodedComesBack, ()) {
  const std::string reasoning = *tricky_text(), content = *tricky_text();
  Json arguments = Json::object();
  const int count = *rc::gen::inRange(0, 4);
  for (int k = 0; k < count; ++k) {
    const std::string key = "k" + std::to_string(k);
    if (*rc::gen::arbitrary<bool>())
      arguments[key] = *tricky_text();
    else
      arguments[key] =
          Json::array({1, *tricky_text(), nullptr, Json{{*tricky_text(), *rc::gen::arbitrary<double>()}}});
  }
  const Json request = {
      {"tools", Json::array({{{"name", "f"}}})},
      {"messages",
       Json::array({{{"role", "user"}, {"content", "x"}},
                    {{"role", "assistant"},
                     {"content", content},
                     {"reasoning_content", reasoning},
                     {"tool_calls",
                      Json::array({{{"id", "1"},
                                    {"function", {{"name", "f"}, {"arguments", arguments.dump()}}}}})}}})}};
  const auto items = items_of(request.dump());
  // The answer: what follows the <think> of the last turn.
  size_t first = items.size();
  while (items[first - 1].text != "<think>" || !items[first - 1].special) --first;

  ParserOptions options = thinking_options();
  options.exact_newlines = true;
  options.lenient = false;
  ChatParser parser(options);
  CollectingSink sink;
  for (; first < items.size(); ++first) {
    if (items[first].special)
      parser.push_special(items[first].text, sink);
    else
      parser.push_bytes(items[first].text, sink);
  }
  RC_ASSERT(sink.message.reasoning == reasoning);
  RC_ASSERT(sink.message.content == content);
  RC_ASSERT(sink.message.calls.size() == 1u);
  RC_ASSERT(Json::parse(sink.message.calls[0].arguments) == arguments);
}

}  // namespace
}  // namespace hadal::test
