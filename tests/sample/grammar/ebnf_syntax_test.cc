#include "sample/grammar/ebnf_syntax.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "sample/grammar/char_classes.h"

namespace hadal::grammar {
namespace {

using Kind = EbnfNode::Kind;

Ebnf parsed(std::string_view rules) {
  Result<Ebnf> ebnf = parse_ebnf(rules);
  EXPECT_TRUE(ebnf) << rules << ": " << (ebnf ? "" : ebnf.error().to_string());
  return ebnf ? *ebnf : Ebnf{};
}

EbnfNode body(const Ebnf& ebnf, size_t rule = 0) {
  return ebnf.nodes.at(ebnf.rules.at(rule).body);
}
std::string literal(const std::string& written) {
  return body(parsed("r ::= " + written)).text;
}

std::string refusal(std::string_view rules) {
  const Result<Ebnf> ebnf = parse_ebnf(rules);
  return ebnf ? "" : ebnf.error().to_string();
}

TEST(EbnfSyntax, Rules) {
  const Ebnf ebnf = parsed("a ::= b | \"x\"  # one\n\n  b : 'y' c; // two\nroot = c c-1 :=\nc\nc := a");
  ASSERT_EQ(ebnf.rules.size(), 5u);
  EXPECT_EQ(ebnf.rules[3].name, "c-1");
  EXPECT_EQ(ebnf.start, 2u);
  EXPECT_EQ(body(ebnf, 4).kind, Kind::kRule);
  EXPECT_EQ(body(ebnf, 4).rule, 0u);
}

TEST(EbnfSyntax, EndsARuleWhereTheNextBegins) {
  const Ebnf ebnf = parsed("first ::= second \"a\"\n | second\nsecond ::= 'b'\n'c'");
  ASSERT_EQ(ebnf.rules.size(), 2u);
  EXPECT_EQ(ebnf.start, 0u);
  EXPECT_EQ(body(ebnf).kind, Kind::kOr);
  EXPECT_EQ(body(ebnf, 1).kind, Kind::kConcat);
  EXPECT_EQ(body(ebnf, 1).parts.size(), 2u);
  EXPECT_EQ(parsed("a ::= 'x' root ::= a").start, 1u);
}

TEST(EbnfSyntax, Literals) {
  EXPECT_EQ(literal("\"a'b\""), "a'b");
  EXPECT_EQ(literal("'a\"b'"), "a\"b");
  EXPECT_EQ(literal("\"\""), "");
  EXPECT_EQ(literal("\"\\\"\\\\\\n\\t\\r\\b\\f\\/\\'\""), "\"\\\n\t\r\b\f/'");
  EXPECT_EQ(literal("\"\\x41\\u00e9\\u{1F600}\\ud83d\\ude00\""), "Aé😀😀");
  EXPECT_EQ(literal("\"# no comment // none\""), "# no comment // none");
}

TEST(EbnfSyntax, ClassesAndRegularExpressions) {
  EXPECT_EQ(body(parsed("r ::= [a-f\\]x]")).set, (CharSet{{'a', 'f'}, {']', ']'}, {'x', 'x'}}));
  EXPECT_EQ(body(parsed("r ::= [^\\d]")).set, digit_chars().complement());
  EXPECT_EQ(body(parsed("r ::= .")).set.contains('\n'), false);
  EXPECT_EQ(body(parsed("r ::= /a[/]b\\/c/")).text, "a[/]b\\/c");
  EXPECT_EQ(body(parsed("r ::= /ab/i")).text, "(?i)ab");
}

TEST(EbnfSyntax, Quantifiers) {
  const auto range = [](const char* written) {
    const EbnfNode node = body(parsed(std::string("r ::= 'a'") + written));
    return std::pair(node.min, node.max);
  };
  EXPECT_EQ(range("*"), std::pair(0u, UINT32_MAX));
  EXPECT_EQ(range(" +"), std::pair(1u, UINT32_MAX));
  EXPECT_EQ(range("?"), std::pair(0u, 1u));
  EXPECT_EQ(range("{3}"), std::pair(3u, 3u));
  EXPECT_EQ(range("{ 3 , }"), std::pair(3u, UINT32_MAX));
  EXPECT_EQ(range("{3,5}"), std::pair(3u, 5u));
  EXPECT_EQ(range("{,5}"), std::pair(0u, 5u));
}

TEST(EbnfSyntax, EmptyAlternatives) {
  EXPECT_EQ(body(parsed("r ::= ")).parts.size(), 0u);
  EXPECT_EQ(body(parsed("r ::= 'a' |")).parts.size(), 2u);
  EXPECT_EQ(body(parsed("r ::= ( )")).parts.size(), 0u);
}

TEST(EbnfSyntax, RefusesWithLineAndColumn) {
  EXPECT_EQ(refusal(""), "line 1, column 1: there is no rule");
  EXPECT_EQ(refusal("a ::= 'x'\n\n  é"),
            "line 3, column 3: a literal, a class, a regular expression, a group or the name of a rule was "
            "expected");
  EXPECT_EQ(refusal("a ::= 'x'\nb b"), "line 2, column 1: there is no rule b");
  EXPECT_EQ(refusal("a"), "line 1, column 2: \"::=\" was expected after the name a");
  EXPECT_EQ(refusal("a ::= 'é' b"), "line 1, column 11: there is no rule b");
  EXPECT_EQ(refusal("a ::= 'x'\na ::= 'y'"), "line 2, column 1: there is a rule a already");
  EXPECT_EQ(refusal("a ::= ('x'"), "line 1, column 7: this group is never closed");
  EXPECT_EQ(refusal("a ::= 'x')"), "line 1, column 10: a closing parenthesis without an opening one");
  EXPECT_EQ(refusal("a ::= \"x"), "line 1, column 7: this literal is never closed");
  EXPECT_EQ(refusal("a ::= \"x\n\""), "line 1, column 7: this literal is never closed");
  EXPECT_EQ(refusal("a ::= \"\\q\""), "line 1, column 8: an unknown escape");
  EXPECT_EQ(refusal("a ::= \"\\ud800\""), "line 1, column 8: there is no character of this number");
  EXPECT_EQ(refusal("a ::= \"\\x4\""), "line 1, column 8: 2 hexadecimal digits were expected");
  EXPECT_EQ(refusal("a ::= [a"), "line 1, column 7: this class is never closed");
  EXPECT_EQ(refusal("a ::= [z-a]"), "line 1, column 8: the ends of this range are out of order");
  EXPECT_EQ(refusal("a ::= /x"), "line 1, column 7: this regular expression is never closed");
  EXPECT_EQ(refusal("a ::= /x\\"), "line 1, column 7: this regular expression is never closed");
  EXPECT_EQ(
      refusal("a ::= /x)/"),
      "line 1, column 7: in this regular expression, column 2: a closing parenthesis without an opening one");
  EXPECT_EQ(refusal("a ::= /x/g"), "line 1, column 10: after a regular expression the only flag is i");
  EXPECT_EQ(refusal("a ::= *"), "line 1, column 7: there is nothing to repeat");
  EXPECT_EQ(refusal("a ::= 'x'{2,1}"), "line 1, column 10: the numbers of this quantifier are out of order");
  EXPECT_EQ(refusal("a ::= 'x'{}"), "line 1, column 10: a number of repetitions was expected");
  EXPECT_EQ(refusal("a ::= 'x'{1"), "line 1, column 10: this quantifier is never closed");
  EXPECT_EQ(refusal("a ::= 'x'{9999999}"), "line 1, column 11: at most 1000000 repetitions can be asked for");
  EXPECT_EQ(refusal("a ::= '\xff'"), "line 1, column 8: the grammar is not valid UTF-8");
  EXPECT_NE(refusal(std::string(1 << 20, 'a')), "");
  EXPECT_NE(refusal("a ::= " + std::string(100'000, '(')), "");
}

}  // namespace
}  // namespace hadal::grammar
