#include "sample/grammar/grammar.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "sample/grammar/small_vocabulary.h"

namespace hadal::grammar {
namespace {

const std::vector<int32_t>& end_ids() {
  return testing::small_end_ids();
}

const char* const kJson = R"ebnf(
    value  ::= object | array | string | /-?(0|[1-9][0-9]*)/ | "true" | "null"
    object ::= "{" (string ":" value ("," string ":" value)*)? "}"
    array  ::= "[" (value ("," value)*)? "]"
    string ::= "\"" ([^"\\\x00-\x1F] | "\\" ["\\/bfnrt] | "\\u00" [0-9a-f]{2})* "\"")ebnf";

std::vector<std::shared_ptr<Grammar>> grammars() {
  const auto vocabulary = testing::small_vocabulary();
  return {*ebnf_grammar(vocabulary, end_ids(), kJson),
          *ebnf_grammar(vocabulary, end_ids(), "s ::= 'a' s 'b' | [xy]+ | '(' s ')' '+'? s"),
          *regex_grammar(vocabulary, end_ids(), "(a|ab|[bc]{2,4})*😀?"),
          *choice_grammar(vocabulary, end_ids(), {"abab", "aab", "é", "cab"})};
}

TokenBits mask(TokenConstraint& matcher, const Vocabulary& vocabulary) {
  TokenBits bits(vocabulary.words(), 0xFFFFFFFF);
  matcher.allow(bits);
  return bits;
}

std::vector<int32_t> ids(const TokenBits& bits) {
  std::vector<int32_t> all;
  for (size_t id = 0; id < bits.size() * 32; ++id)
    if (bits[id / 32] >> (id % 32) & 1) all.push_back(static_cast<int32_t>(id));
  return all;
}

// Going back, copying, and reading all of it anew lead to the same masks.
TEST(Grammar, RewindAndForkAreAsReplay) {
  const auto all = grammars();
  EXPECT_TRUE(rc::check("rewind and fork", [&] {
    std::mt19937 random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    const auto& grammar = all[random() % all.size()];
    const Vocabulary& vocabulary = grammar->vocabulary();
    std::unique_ptr<TokenConstraint> matcher = std::make_unique<Matcher>(grammar);
    std::vector<int32_t> tokens;
    std::vector<TokenBits> masks;
    for (int step = 0; step < 40; ++step) {
      RC_ASSERT(matcher->length() == static_cast<int64_t>(tokens.size()));
      const TokenBits now = mask(*matcher, vocabulary);
      if (masks.size() == tokens.size()) masks.push_back(now);
      RC_ASSERT(masks[tokens.size()] == now);
      const int what = static_cast<int>(random() % 8);
      if (what == 0) {
        const size_t length = random() % (tokens.size() + 1);
        matcher->rewind(static_cast<int64_t>(length));
        tokens.resize(length);
        masks.resize(length + 1);
      } else if (what == 1) {
        std::unique_ptr<TokenConstraint> copy = matcher->fork();
        const std::vector<int32_t> allowed = ids(now);
        RC_ASSERT(matcher->accept(allowed[random() % allowed.size()]));  // the copy does not notice
        RC_ASSERT(mask(*copy, vocabulary) == now);
        matcher = std::move(copy);
      } else if (what == 2) {
        Matcher replay(grammar);
        for (const int32_t token : tokens) RC_ASSERT(replay.accept(token));
        RC_ASSERT(mask(replay, vocabulary) == now);
      } else if (what == 3) {
        const auto token = static_cast<int32_t>(random() % vocabulary.size());
        const bool allowed = now[token / 32] >> (token % 32) & 1;
        RC_ASSERT(matcher->accept(token) == allowed);
        if (allowed) tokens.push_back(token), masks.resize(tokens.size());
      } else {
        const std::vector<int32_t> allowed = ids(now);
        RC_ASSERT(!allowed.empty());
        tokens.push_back(allowed[random() % allowed.size()]);
        masks.resize(tokens.size());
        RC_ASSERT(matcher->accept(tokens.back()));
      }
    }
  }));
}

TEST(Grammar, EndTokens) {
  const auto vocabulary = testing::small_vocabulary();
  Matcher matcher(*regex_grammar(vocabulary, {1, 0}, "ab?"));
  EXPECT_FALSE(matcher.can_end());
  EXPECT_FALSE(matcher.accept(1));
  ASSERT_TRUE(matcher.accept_bytes("a"));
  EXPECT_TRUE(matcher.can_end());
  const TokenBits now = mask(matcher, *vocabulary);
  EXPECT_EQ(ids(now), (std::vector<int32_t>{0, 1, hadal::testing::kFirstByteId + 'b'}));
  ASSERT_TRUE(matcher.accept(1));
  EXPECT_TRUE(matcher.ended());
  EXPECT_EQ(matcher.length(), 2);
  EXPECT_EQ(ids(mask(matcher, *vocabulary)), (std::vector<int32_t>{0, 1}));  // nothing else any more
  EXPECT_FALSE(matcher.accept(hadal::testing::kFirstByteId + 'b'));
  EXPECT_FALSE(matcher.accept_bytes("b"));
  matcher.rewind(1);
  EXPECT_FALSE(matcher.ended());
  EXPECT_TRUE(matcher.accept_bytes("b"));
}

TEST(Grammar, UnknownTokensAreRefused) {
  const auto vocabulary = testing::small_vocabulary();
  Matcher matcher(*regex_grammar(vocabulary, end_ids(), "[\\s\\S]*"));
  for (const int32_t id : {-1, vocabulary->size(), INT32_MAX, hadal::testing::kHole, hadal::testing::kThink})
    EXPECT_FALSE(matcher.accept(id)) << id;
  EXPECT_EQ(matcher.length(), 0);
}

TEST(Grammar, ForcedBytes) {
  const auto vocabulary = testing::small_vocabulary();
  Matcher matcher(*regex_grammar(vocabulary, end_ids(), "abc(de|df)é+!"));
  EXPECT_EQ(matcher.forced_bytes(100), "abcd");
  EXPECT_EQ(matcher.forced_bytes(2), "ab");
  ASSERT_TRUE(matcher.accept_bytes("abcde"));
  EXPECT_EQ(matcher.forced_bytes(100), "é");
  ASSERT_TRUE(matcher.accept_bytes("é!"));
  EXPECT_EQ(matcher.forced_bytes(100), "");
  Matcher choice(*choice_grammar(vocabulary, end_ids(), {"abcab", "abcba", "abc"}));
  EXPECT_EQ(choice.forced_bytes(100), "abc");  // and there it may end
}

TEST(Grammar, ForcedTokens) {
  const auto vocabulary = testing::small_vocabulary();
  const auto text = [&](const std::vector<int32_t>& ids) {
    std::string bytes;
    for (const int32_t id : ids) bytes += vocabulary->bytes(id);
    return bytes;
  };
  Matcher matcher(*regex_grammar(vocabulary, end_ids(), "hello world [0-9]+ abc"));
  const std::vector<int32_t> first = matcher.forced();
  EXPECT_EQ(text(first), "hello world");  // the space may be of the number's token
  EXPECT_EQ(first, vocabulary->tokenizer().encode("hello world"));
  EXPECT_EQ(matcher.length(), 0);
  for (const int32_t id : first) ASSERT_TRUE(matcher.accept(id));
  EXPECT_TRUE(matcher.forced().empty());
  ASSERT_TRUE(matcher.accept_bytes(" 12"));
  EXPECT_TRUE(matcher.forced().empty());
  ASSERT_TRUE(matcher.accept_bytes(" abc"));
  EXPECT_EQ(matcher.forced(), end_ids());
  ASSERT_TRUE(matcher.accept(end_ids()[0]));
  EXPECT_TRUE(matcher.forced().empty());
  // A text that was begun with other tokens than encoding gives goes on with them where they fit again.
  matcher.rewind(0);
  ASSERT_TRUE(matcher.accept_bytes("hell"));
  EXPECT_TRUE(matcher.forced().empty());
  ASSERT_TRUE(matcher.accept_bytes("o"));
  EXPECT_EQ(text(matcher.forced()), " world");
}

// Whatever was there before, forced tokens may come, and their text is the only one; and after tokens
// of the encoded text come more of them.
TEST(Grammar, ForcedTokensAreThoseOfTheWholeText) {
  const auto vocabulary = testing::small_vocabulary();
  const Tokenizer& tokenizer = vocabulary->tokenizer();
  const std::string pattern =
      "\\{\"(hello|a b)\": (\"world abc\", |12 )*\"aaaa bc\":  \\[(1|true|hello world!!), hello\\n "
      "world\\n\\n  bc *,\\]\\}";
  const auto grammar = *regex_grammar(vocabulary, end_ids(), pattern);
  int64_t forced_tokens = 0;
  EXPECT_TRUE(rc::check("forced tokens", [&] {
    std::mt19937 random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    Matcher matcher(grammar);
    std::vector<int32_t> tokens;
    std::string text;
    while (!matcher.ended() && tokens.size() < 400) {
      const std::string certain = matcher.forced_bytes(1000);
      std::vector<int32_t> next = matcher.forced();
      forced_tokens += static_cast<int64_t>(next.size());
      std::string bytes;
      for (const int32_t id : next) {
        RC_ASSERT(ids(mask(matcher, *vocabulary)) == std::vector<int32_t>{id} || !certain.empty());
        RC_ASSERT(matcher.accept(id));
        tokens.push_back(id);
        if (!matcher.ended()) bytes += vocabulary->bytes(id);
      }
      RC_ASSERT(certain.starts_with(bytes) || matcher.ended());
      text += bytes;
      if (!next.empty()) continue;
      const std::vector<int32_t> allowed = ids(mask(matcher, *vocabulary));
      const int32_t id = allowed[random() % allowed.size()];
      RC_ASSERT(matcher.accept(id));
      tokens.push_back(id);
      if (!matcher.ended()) text += vocabulary->bytes(id);
    }
    if (!matcher.ended()) return;
    tokens.pop_back();
    // Forcing again along the encoded text agrees with it everywhere.
    const std::vector<int32_t> whole = tokenizer.encode(text);
    matcher.rewind(0);
    for (size_t i = 0; i < whole.size(); ++i) {
      const std::vector<int32_t> next = matcher.forced();
      for (size_t k = 0; k < next.size(); ++k) RC_ASSERT(next[k] == whole[i + k]);
      RC_ASSERT(matcher.accept(whole[i]));
    }
  }));
  EXPECT_GT(forced_tokens, 100);
}

TEST(Grammar, Problems) {
  const auto vocabulary = testing::small_vocabulary();
  const auto of = [](const auto& grammar) { return grammar ? "" : grammar.error().to_string(); };
  EXPECT_EQ(of(regex_grammar(vocabulary, end_ids(), "a(b")), "column 2: this group is never closed");
  EXPECT_EQ(of(regex_grammar(vocabulary, end_ids(), "a^")), "nothing can ever fit");
  EXPECT_EQ(of(choice_grammar(vocabulary, end_ids(), {})), "a choice needs at least one text");
  EXPECT_EQ(of(choice_grammar(vocabulary, end_ids(), {""})), "");
  EXPECT_EQ(of(ebnf_grammar(vocabulary, end_ids(), "a ::= ?")),
            "line 1, column 7: there is nothing to repeat");
  EXPECT_EQ(of(Grammar::make(vocabulary, end_ids(),
                             [](Automaton&) -> NodeId { fail(ErrorCode::kInvalidInput, "no such thing"); })),
            "no such thing");
}

// Many at once, as answers of one batch that ask for the same.
TEST(Grammar, IsSharedByThreads) {
  const auto vocabulary = testing::small_vocabulary();
  const auto grammar = *ebnf_grammar(vocabulary, end_ids(), kJson);
  const auto walk = [&](uint32_t seed, const std::shared_ptr<Grammar>& of) {
    std::mt19937 random(seed);
    Matcher matcher(of);
    std::vector<int32_t> tokens;
    for (int step = 0; step < 60 && !matcher.ended(); ++step) {
      const std::vector<int32_t> allowed = ids(mask(matcher, *vocabulary));
      tokens.push_back(allowed[random() % allowed.size()]);
      EXPECT_TRUE(matcher.accept(tokens.back()));
    }
    return tokens;
  };
  std::vector<std::vector<int32_t>> found(6);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < found.size(); ++i) threads.emplace_back([&, i] { found[i] = walk(i, grammar); });
  for (std::thread& thread : threads) thread.join();
  for (uint32_t i = 0; i < found.size(); ++i)
    EXPECT_EQ(found[i], walk(i, *ebnf_grammar(vocabulary, end_ids(), kJson)));
  EXPECT_GT(grammar->bytes(), 1000);
}

}  // namespace
}  // namespace hadal::grammar
