// Answers that must fit something: what the engine does with a TokenConstraint.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine_support.h"
#include "sample/grammar/grammar.h"
#include "text/small_tokenizer.h"

namespace hadal {
namespace {

using namespace test;

// Tokens in turns of three, beginning with 10, 11, 12; each turn allows some more. Every `forced_every` turns
// the next ones are forced.
class Turns : public TokenConstraint {
 public:
  void allow(std::span<uint32_t> bits) override {
    std::ranges::fill(bits, 0u);
    for (int32_t id = first(); id < first() + 3; ++id) grammar::set_bit(bits, id);
    if (length() == fail_at) fail(ErrorCode::kInvalidInput, "the rules are too complex");
  }
  bool accept(int32_t id) override {
    if (id < first() || id >= first() + 3 || length() == refuse_at) return false;
    ids.push_back(id);
    return true;
  }
  std::vector<int32_t> forced() override {
    if (forced_every == 0 || length() % forced_every != forced_every - 1) return {};
    std::vector<int32_t> next;
    for (int64_t i = 0; i < force; ++i)
      next.push_back(10 + 3 * static_cast<int32_t>((ids.size() + next.size()) % 90) +
                     static_cast<int32_t>(i % 3));
    return next;
  }
  int64_t length() const override { return static_cast<int64_t>(ids.size()); }
  void rewind(int64_t to) override { ids.resize(static_cast<size_t>(to)); }
  std::unique_ptr<TokenConstraint> fork() const override { return std::make_unique<Turns>(*this); }

  int32_t first() const { return 10 + 3 * static_cast<int32_t>(ids.size() % 90); }

