#include "sample/grammar/regex_syntax.h"

#include <gtest/gtest.h>

#include <string>

#include "sample/grammar/regex.h"

namespace hadal::grammar {
namespace {

// The characters of a pattern that is one class or escape.
CharSet chars(std::string_view pattern) {
  CharClasses classes;
  const Result<Regex> regex = parse_regex(pattern, classes);
  if (!regex || regex->nodes.size() != 1 || regex->sets.size() != 1) {
    ADD_FAILURE() << pattern << (regex ? "" : ": " + regex.error().to_string());
    return {};
  }
  return regex->sets[0];
}

std::string refusal(std::string_view pattern) {
  CharClasses classes;
  const Result<Regex> regex = parse_regex(pattern, classes);
  return regex ? "" : regex.error().to_string();
}

bool whole(std::string_view pattern, std::string_view text) {
  ExprPool pool;
  const Result<ExprId> e = whole_regex(pool, pattern);
  EXPECT_TRUE(e) << pattern << ": " << (e ? "" : e.error().to_string());
  return e && pool.matches(*e, text);
}

TEST(RegexSyntax, Escapes) {
  EXPECT_EQ(chars("\\x41"), CharSet::one('A'));
  EXPECT_EQ(chars("\\u00e9"), CharSet::one(0xE9));
  EXPECT_EQ(chars("\\u{1F600}"), CharSet::one(0x1F600));
  EXPECT_EQ(chars("\\uD83D\\uDE00"), CharSet::one(0x1F600));
  EXPECT_EQ(chars("\\cJ"), CharSet::one('\n'));
  EXPECT_EQ(chars("\\0"), CharSet::one(0));
  EXPECT_EQ(chars("\\t"), CharSet::one('\t'));
  EXPECT_EQ(chars("[\\b]"), CharSet::one('\b'));
  for (const char c : std::string_view("-_/\"'@#%&,:;<=>!~`^$\\.*+?()[]{}| "))
    EXPECT_EQ(chars(std::string("\\") + c), CharSet::one(static_cast<uint8_t>(c))) << c;
  EXPECT_EQ(chars("é"), CharSet::one(0xE9));
  EXPECT_EQ(chars("}"), CharSet::one('}'));
  EXPECT_EQ(chars("]"), CharSet::one(']'));
}

TEST(RegexSyntax, Classes) {
  EXPECT_EQ(chars("[a-cx]"), (CharSet{{'a', 'c'}, {'x', 'x'}}));
  EXPECT_EQ(chars("[^a]"), CharSet::one('a').complement());
  EXPECT_EQ(chars("[]"), CharSet());
  EXPECT_EQ(chars("[^]"), CharSet::any());
  EXPECT_EQ(chars("[\\d\\D]"), CharSet::any());
  EXPECT_EQ(chars("[\\d-x]"), (CharSet{{'-', '-'}, {'0', '9'}, {'x', 'x'}}));
  EXPECT_EQ(chars("[x-\\d]"), (CharSet{{'-', '-'}, {'0', '9'}, {'x', 'x'}}));
  EXPECT_EQ(chars("[-a]"), (CharSet{{'-', '-'}, {'a', 'a'}}));
  EXPECT_EQ(chars("[a-]"), (CharSet{{'-', '-'}, {'a', 'a'}}));
  EXPECT_EQ(chars("[+--]"), (CharSet{{'+', '-'}}));
  EXPECT_EQ(chars("[\\]\\\\[]"), (CharSet{{'[', ']'}}));
  EXPECT_EQ(chars("[\\u{1F600}-\\u{1F64F}]"), (CharSet{{0x1F600, 0x1F64F}}));
  EXPECT_EQ(chars("."), line_chars());
  EXPECT_EQ(chars("[.]"), CharSet::one('.'));
  EXPECT_EQ(chars("\\p{Lu}"), chars("\\p{gc=Uppercase_Letter}"));
  EXPECT_EQ(chars("\\PL"), chars("\\p{L}").complement());
  size_t at = 2;
  CharClasses classes;
  EXPECT_EQ(*parse_regex_class("x=[a-f]+", at, classes), (CharSet{{'a', 'f'}}));
  EXPECT_EQ(at, 7u);
}

TEST(RegexSyntax, Flags) {
  EXPECT_TRUE(whole("(?i)abc[d-f]", "AbCE"));
  EXPECT_TRUE(whole("(?i)é", "É"));
  EXPECT_FALSE(whole("(?i)[^a]", "A"));
  EXPECT_TRUE(whole("(?s).", "\n"));
  EXPECT_FALSE(whole(".", "\n"));
  EXPECT_TRUE(whole("a(?i:b)c", "aBc"));
  EXPECT_FALSE(whole("a(?i:b)c", "aBC"));
  EXPECT_TRUE(whole("(?i)a(?-i:b)c", "AbC"));
  EXPECT_FALSE(whole("(?i)a(?-i:b)c", "ABC"));
}

TEST(RegexSyntax, Quantifiers) {
  EXPECT_TRUE(whole("a{2}", "aa"));
  EXPECT_FALSE(whole("a{2}", "aaa"));
  EXPECT_TRUE(whole("a{2,}?", "aaaa"));
  EXPECT_TRUE(whole("a{1,2}b", "aab"));
  EXPECT_TRUE(whole("a{", "a{"));
  EXPECT_TRUE(whole("a{x}", "a{x}"));
  EXPECT_TRUE(whole("{{a}}", "{{a}}"));
  EXPECT_TRUE(whole("a{1,x}", "a{1,x}"));
  EXPECT_TRUE(whole("a{0,99999999999999999999}", "aaa"));
  EXPECT_TRUE(whole("(?:(?=a)a)?", ""));
}

TEST(RegexSyntax, Groups) {
  EXPECT_TRUE(whole("(?<year>\\d{4})-(?P<m>\\d\\d)", "2024-02"));
  EXPECT_TRUE(whole("\\Aab\\Z", "ab"));
  EXPECT_TRUE(whole("\\Aab\\z", "ab"));
  EXPECT_TRUE(whole("(|a)()b", "ab"));
}

TEST(RegexSyntax, RefusesWithTheColumn) {
  EXPECT_EQ(refusal("é(a"), "column 2: this group is never closed");
  EXPECT_EQ(refusal("a)"), "column 2: a closing parenthesis without an opening one");
  EXPECT_EQ(refusal("[a"), "column 1: this class is never closed");
  EXPECT_EQ(refusal("[a-"), "column 1: this class is never closed");
  EXPECT_EQ(refusal("x[b-a]"), "column 3: the ends of this range are out of order");
  EXPECT_EQ(refusal("*a"), "column 1: there is nothing to repeat");
  EXPECT_EQ(refusal("a**"), "column 3: there is nothing to repeat");
  EXPECT_EQ(refusal("^*"), "column 2: there is nothing to repeat");
  EXPECT_EQ(refusal("{2}"), "column 1: there is nothing to repeat");
  EXPECT_EQ(refusal("a++"), "column 3: possessive quantifiers are not supported");
  EXPECT_EQ(refusal("a{3,2}"), "column 2: the numbers of this quantifier are out of order");
  EXPECT_EQ(refusal("a{99999999999}"), "column 2: this quantifier asks for more than any text has");
  EXPECT_EQ(refusal("a{,3}"), "column 2: dialects differ in what \"{,\" means; write {0,m} or \\{");
  EXPECT_EQ(refusal("(a)\\1"), "column 4: back-references are not supported");
  EXPECT_EQ(refusal("\\k<a>"), "column 1: back-references are not supported");
  EXPECT_EQ(refusal("(?<=a)b"), "column 1: look-behind is not supported");
  EXPECT_EQ(refusal("(?<!a)b"), "column 1: look-behind is not supported");
  EXPECT_EQ(refusal("(?>a)"), "column 1: atomic groups are not supported");
  EXPECT_EQ(refusal("(?<a"), "column 4: a group's name was expected");
  EXPECT_EQ(refusal("a(?i)b"), "column 4: flags for the rest of a pattern must stand at its very beginning");
  EXPECT_EQ(refusal("(?m)a"), "column 3: an unknown kind of group; of the flags only i and s are supported");
  EXPECT_EQ(refusal("a\\"), "column 2: a backslash at the end");
  EXPECT_EQ(refusal("\\q"), "column 1: \\q is no known escape");
  EXPECT_EQ(refusal("\\x4"), "column 1: 2 hexadecimal digits were expected");
  EXPECT_EQ(refusal("\\u{110000}"), "column 1: there is no character of this number");
  EXPECT_EQ(refusal("\\p{Nonsense}"), "column 1: there is no Unicode property \"Nonsense\"");
  EXPECT_EQ(refusal("a\xff"), "column 2: the regular expression is not valid UTF-8");
  EXPECT_EQ(refusal("[\\1]"), "column 2: octal escapes are not supported");
}

}  // namespace
}  // namespace hadal::grammar
