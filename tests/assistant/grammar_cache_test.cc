#include "assistant/grammar_cache.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "assistant/assistant_support.h"

namespace hadal {
namespace {

using namespace test;

const TextModel& mini() {
  static const TextModel model(Model::open(kMini, Numerics::kRelease), kMini);
  return model;
}

AnswerRules choice(std::vector<std::string> texts) {
  AnswerRules rules;
  rules.content = AnswerRules::Content::kChoice;
  rules.choices = std::move(texts);
  return rules;
}

TEST(GrammarCache, CompilesOnce) {
  GrammarCache cache(mini());
  const auto first = cache.get(choice({"a", "b"}), {1}), again = cache.get(choice({"a", "b"}), {1});
  const auto other = cache.get(choice({"a", "c"}), {1}), other_end = cache.get(choice({"a", "b"}), {0, 1});
  ASSERT_TRUE(first && again && other && other_end);
  EXPECT_EQ(first->grammar, again->grammar);
  EXPECT_NE(first->grammar, other->grammar);
  EXPECT_NE(first->grammar, other_end->grammar);
  EXPECT_EQ(&first->grammar->vocabulary(), &other->grammar->vocabulary());
  const GrammarCacheStats stats = cache.stats();
  EXPECT_EQ(stats.compiled, 3);
  EXPECT_EQ(stats.hits, 1);
  EXPECT_EQ(stats.grammars, 3);
  EXPECT_GT(stats.bytes, 0);
  EXPECT_GT(stats.compile_seconds, 0);
}

TEST(GrammarCache, NotesAreKept) {
  GrammarCache cache(mini());
  AnswerRules rules;
  rules.content = AnswerRules::Content::kJson;
  rules.schema = *parse_json(R"({"type": "object", "colour": "red"})");
  for (int i = 0; i < 2; ++i) {
    const auto got = cache.get(rules, {1});
    ASSERT_TRUE(got) << got.error().to_string();
    ASSERT_EQ(got->notes.size(), 1u);
    EXPECT_NE(got->notes[0].where.find("colour"), std::string::npos) << got->notes[0].where;
  }
  EXPECT_EQ(cache.stats().compiled, 1);
}

TEST(GrammarCache, ProblemsAreNotKept) {
  GrammarCache cache(mini());
  AnswerRules rules;
  rules.content = AnswerRules::Content::kRegex;
  rules.pattern = "(";
  for (int i = 0; i < 2; ++i) {
    const auto got = cache.get(rules, {1});
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().where, "regex");
  }
  EXPECT_EQ(cache.stats().refused, 2);
  EXPECT_EQ(cache.stats().grammars, 0);
}

TEST(GrammarCache, TheOldestGoFirst) {
  const int64_t one = [] {
    GrammarCache cache(mini());
    EXPECT_TRUE(cache.get(choice({"text 0"}), {1}));
    return cache.stats().bytes;
  }();
  GrammarCache cache(mini(), {3 * one + one / 2, one + one / 2});
  const auto text = [](int i) { return choice({"text " + std::to_string(i)}); };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(cache.get(text(i), {1}));
  EXPECT_TRUE(cache.get(text(0), {1}));  // used again
  const auto kept = cache.get(text(1), {1});
  EXPECT_EQ(cache.stats().hits, 2);
  EXPECT_TRUE(cache.get(text(3), {1}));  // in the place of 2
  EXPECT_EQ(cache.stats().grammars, 3);
  EXPECT_LE(cache.stats().bytes, 3 * one + one / 2);
  EXPECT_TRUE(cache.get(text(0), {1}));
  EXPECT_TRUE(cache.get(text(1), {1}));
  EXPECT_EQ(cache.stats().hits, 4);
  EXPECT_TRUE(cache.get(text(2), {1}));
  EXPECT_EQ(cache.stats().compiled, 5);
  // One that is too large is made each time.
  std::vector<std::string> many;
  for (int i = 0; i < 2000; ++i)
    many.push_back(std::string(100, static_cast<char>('a' + i % 26)) + std::to_string(i));
  const auto large = cache.get(choice(many), {1});
  ASSERT_TRUE(large);
  EXPECT_GT(large->grammar->bytes(), one + one / 2);
  EXPECT_TRUE(cache.get(choice(many), {1}));
  EXPECT_EQ(cache.stats().compiled, 7);
}

// What has grown since it was kept counts when the next one comes.
TEST(GrammarCache, GrammarsGrow) {
  AnswerRules rules;
  rules.content = AnswerRules::Content::kJson;
  rules.schema = object_schema();
  GrammarCache cache(mini());
  const auto grammar = cache.get(rules, {1});
  ASSERT_TRUE(grammar);
  const int64_t before = cache.stats().bytes;
  grammar::Matcher matcher(grammar->grammar);
  std::vector<uint32_t> bits(grammar->grammar->vocabulary().words());
  for (const int32_t id : mini().tokenizer().encode(R"({"a":[1,2.5,{"b":"text","c":null}]})")) {
    matcher.allow(bits);
    ASSERT_TRUE(matcher.accept(id));
  }
  EXPECT_TRUE(cache.get(choice({"x"}), {1}));
  EXPECT_GT(cache.stats().bytes, before + 1000);
}

TEST(GrammarCache, OthersWaitForTheFirst) {
  GrammarCache cache(mini());
  constexpr int kThreads = 8;
  std::latch ready(kThreads);
  std::vector<std::shared_ptr<grammar::Grammar>> got(kThreads * 3);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      ready.arrive_and_wait();
      for (int i = 0; i < 3; ++i) got[t * 3 + i] = cache.get(choice({"a", std::to_string(i)}), {1})->grammar;
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], got[i % 3]);
  EXPECT_EQ(cache.stats().compiled, 3);
  EXPECT_EQ(cache.stats().hits, kThreads * 3 - 3);
}

}  // namespace
}  // namespace hadal
