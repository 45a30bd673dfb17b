#include "sample/grammar/ebnf.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "sample/grammar/ebnf_syntax.h"
#include "sample/grammar/grammar.h"
#include "sample/grammar/small_vocabulary.h"

namespace hadal::grammar {
namespace {

std::shared_ptr<Grammar> grammar_of(std::string_view rules) {
  static const auto vocabulary = testing::small_vocabulary();
  auto grammar = ebnf_grammar(vocabulary, testing::small_end_ids(), rules);
  EXPECT_TRUE(grammar) << rules << "\n" << (grammar ? "" : grammar.error().to_string());
  return grammar ? *grammar : nullptr;
}

bool fits(const std::shared_ptr<Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  return matcher.accept_bytes(text) && matcher.can_end();
}

bool fits(std::string_view rules, std::string_view text) {
  const auto grammar = grammar_of(rules);
  return grammar && fits(grammar, text);
}

std::string refusal(std::string_view rules) {
  const auto grammar = ebnf_grammar(testing::small_vocabulary(), testing::small_end_ids(), rules);
  return grammar ? "" : grammar.error().to_string();
}

TEST(Ebnf, Arithmetic) {
  const auto grammar = grammar_of(R"ebnf(
      # the usual one
      root   ::= sum
      sum    ::= term (("+" | "-") term)*
      term   ::= factor (("*" | "/") factor)*
      factor ::= number | "(" sum ")"
      number ::= /[1-9][0-9]{0,8}/ | "0"
  )ebnf");
  for (const char* text : {"1", "1+2", "(1)", "((1+20)*3)/4-0", "1*(2+(3))"})
    EXPECT_TRUE(fits(grammar, text)) << text;
  for (const char* text : {"", "1+", "(1", "1)", "01", "()", "1 + 2"})
    EXPECT_FALSE(fits(grammar, text)) << text;
  // Deep nesting, and back.
  EXPECT_TRUE(fits(grammar, std::string(5000, '(') + "1" + std::string(5000, ')')));
  EXPECT_FALSE(fits(grammar, std::string(5000, '(') + "1" + std::string(4999, ')')));
}

TEST(Ebnf, Json) {
  const auto grammar = grammar_of(R"ebnf(
      root   ::= value
      value  ::= object | array | string | /-?(0|[1-9][0-9]*)(\.[0-9]+)?/ | "true" | "null"
      object ::= "{" (string ":" value ("," string ":" value)*)? "}"
      array  ::= "[" (value ("," value)*)? "]"
      string ::= "\"" ([^"\\\x00-\x1F] | "\\" ["\\/bfnrt])* "\""
  )ebnf");
  EXPECT_TRUE(fits(grammar, R"({"a":[1,-2.5,{"b":{}}],"é\n":null})"));
  EXPECT_FALSE(fits(grammar, R"({"a":[1,]})"));
  EXPECT_FALSE(fits(grammar, R"({"a":1)"));
}

TEST(Ebnf, RecursionOfSeveralKinds) {
  EXPECT_TRUE(fits("s ::= 'a' s 'b' | ''", "aaabbb"));
  EXPECT_FALSE(fits("s ::= 'a' s 'b' | ''", "aabbb"));
  EXPECT_TRUE(fits("s ::= 'a' s | 'b'", "aaaab"));
  EXPECT_TRUE(fits("s ::= ('a' s? 'b'){1,2}", "aabbab"));
  EXPECT_TRUE(fits("s ::= '(' s ')' | 'x' t{2,3}\nt ::= s | 'y'", "(xyxyy)"));
  EXPECT_TRUE(fits("s ::= 'a' s 'a' | 'b' s 'b' | ''", "abba"));
  EXPECT_FALSE(fits("s ::= 'a' s 'a' | 'b' s 'b' | ''", "abab"));
}

TEST(Ebnf, RefusesWithTheRule) {
  EXPECT_EQ(refusal("a ::= 'x' b\nb ::= b 'y' | 'z'"), "line 2, column 1: the rule b begins with itself");
  EXPECT_EQ(refusal("a ::= 'x'? b | 'q'\nb ::= a 'y'"),
            "line 1, column 1: the rule a begins with itself, by way of b");
  EXPECT_EQ(refusal("a ::= 'x' a"),
            "line 1, column 1: the rule a never comes to an end: it has no finite text");
  EXPECT_EQ(refusal("a ::= 'x'\nb ::= 'y' c\nc ::= b 'z'"),
            "line 2, column 1: the rule b never comes to an end: it has no finite text");
  EXPECT_EQ(refusal("a ::= 'x' []"), "line 1, column 11: no text fits here");
  EXPECT_EQ(refusal("a ::= 'x' /b^/"), "line 1, column 11: no text fits here");
  EXPECT_EQ(refusal("a ::= ('x' a 'y')? b*\nb ::= a?"),
            "line 1, column 1: the rule a begins with itself, by way of b");
  EXPECT_EQ(refusal("a ::= 'x' b* 'y'\nb ::= ('p' a)?"),
            "line 1, column 12: what is repeated here uses recursive rules and may be empty; at most 50 "
            "repetitions "
            "of it are supported");
  EXPECT_EQ(refusal("a ::= 'x' c"), "line 1, column 11: there is no rule c");
}

TEST(Ebnf, HostileGrammarsAreCheapOrRefused) {
  const auto cost = [](const std::string& rules) {
    const auto grammar = ebnf_grammar(testing::small_vocabulary(), testing::small_end_ids(), rules);
    return grammar ? (*grammar)->bytes() : 0;
  };
  constexpr int64_t kBudget = 64 << 20;
  std::string doubling, chain, nested, many;
  for (int i = 0; i < 60; ++i) doubling += fmt::format("r{} ::= r{} r{}\n", i, i + 1, i + 1);
  for (int i = 0; i < 3000; ++i) chain += fmt::format("r{} ::= r{} 'x' | 'y' r0 'z'\n", i, i + 1);
  for (int i = 0; i < 190; ++i) nested += fmt::format("r{} ::= r{} 'x' | 'y' r0 'z'\n", i, i + 1);
  for (int i = 0; i < 3000; ++i) many += fmt::format("r{} ::= 'x' r{} | 'y'\n", i, (i * 7 + 1) % 3000);
  EXPECT_LT(cost(doubling + "r60 ::= 'a'"), kBudget);
  EXPECT_NE(refusal(chain + "r3000 ::= 'a'"), "");
  EXPECT_LT(cost(nested + "r190 ::= 'a'"), kBudget);
  EXPECT_LT(cost(many), kBudget);
  EXPECT_LT(cost("a ::= " + std::string(190, '(') + "'x'" + std::string(190, ')')), kBudget);
  EXPECT_LT(cost("a ::= ('x' | 'y' a 'z'){1000000}"), kBudget);
  EXPECT_LT(cost("a ::= (('x'{1000000}){1000000}){1000000}"), kBudget);
}

// ---- Random grammars against a matcher that tries everything ----

class Naive {
 public:
  Naive(const Ebnf& ebnf, std::string_view text) : ebnf_(ebnf), text_(text) {}
  bool matches() { return ends(ebnf_.rules[ebnf_.start].body, 0).contains(text_.size()); }

