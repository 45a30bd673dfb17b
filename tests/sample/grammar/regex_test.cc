#define PCRE2_CODE_UNIT_WIDTH 8
#include "sample/grammar/regex.h"

#include <gtest/gtest.h>
#include <pcre2.h>
#include <rapidcheck.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace hadal::grammar {
namespace {

ExprId search(ExprPool& pool, std::string_view pattern) {
  const Result<ExprId> e = search_regex(pool, pattern);
  EXPECT_TRUE(e) << pattern << ": " << (e ? "" : e.error().to_string());
  return e ? *e : ExprPool::kNone;
}

bool found(std::string_view pattern, std::string_view text) {
  ExprPool pool;
  return pool.matches(search(pool, pattern), text);
}

std::string refusal(std::string_view pattern) {
  ExprPool pool;
  const Result<ExprId> e = search_regex(pool, pattern);
  return e ? "" : e.error().to_string();
}

// Without optimisations: one of them misses that (?=a)b?a is in "a".
constexpr uint32_t kOptions =
    PCRE2_UTF | PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_START_OPTIMIZE | PCRE2_NO_AUTO_POSSESS;

// What the library says.
class Oracle {
 public:
  explicit Oracle(const std::string& pattern) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_ = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), kOptions, &error,
                          &offset, nullptr);
    match_ = pcre2_match_data_create(1, nullptr);
  }
  ~Oracle() {
    pcre2_match_data_free(match_);
    if (code_) pcre2_code_free(code_);
  }
  Oracle(const Oracle&) = delete;
  Oracle& operator=(const Oracle&) = delete;

  bool valid() const { return code_ != nullptr; }
  int match(const std::string& text) const {
    return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, match_, nullptr);
  }

 private:
  pcre2_code* code_ = nullptr;
  pcre2_match_data* match_ = nullptr;
};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  int below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(engine_); }
  const char* pick(const std::vector<const char*>& from) {
    return from[below(static_cast<int>(from.size()))];
  }

  std::string atom(int depth) {
    const int kind = below(depth > 0 ? 12 : 7);
    if (kind < 6)
      return pick({"a",     "b",       "c",   "_",    "-",     "é",     ".",      "\\d",
                   "\\w",   "\\W",     "\\s", "[ab]", "[^a]",  "[a-c]", "[^\\w]", "[b-]",
                   "\\x61", "\\u0062", "\\-", "ab",   "[^1é]", "\\D"});
    if (kind == 6) return pick({"^", "$", "\\b", "\\B"});
    const std::string inner = pattern(depth - 1);
    if (kind < 10) return "(?:" + inner + ")";
    return (kind == 10 ? "(?=" : "(?!") + inner + ")";
  }
  std::string pattern(int depth) {
    std::string whole;
    for (int more = below(3); more >= 0; more = more == 2 ? 0 : -1) {
      const int length = below(4);
      for (int k = 0; k < length; ++k) {
        const std::string one = atom(depth);
        whole += one;
        const bool asserts = one == "^" || one == "$" || one == "\\b" || one == "\\B" ||
                             one.starts_with("(?=") || one.starts_with("(?!");
        if (!asserts && below(3) == 0)
          whole += pick({"*", "+", "?", "{2}", "{0,2}", "{1,3}", "{2,}", "*?", "+?"});
      }
      if (more == 2) whole += "|";
    }
    return whole;
  }
  std::string text() {
    std::string whole;
    for (int length = below(9); length > 0; --length)
      whole += pick({"a", "a", "b", "b", "c", "_", "-", "1", " ", "\n", "é"});
    return whole;
  }

 private:
  std::mt19937 engine_;
};

TEST(Regex, AgreesWithAnotherMatcher) {
  int patterns = 0, matched = 0, failed = 0;
  EXPECT_TRUE(rc::check("search_regex agrees with PCRE2", [&] {
    Random random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    for (int n = 0; n < 30; ++n) {
      const std::string pattern = random.pattern(3);
      const Oracle oracle(pattern);
      RC_ASSERT(oracle.valid());
      ExprPool pool;
      const Result<ExprId> e = search_regex(pool, pattern);
      RC_ASSERT(e.has_value());
      ++patterns;
      for (int i = 0; i < 30; ++i) {
        const std::string text = random.text();
        const int rc = oracle.match(text);
        if (rc < PCRE2_ERROR_NOMATCH) continue;  // its own limits
        if ((rc >= 0) != pool.matches(*e, text))
          RC_FAIL("pattern " + pattern + " text " + text + " rc " + std::to_string(rc));
        ++(rc >= 0 ? matched : failed);
      }
    }
  }));
  EXPECT_GT(patterns, 2000);
  EXPECT_GT(std::min(matched, failed), 5000);
}