  std::vector<int32_t> ids;
  int64_t fail_at = -1, refuse_at = -1;
  int64_t forced_every = 0, force = 0;
};

Request in_turns(Request r, int64_t fail_at = -1, int64_t refuse_at = -1) {
  auto turns = std::make_shared<Turns>();
  turns->fail_at = fail_at;
  turns->refuse_at = refuse_at;
  r.constraint = std::move(turns);
  return r;
}

TEST(EngineConstraint, EveryTokenIsOneThatItAllows) {
  Bench bench;
  const Request r = in_turns(request(20, 100, 2));
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  expect_same(*sink, alone(r, bench.ops));
  for (size_t i = 0; i < sink->tokens.size(); ++i) {
    const int32_t first = 10 + 3 * static_cast<int32_t>(i % 90);
    EXPECT_TRUE(sink->tokens[i] >= first && sink->tokens[i] < first + 3) << i;
  }
  const EngineStats stats = bench.engine.stats();
  EXPECT_EQ(stats.masked_tokens, 100);
  EXPECT_GT(stats.seconds.mask, 0);
  // The request's own constraint is where it was: it may be used for another answer.
  EXPECT_EQ(r.constraint->length(), 0);
}

TEST(EngineConstraint, AlsoWithinTheMask) {
  Bench bench;
  Request r = in_turns(request(20, 30, 1));
  auto odd = std::make_shared<std::vector<uint32_t>>(10, 0xAAAAAAAAu);
  r.allowed = odd;
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  ASSERT_EQ(sink->tokens.size(), 30u);
  for (const int32_t id : sink->tokens) EXPECT_EQ(id % 2, 1);
  // Nothing is left of the two together.
  auto none = std::make_shared<std::vector<uint32_t>>(10);
  grammar::set_bit(*none, 300);
  r.allowed = none;
  const auto stuck = bench.submit(r).second;
  bench.engine.drain();
  ASSERT_TRUE(stuck->finish);
  EXPECT_EQ(stuck->finish->reason, EndReason::kError);
  EXPECT_THAT(stuck->finish->error, ::testing::HasSubstr("no token can be chosen"));
}

TEST(EngineConstraint, AnErrorEndsItsRequestAlone) {
  Bench bench;
  const auto complex = bench.submit(in_turns(request(20, 30, 1), 5)).second;
  const auto refused = bench.submit(in_turns(request(20, 30, 2), -1, 7)).second;
  const Request plain = request(20, 30, 3), within = in_turns(request(20, 30, 4));
  const auto good = bench.submit(plain).second, also = bench.submit(within).second;
  bench.engine.drain();
  ASSERT_TRUE(complex->finish && refused->finish);
  EXPECT_EQ(complex->finish->reason, EndReason::kError);
  EXPECT_EQ(complex->finish->error, "the rules are too complex");
  EXPECT_EQ(complex->tokens.size(), 5u);
  EXPECT_EQ(refused->finish->reason, EndReason::kError);
  EXPECT_EQ(refused->tokens.size(), 7u);
  expect_same(*good, alone(plain, bench.ops));
  expect_same(*also, alone(within, bench.ops));
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

Request forced(Request r, int64_t every, int64_t force) {
  auto turns = std::make_shared<Turns>();
  turns->forced_every = every;
  turns->force = force;
  r.constraint = std::move(turns);
  return r;
}

TEST(EngineConstraint, ForcedTokensAreComputedTogether) {
  Bench bench;
  Request r = forced(request(20, 100, 2), 5, 4);
  const auto slow = bench.submit(r).second;
  bench.engine.drain();
  expect_same(*slow, alone(r, bench.ops));
  EXPECT_EQ(slow->with_logits, 100);
  EXPECT_EQ(bench.engine.stats().steps, 100);
  r.token_logits = false;
  const auto quick = bench.submit(r).second;
  bench.engine.drain();
  EXPECT_EQ(quick->tokens, slow->tokens);
  EXPECT_EQ(quick->finish->reason, EndReason::kLength);
  const EngineStats stats = bench.engine.stats();
  EXPECT_EQ(stats.forced_tokens, 2 * (100 - stats.masked_tokens / 2));
  EXPECT_EQ(quick->with_logits, stats.masked_tokens / 2);
  EXPECT_LT(stats.steps, 100 + 70);
  // The last tokens of an answer are not computed.
  EXPECT_LE(stats.decoded_tokens, 198);
  EXPECT_GE(stats.decoded_tokens, 198 - 5);
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

TEST(EngineConstraint, ForcedTokensAreBound) {
  Bench bench;
  // By the limit of tokens, by the mask of the request, by an end id among them, and by their own number.
  Request r = forced(request(20, 50, 3), 1, 1000);
  r.token_logits = false;
  const auto all = bench.submit(r).second;
  bench.engine.drain();
  ASSERT_EQ(all->tokens.size(), 50u);
  EXPECT_EQ(bench.engine.stats().steps, 2);
  for (size_t i = 0; i < 50; ++i)
    EXPECT_EQ(all->tokens[i], 10 + 3 * static_cast<int32_t>(i) + static_cast<int32_t>(i % 3));
  r.end_ids = {all->tokens[7]};
  const auto ended = bench.submit(r).second;
  bench.engine.drain();
  EXPECT_EQ(ended->tokens.size(), 7u);
  EXPECT_EQ(ended->finish->reason, EndReason::kStop);
  r.end_ids.clear();
  auto even = std::make_shared<std::vector<uint32_t>>(10, 0x55555555u);
  r.allowed = even;
  const auto masked = bench.submit(r).second;
  bench.engine.drain();
  ASSERT_EQ(masked->tokens.size(), 50u);
  for (const int32_t id : masked->tokens) EXPECT_EQ(id % 2, 0);
}

TEST(EngineConstraint, OthersInTheBatchAreAsAlone) {
  EngineConfig config;
  config.scheduler = {128, 16};
  // Room for eight to begin, and not for them to grow: some give way and come back.
  Bench bench(state_bytes(8, 1) + 4 * small_model()->state_layout().block_bytes, config, true);
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (uint32_t i = 0; i < 16; ++i) {
    Request r = request(20 + (i * 61) % 200, 150 + (i * 17) % 100, i);
    r.priority = static_cast<int>(i % 3);
    if (i % 2 == 0) r = in_turns(std::move(r));
    if (i % 4 == 1) r = forced(std::move(r), 3 + i, 1 + 3 * i);
    r.token_logits = i % 3 == 0;
    requests.push_back(r);
    sinks.push_back(bench.submit(r).second);
    bench.engine.step();
  }
  bench.engine.drain();
  EXPECT_GT(bench.engine.stats().preemptions, 2);
  for (size_t i = 0; i < requests.size(); ++i)
    expect_same(*sinks[i], alone(requests[i], bench.ops), std::to_string(i));
}

TEST(EngineConstraint, AGrammarEndsTheAnswer) {
  Bench bench;
  const Tokenizer tokenizer = Tokenizer::parse(hadal::testing::small_tokenizer_json().dump(), "small");
  const auto vocabulary = std::make_shared<const grammar::Vocabulary>(
      tokenizer, static_cast<int32_t>(small_model()->config().vocab_size));
  const std::vector<std::string> choices = {"hello", "hello world", "he said 123", "b"};
  const auto compiled = grammar::choice_grammar(vocabulary, {1}, choices);
  ASSERT_TRUE(compiled) << compiled.error().to_string();
  std::set<std::string> seen;
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (uint32_t i = 0; i < 40; ++i) {
    Request r = request(10 + i, 20, i);
    r.sampling.temperature = 2;
    r.end_ids = {1};
    r.constraint = std::make_shared<grammar::Matcher>(*compiled);
    sinks.push_back(bench.submit(r).second);
  }
  bench.engine.drain();
  for (const auto& sink : sinks) {
    std::string text;
    for (const int32_t id : sink->tokens) text += tokenizer.token_bytes(id);
    EXPECT_THAT(choices, ::testing::Contains(text));
    ASSERT_TRUE(sink->finish);
    EXPECT_EQ(sink->finish->reason, EndReason::kStop);
    EXPECT_EQ(sink->finish->end_id, 1);
    seen.insert(text);
  }
  EXPECT_GT(seen.size(), 1u);
}

}  // namespace
}  // namespace hadal