 private:
  // Where a text of the node that begins there may end.
  std::set<size_t> ends(uint32_t id, size_t begin) {
    const EbnfNode& node = ebnf_.nodes[id];
    switch (node.kind) {
      case EbnfNode::Kind::kText:
        return text_.substr(begin).starts_with(node.text) ? std::set{begin + node.text.size()}
                                                          : std::set<size_t>{};
      case EbnfNode::Kind::kSet:
        return begin < text_.size() && node.set.contains(static_cast<uint8_t>(text_[begin]))
                   ? std::set{begin + 1}
                   : std::set<size_t>{};
      case EbnfNode::Kind::kRule:
        return ends(ebnf_.rules[node.rule].body, begin);
      case EbnfNode::Kind::kConcat: {
        std::set<size_t> now{begin};
        for (const uint32_t part : node.parts) now = from(part, now);
        return now;
      }
      case EbnfNode::Kind::kOr: {
        std::set<size_t> all;
        for (const uint32_t part : node.parts) all.merge(ends(part, begin));
        return all;
      }
      case EbnfNode::Kind::kRepeat: {
        std::set<size_t> now{begin}, all;
        for (uint32_t i = 0; i < node.min; ++i) now = from(node.parts[0], now);
        all = now;
        for (uint32_t i = node.min; i < node.max && !now.empty(); ++i) {
          std::set<size_t> next;
          for (const size_t end : from(node.parts[0], now))
            if (all.insert(end).second) next.insert(end);
          now = next;
        }
        return all;
      }
      default:
        return {};
    }
  }
  std::set<size_t> from(uint32_t id, const std::set<size_t>& begins) {
    std::set<size_t> all;
    for (const size_t begin : begins) all.merge(ends(id, begin));
    return all;
  }

