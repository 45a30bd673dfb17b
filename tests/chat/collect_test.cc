// Putting events together, and completions written as one text.
#include "chat/collect.h"

#include <gtest/gtest.h>

#include "parser_support.h"

namespace hadal::test {
namespace {

TEST(Collect, OfARepeatedKeyTheLastValueCounts) {
  const std::string text =
      block(invoke("f", parameter("a", "1") + parameter("b", "2.50", false) + parameter("a", "3")));
  const std::string arguments = parsed(chat_options(), text + kEos).calls.at(0).arguments;
  EXPECT_EQ(arguments, R"({"a": "1", "b": 2.50, "a": "3"})");
  EXPECT_EQ(without_repeated_keys(arguments), R"({"a": "3", "b": 2.5})");
  EXPECT_EQ(without_repeated_keys(R"({"a":  2.50})"), R"({"a":  2.50})");
  EXPECT_EQ(without_repeated_keys("{\"a\": wes"), "{\"a\": wes");
}

// Remembers what reaches it, one event a line.
class LogSink : public ParserSink {
 public:
  void on_reasoning(std::string_view delta) override { add("reasoning", delta); }
  void on_content(std::string_view delta) override { add("content", delta); }
  void on_call(int index, std::string_view name) override { add("call " + std::to_string(index), name); }
  void on_arguments(int index, std::string_view delta) override {
    add("arguments " + std::to_string(index), delta);
  }
  void on_finish(FinishReason reason, std::string_view stop) override {
    add(finish_reason_name(reason), stop);
  }
  std::vector<std::string> events;

 private:
  void add(std::string_view what, std::string_view text) {
    events.push_back(std::string(what) + " <" + std::string(text) + ">");
  }
};

TEST(Collect, AFlatTextIsCutAtItsSpecialTokensAndFedInPieces) {
  ChatParser parser(thinking_options());
  LogSink sink;
  push_flat(parser, "abc</think>de" + invoke("f", "") + kEos + "x", 2, sink);
  EXPECT_EQ(sink.events, (std::vector<std::string>{"reasoning <ab>", "reasoning <c>", "content <de>",
                                                   "call 0 <f>", "arguments 0 <{}>", "tool_calls <>"}));
}

TEST(Collect, EventsBecomeAMessage) {
  CollectingSink sink;
  sink.on_reasoning("r");
  sink.on_reasoning("s");
  sink.on_content("c");
  sink.on_call(0, "f");
  sink.on_arguments(0, "{");
  sink.on_arguments(0, "}");
  sink.on_finish(FinishReason::kStop, "END");
  EXPECT_EQ(sink.message, (ParsedMessage{"rs", "c", {{"f", "{}"}}, true, FinishReason::kStop, "END"}));
}

}  // namespace
}  // namespace hadal::test