TEST(Regex, CommonPatternsAreCanonical) {
  ExprPool pool;
  EXPECT_EQ(search(pool, "^[a-z]+$"), pool.repeat(pool.set({{'a', 'z'}}), 1));
  EXPECT_EQ(search(pool, "^foo"), pool.concat(pool.text("foo"), ExprPool::kAll));
  EXPECT_EQ(search(pool, "^(foo|bar)$"), pool.literals({"foo", "bar"}));
  EXPECT_EQ(search(pool, "^.*[\\s\\S]*"), ExprPool::kAll);
  EXPECT_EQ(search(pool, ""), ExprPool::kAll);
  EXPECT_EQ(search(pool, "^$"), ExprPool::kEmpty);
  EXPECT_EQ(search(pool, "a^"), ExprPool::kNone);
  EXPECT_EQ(search(pool, "[]"), ExprPool::kNone);
  EXPECT_EQ(search(pool, "x"), pool.concat({ExprPool::kAll, pool.text("x"), ExprPool::kAll}));
}

TEST(Regex, RepeatsWhatLooksAround) {
  EXPECT_TRUE(found("^(?:(?!--).)*$", "a-b-c"));
  EXPECT_FALSE(found("^(?:(?!--).)*$", "a--c"));
  EXPECT_TRUE(found("^<!((?!-->).)*-->x$", "<! a -- b -->x"));
  EXPECT_FALSE(found("^<!((?!-->).)*-->x$", "<! a --> b -->x"));
  EXPECT_TRUE(found("^(\\bab\\b ?)+$", "ab ab"));
  EXPECT_FALSE(found("^(\\bab\\b ?)+$", "abab"));
  EXPECT_TRUE(found("^(a?b*($|-))*$", "ab--a-b"));
  EXPECT_FALSE(found("^(a?b*($|-))*$", "ab--aa"));
}

TEST(Regex, WholeTexts) {
  ExprPool pool;
  const auto whole = [&](std::string_view pattern, std::string_view text) {
    return pool.matches(*whole_regex(pool, pattern), text);
  };
  EXPECT_TRUE(whole("a|ab", "ab"));
  EXPECT_FALSE(whole("a|ab", "abc"));
  EXPECT_TRUE(whole("^a$", "a"));
  EXPECT_TRUE(whole("(?=.*1)[a-z1]*", "ab1c"));
  EXPECT_FALSE(whole("(?=.*1)[a-z1]*", "abc"));
  EXPECT_EQ(whole_regex(pool, "a+)").error().to_string(),
            "column 3: a closing parenthesis without an opening one");
}

TEST(Regex, HostilePatternsAreCheapOrRefused) {
  constexpr int64_t kBudget = 64 << 20;
  const auto cost = [](const std::string& pattern) {
    ExprPool pool;
    (void)search_regex(pool, pattern);
    return pool.bytes();
  };
  const auto times = [](int count, std::string_view text) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
  };
  EXPECT_NE(refusal(std::string(1 << 20, 'a')), "");
  EXPECT_NE(refusal(times(100'000, "(")), "");
  EXPECT_NE(refusal(times(30'000, "(") + times(30'000, ")")), "");
  EXPECT_EQ(refusal("((a{1000}){1000}){1000}"), "");
  EXPECT_EQ(refusal("(a{1000}){1000}{1000}"), "column 16: there is nothing to repeat");
  EXPECT_TRUE(found("^(x+x+)+y$", times(100, "x") + "y"));
  EXPECT_FALSE(found("^(x+x+)+y$", times(100, "x")));
  EXPECT_TRUE(found("^[\\s\\S]{0,1000000}$", times(1000, "é")));
  EXPECT_NE(refusal("((\\ba){500}){1000}"), "");
  for (const std::string& pattern :
       {times(60'000, "a"), times(10'000, "[ab]"), times(5000, "\\p{L}"), times(20'000, "a?"),
        times(10'000, "ab|"), times(10'000, "a.|"), "(" + times(5000, "(?=a.b)") + ")", times(9000, "(?!a)"),
        times(150, "(a|") + times(150, ")*"), times(150, "(?!a") + times(150, ")")})
    EXPECT_LT(cost(pattern), kBudget) << pattern.substr(0, 20);
  // A long chain is read without recursion.
  ExprPool pool;
  EXPECT_TRUE(pool.matches(search(pool, "^" + times(3000, "a?") + "$"), "aaa"));
}

}  // namespace
}  // namespace hadal::grammar