  const Ebnf& ebnf_;
  std::string_view text_;
};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(engine_); }

  std::string element(int depth) {
    static const char* const kLeaves[] = {"'a'", "'b'", "'ab'", "[ab]", "[bc]", "''", "'c'"};
    static const char* const kQuantifiers[] = {"*", "+", "?", "{2}", "{1,2}", "{0,2}"};
    const int kind = below(depth > 0 ? 6 : 4);
    std::string one = kind < 2   ? kLeaves[below(7)]
                      : kind < 4 ? "r" + std::to_string(below(4))
                                 : "(" + alternatives(depth - 1) + ")";
    if (below(4) == 0) one += kQuantifiers[below(6)];
    return one;
  }
  std::string alternatives(int depth) {
    std::string all;
    for (int n = 1 + below(3); n > 0; --n) {
      for (int k = below(4); k > 0; --k) all += element(depth) + " ";
      if (n > 1) all += "| ";
    }
    return all;
  }

 private:
  std::mt19937 engine_;
};

TEST(Ebnf, AgreesWithAMatcherThatTriesEverything) {
  const auto vocabulary = testing::small_vocabulary();
  std::vector<std::string> texts{""};
  for (size_t i = 0; i < texts.size(); ++i)
    if (texts[i].size() < 5)
      for (const char c : {'a', 'b', 'c'}) texts.push_back(texts[i] + c);
  int grammars = 0, matched = 0, ambiguous = 0;
  EXPECT_TRUE(rc::check("grammars tell their language", [&] {
    Random random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    std::string rules;
    Result<std::shared_ptr<Grammar>> grammar = problem("", "none yet");
    for (int tries = 0; tries < 8 && !grammar; ++tries) {  // many never end, or begin with themselves
      rules.clear();
      for (int rule = 0; rule < 4; ++rule)
        rules += "r" + std::to_string(rule) + " ::= " + random.alternatives(2) + "\n";
      grammar = ebnf_grammar(vocabulary, testing::small_end_ids(), rules);
      RC_ASSERT(grammar || !grammar.error().where.empty());
    }
    if (!grammar) return;
    ++grammars;
    const Ebnf ebnf = *parse_ebnf(rules);
    try {
      for (const std::string& text : texts) {
        const bool expected = Naive(ebnf, text).matches();
        if (fits(*grammar, text) != expected) RC_FAIL("text \"" + text + "\" of\n" + rules);
        matched += expected;
      }
    } catch (const Error& error) {  // some have thousands of ways to read a text
      RC_ASSERT(std::string_view(error.what()).starts_with("the grammar is too ambiguous"));
      ++ambiguous;
    }
  }));
  EXPECT_GT(grammars, 10);
  EXPECT_LT(ambiguous, grammars);
  EXPECT_GT(matched, 20);
}

}  // namespace
}  // namespace hadal::grammar
