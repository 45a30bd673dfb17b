// Markup in a stream: what each matcher takes, and that its answer never changes as more arrives.
#include "chat/markup.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

namespace hadal::markup {

inline void PrintTo(const Match& match, std::ostream* out) {
  *out << "fit " << static_cast<int>(match.fit) << " length " << match.length;
}

namespace {

// '@' stands for the special token.
std::vector<Unit> units(std::string_view text) {
  std::vector<Unit> out;
  for (const char c : text)
    out.push_back(c == '@' ? kDsml : static_cast<Unit>(static_cast<unsigned char>(c)));
  return out;
}

// The length taken, -1 for no, -2 for "more is needed".
int taken(const Match& match) {
  if (match.fit == Fit::kNo) return -1;
  return match.fit == Fit::kPartial ? -2 : static_cast<int>(match.length);
}

TEST(Markup, TokenOpener) {
  EXPECT_EQ(taken(token_opener(units("<"))), -2);
  EXPECT_EQ(taken(token_opener(units("<@"))), 2);
  EXPECT_EQ(taken(token_opener(units("</@"))), -1);
  EXPECT_EQ(taken(token_opener(units("<a"))), -1);
}

TEST(Markup, ReasoningOpenerIsWholeOrNothing) {
  const std::string whole = "<@tool_calls>\n<@invoke name=\"";
  for (size_t n = 1; n < whole.size(); ++n)
    EXPECT_EQ(taken(reasoning_opener(units(whole.substr(0, n)))), -2) << n;
  EXPECT_EQ(taken(reasoning_opener(units(whole))), 2);
  EXPECT_EQ(taken(reasoning_opener(units("<@ calls>\n\n<@ invoke name=\""))), 2);
  for (const char* no :
       {"<@tool_calls> ", "<@tool_calls>\n<i", "<@invoke", "<@tool_calls>\n<@parameter", "<@tool_calls>\n@"})
    EXPECT_EQ(taken(reasoning_opener(units(no))), -1) << no;
}

TEST(Markup, TextOpener) {
  const auto opener = [](std::string_view text) { return taken(text_opener(units(text)).match); };
  EXPECT_EQ(opener("<|DSML|tool_calls>"), 18);
  EXPECT_EQ(opener("<DSML\xEF\xBD\x9Ctool_calls>"), 19);
  EXPECT_EQ(opener("<|DSML|invoke name=\""), 7);
  EXPECT_EQ(opener("<tool_calls>"), -2);
  EXPECT_EQ(opener("<tool_calls>\n<invoke name="), 12);
  EXPECT_EQ(opener("<tool_calls> "), -2);
  for (const char* no :
       {"<DSML>", "<tool_calls>x", "<tool_calls><invoke name=", "<|DSML|other", "<invoke name=\"", "<| |"})
    EXPECT_EQ(opener(no), -1) << no;
  EXPECT_EQ(text_opener(units("<|DSML|tool_calls>")).style, Style::kSpelled);
  EXPECT_EQ(text_opener(units("<tool_calls>\n<invoke name=")).style, Style::kPlain);
}

TEST(Markup, Closer) {
  EXPECT_EQ(taken(closer(units("</@"), Style::kToken)), 3);
  EXPECT_EQ(taken(closer(units("</|DSML|parameter"), Style::kToken)), -1);
  EXPECT_EQ(taken(closer(units("</|DSML|parameter"), Style::kSpelled)), 8);
  EXPECT_EQ(taken(closer(units("</@invoke"), Style::kSpelled)), 3);
  EXPECT_EQ(taken(closer(units("</|DSML|b"), Style::kSpelled)), -1);
  EXPECT_EQ(taken(closer(units("</parameter"), Style::kPlain)), 2);
  EXPECT_EQ(taken(closer(units("</p"), Style::kPlain)), -2);
  EXPECT_EQ(taken(closer(units("</b"), Style::kPlain)), -1);
}

TEST(Markup, Names) {
  EXPECT_EQ(taken(named(units("invoke name=\""), "invoke")), 13);
  EXPECT_EQ(taken(named(units("invoke  \n name=\""), "invoke")), 16);
  EXPECT_EQ(taken(named(units("invokename=\""), "invoke")), 12);
  EXPECT_EQ(taken(named(units("invoke>"), "invoke")), -1);
  EXPECT_EQ(taken(nested_parameter(units("<@parameter name=\""), Style::kToken)), 18);
  EXPECT_EQ(taken(nested_parameter(units("<parameter name=\""), Style::kPlain)), 17);
}

RC_GTEST_PROP(Markup, AnAnswerNeverChangesAsMoreArrives, ()) {
  static const std::vector<std::string> kPieces = {
      "<",     "</", "@",      "|",         "\xEF\xBD\x9C", "DSML", " ",    "\n",           "tool_calls",
      "calls", ">",  "invoke", "parameter", "name=\"",      "x",    "\xEF", "<tool_calls>", "|DSML|"};
  std::string text = "<";
  for (const std::string& piece : *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces)))
    text += piece;
  const std::vector<Unit> all = units(text);
  const auto style = *rc::gen::element(Style::kToken, Style::kSpelled, Style::kPlain);
  const int which = *rc::gen::inRange(0, 5);
  const auto match = [&](size_t n) {
    const std::span<const Unit> some = std::span(all).first(n);
    if (which == 0) return token_opener(some);
    if (which == 1) return reasoning_opener(some);
    if (which == 2) return text_opener(some).match;
    if (which == 3) return closer(some, style);
    return nested_parameter(some, style);
  };
  int decided = -2;
  for (size_t n = 1; n <= all.size(); ++n) {
    const int now = taken(match(n));
    if (decided != -2) RC_ASSERT(now == decided);
    decided = now;
    RC_ASSERT(now <= static_cast<int>(n));
  }
}

}  // namespace
}  // namespace hadal::markup
