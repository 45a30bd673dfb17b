// Counting and naming the tokens of an answer (api.md A17.9, B4).
#include "assistant/answer_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "assistant/assistant_support.h"

namespace hadal {
namespace {

using namespace test;

const std::string kDsml(special::kDsml), kEnd(special::kEndThink), kEos(special::kEos);

// The parts of an answer, one letter a token: r, c, or - for markup.
std::string letters(const AnswerStream& stream) {
  std::string out;
  for (const TokenPart part : stream.parts())
    out += part == TokenPart::kReasoning ? 'r' : part == TokenPart::kContent ? 'c' : '-';
  return out;
}

struct Heard {
  std::string parts;
  int64_t completion = 0, reasoning = 0;
  ParsedMessage message;
};

Heard hear(const std::vector<std::string>& tokens, ParserOptions options,
           FinishCause cause = FinishCause::kEos) {
  CollectingSink sink;
  AnswerStream stream(mini_tokenizer(), options, sink);
  for (const int32_t id : ids_of(tokens)) {
    stream.push(id);
    EXPECT_LE(stream.reasoning_tokens(), stream.completion_tokens());
    EXPECT_LE(static_cast<int64_t>(stream.parts().size()), stream.completion_tokens());
  }
  stream.finish(cause);
  EXPECT_TRUE(stream.finished());
  EXPECT_EQ(static_cast<int64_t>(stream.parts().size()), stream.completion_tokens());
  return {letters(stream), stream.completion_tokens(), stream.reasoning_tokens(), sink.message};
}

ParserOptions options(ParserStart start, std::vector<std::string> stops = {}, bool tools = true) {
  ParserOptions out;
  out.start = start;
  out.stops = std::move(stops);
  out.tools = tools;
  return out;
}

// Texts of one token each.
constexpr const char* kA = " a";
constexpr const char* kB = " the";

TEST(AnswerStream, EverySampleIsOneToken) {
  for (const char* text : {kA, kB, "<", "\n", "\n\n", "x", "!"}) EXPECT_EQ(ids_of({text}).size(), 1u) << text;
}

TEST(AnswerStream, ReasoningThenContent) {
  const Heard heard = hear({kA, kB, kA, kEnd, kB, kA, kEos}, options(ParserStart::kReasoning));
  EXPECT_EQ(heard.parts, "rrr-cc");
  EXPECT_EQ(heard.completion, 6);  // all but EOS
  EXPECT_EQ(heard.reasoning, 3);   // all before "</think>"
  EXPECT_EQ(heard.message.reasoning, " a the a");
  EXPECT_EQ(heard.message.content, " the a");
  EXPECT_EQ(heard.message.reason, FinishReason::kStop);
}

TEST(AnswerStream, AnEndInsideTheReasoningIsAllReasoning) {
  for (const FinishCause cause : {FinishCause::kEos, FinishCause::kLength}) {
    const Heard heard = hear({kA, kB, "\n"}, options(ParserStart::kReasoning), cause);
    EXPECT_EQ(heard.parts, "rrr");
    EXPECT_EQ(heard.reasoning, 3);
    EXPECT_EQ(heard.completion, 3);
  }
}

TEST(AnswerStream, NewlinesThatAreSwallowedStillCount) {
  const Heard heard = hear({"\n", kA, "\n\n", kEnd, "\n", kB, "\n"}, options(ParserStart::kReasoning));
  EXPECT_EQ(heard.parts, "rrr-ccc");
  EXPECT_EQ(heard.reasoning, 3);
  EXPECT_EQ(heard.message.reasoning, " a");
  EXPECT_EQ(hear({"\n", kEnd, kA}, options(ParserStart::kReasoning)).parts, "r-c");
  EXPECT_EQ(hear({kEnd, kA}, options(ParserStart::kReasoning)).reasoning, 0);
  EXPECT_EQ(hear({"\n\n"}, options(ParserStart::kContent)).parts, "-");
}

TEST(AnswerStream, ToolCallsAreMarkup) {
  const std::vector<std::string> call = {
      "\n\n", "<",         kDsml, "tool_calls>\n", "<",          kDsml, "invoke name=\"f\">\n", "</",
      kDsml,  "invoke>\n", "</",  kDsml,           "tool_calls>"};
  const auto count = static_cast<int64_t>(ids_of(call).size());
  std::vector<std::string> answer = {kA, kEnd, kB, kB};
  answer.insert(answer.end(), call.begin(), call.end());
  Heard heard = hear(answer, options(ParserStart::kReasoning));
  EXPECT_EQ(heard.parts, "r-cc" + std::string(count, '-'));
  EXPECT_EQ(heard.reasoning, 1);
  EXPECT_EQ(heard.completion, 4 + count);
  ASSERT_EQ(heard.message.calls.size(), 1u);
  EXPECT_EQ(heard.message.content, " the the");

  // In reasoning that never ended (A17.4): what became the call is no reasoning.
  answer = {kA, kB};
  answer.insert(answer.end(), call.begin(), call.end());
  heard = hear(answer, options(ParserStart::kReasoning));
  EXPECT_EQ(heard.parts, "rr" + std::string(count, '-'));
  EXPECT_EQ(heard.reasoning, 2);
  ASSERT_EQ(heard.message.calls.size(), 1u);

  // Without tools it is text.
  heard = hear({kA, "<", kDsml, "x"}, options(ParserStart::kContent, {}, false));
  EXPECT_EQ(heard.parts, "cccc");
  // What looked like a call and was none.
  heard = hear({kA, "\n\n", "<", "x", kB}, options(ParserStart::kContent));
  EXPECT_EQ(heard.parts, "ccccc");
}

TEST(AnswerStream, TextHeldForAStopStringBeforeACallIsText) {
  std::vector<std::string> answer = {kA, " the"};
  answer.insert(answer.end(), {"\n\n", "<", kDsml, "tool_calls>", "\n"});
  const size_t markup = ids_of({"\n\n", "<", kDsml, "tool_calls>", "\n"}).size();
  const Heard heard = hear(answer, options(ParserStart::kContent, {" the end"}));
  EXPECT_EQ(heard.parts.substr(0, 3), "cc-");
  EXPECT_EQ(heard.parts.size(), 2 + markup);
}

TEST(AnswerStream, AStopStringIsNotShown) {
  const Heard heard = hear({kA, kB, "x", "!", kA, kA}, options(ParserStart::kContent, {"x!"}));
  EXPECT_EQ(heard.parts, "cc--");
  EXPECT_EQ(heard.completion, 4);  // nothing after it was heard
  EXPECT_EQ(heard.message.content, " a the");
  EXPECT_EQ(heard.message.stop, "x!");
  // One that did not come.
  EXPECT_EQ(hear({kA, "x", kB}, options(ParserStart::kContent, {"x!"})).parts, "ccc");
  EXPECT_EQ(hear({kA, "x"}, options(ParserStart::kContent, {"x!"})).parts, "cc");
}

TEST(AnswerStream, StrayMarkersSayNothing) {
  EXPECT_EQ(hear({kA, kEnd, kB}, options(ParserStart::kContent)).parts, "c-c");
  EXPECT_EQ(hear({kA, std::string(special::kThink), kB}, options(ParserStart::kReasoning)).parts, "r-r");
}

TEST(AnswerStream, NothingIsHeardAfterTheEnd) {
  CollectingSink sink;
  AnswerStream stream(mini_tokenizer(), options(ParserStart::kContent), sink);
  for (const int32_t id : ids_of({kA, kEos, kB, kB})) stream.push(id);
  stream.finish(FinishCause::kLength);
  EXPECT_EQ(stream.completion_tokens(), 1);
  EXPECT_EQ(sink.message.content, " a");
  EXPECT_EQ(sink.message.reason, FinishReason::kStop);
}

// Any tokens: the message is the parser's, every token has a part, and the tokens that are text hold the
// text.
RC_GTEST_PROP(AnswerStreamProperty, PartsHoldTheText, ()) {
  static const std::vector<std::string> kPieces = {
      kA,  kB,         "\n", "\n\n", "<",           "x",  "!",
      "é", "\xF0\x9F", kEnd, kDsml,  "tool_calls>", "\"", "invoke name=\"f\">",
      "</"};
  const auto picks = *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, kPieces.size()));
  std::vector<std::string> tokens;
  for (const size_t pick : picks) tokens.push_back(kPieces[pick]);
  const std::vector<int32_t> ids = ids_of(tokens);
  const auto start = *rc::gen::element(ParserStart::kReasoning, ParserStart::kContent,
                                       ParserStart::kReasoningContinued, ParserStart::kContentContinued);
  const bool tools = *rc::gen::arbitrary<bool>();
  const bool stop = *rc::gen::arbitrary<bool>();
  const ParserOptions asked =
      options(start, stop ? std::vector<std::string>{"x!", "a\n\nx"} : std::vector<std::string>{}, tools);
  CollectingSink direct, through;
  ChatParser parser(asked);
  AnswerStream stream(mini_tokenizer(), asked, through);
  for (const int32_t id : ids) {
    if (mini_tokenizer().is_added(id))
      parser.push_special(mini_tokenizer().token_bytes(id), direct);
    else
      parser.push_bytes(mini_tokenizer().token_bytes(id), direct);
    stream.push(id);
  }
  const FinishCause cause = *rc::gen::element(FinishCause::kEos, FinishCause::kLength);
  parser.finish(cause, direct);
  stream.finish(cause);
  RC_ASSERT(direct.message == through.message);
  RC_ASSERT(static_cast<int64_t>(stream.parts().size()) == stream.completion_tokens());
  int64_t reasoning = 0;
  size_t reasoning_bytes = 0, content_bytes = 0;
  for (size_t i = 0; i < stream.parts().size(); ++i) {
    const size_t bytes = mini_tokenizer().token_bytes(ids[i]).size();
    reasoning += stream.parts()[i] == TokenPart::kReasoning;
    if (stream.parts()[i] == TokenPart::kReasoning) reasoning_bytes += bytes;
    if (stream.parts()[i] == TokenPart::kContent) content_bytes += bytes;
  }
  RC_ASSERT(stream.reasoning_tokens() == reasoning);
  if (text_of(ids).find('\xF0') == std::string::npos && through.message.calls.empty() &&
      text_of(ids).find(kDsml) == std::string::npos) {  // every byte is its own text then
    RC_ASSERT(reasoning_bytes >= through.message.reasoning.size());
    RC_ASSERT(content_bytes >= through.message.content.size());
  }
}

}  // namespace
}  // namespace hadal
