// Requests that want the logits of their prompt: each row once, in order, with the bits of a forward pass
// alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <span>

#include "engine/engine_support.h"
#include "engine/faulty_ops.h"

namespace hadal {
namespace {

using namespace test;

Request scored(int64_t prompt, int64_t max_tokens, uint32_t seed) {
  Request r = request(prompt, max_tokens, seed);
  r.prompt_logits = true;
  return r;
}

// Rows of all positions but the last, out of one pass.
std::vector<float> rows_of(const std::vector<int32_t>& prompt, Ops& ops) {
  const int64_t vocab = small_model()->config().vocab_size, n = static_cast<int64_t>(prompt.size());
  SequenceState state(small_model()->state_layout(), ops);
  std::vector<float> rows(static_cast<size_t>(n * vocab));
  const Segment segment{&state, 0, n, LogitsWanted::kAll};
  small_model()->forward(Ctx{ops}, Batch{prompt, {&segment, 1}},
                         {View(rows.data(), DType::kF32, {n, vocab}), {}});
  rows.resize(static_cast<size_t>((n - 1) * vocab));
  return rows;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::ranges::equal(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
}

void expect_scored(const Recorder& got, const Request& r, Ops& ops, const std::string& which = {}) {
  expect_same(got, alone(r, ops), which);
  EXPECT_TRUE(same_bits(got.prompt_logits, rows_of(r.prompt, ops))) << which;
}

TEST(PromptLogits, AreThoseOfOnePass) {
  for (const int64_t chunk : {1, 50, 2000}) {
    const std::vector<int64_t> prompts =
        chunk == 1 ? std::vector<int64_t>{1, 2, 70} : std::vector<int64_t>{1, 2, 64, 65, 66, 129, 300};
    EngineConfig config;
    config.scheduler.chunk_tokens = chunk;
    Bench bench(KvPool::kNoLimit, config);
    for (const int64_t prompt : prompts) {
      const Request r = scored(prompt, 3, static_cast<uint32_t>(prompt));
      const auto sink = bench.submit(r).second;
      bench.engine.drain();
      expect_scored(*sink, r, bench.ops, std::to_string(chunk) + ' ' + std::to_string(prompt));
    }
  }
}

TEST(PromptLogits, AreThoseThatDecodingSees) {
  struct Rows : Recorder {
    bool on_token(const TokenEvent& event) override {
      decoded.insert(decoded.end(), event.logits.begin(), event.logits.end());
      return Recorder::on_token(event);
    }
    std::vector<float> decoded;
  };
  Bench bench;
  const auto wrote = std::make_shared<Rows>();
  const Request first = request(40, 200, 2);
  ASSERT_TRUE(bench.engine.submit(first, wrote));
  bench.engine.drain();
  Request again = scored(1, 1, 1);
  again.prompt = first.prompt;
  again.prompt.insert(again.prompt.end(), wrote->tokens.begin(), wrote->tokens.end());
  const auto read = bench.submit(again).second;
  bench.engine.drain();
  const size_t vocab = static_cast<size_t>(small_model()->config().vocab_size);
  const std::vector<float> rows(read->prompt_logits.begin() + 39 * vocab, read->prompt_logits.end());
  EXPECT_TRUE(same_bits(rows, wrote->decoded));
}

// What a cache has, has no logits; what it computes goes there all the same.
TEST(PromptLogits, UsesNoCacheAndFillsIt) {
  Bench bench(KvPool::kNoLimit, {}, true);
  const Request plain = request(500, 5, 3), with = scored(500, 5, 3);
  for (int i = 0; i < 2; ++i) {
    const auto sink = bench.submit(with).second;
    bench.engine.drain();
    expect_scored(*sink, with, bench.ops);
    EXPECT_EQ(sink->cached, 0);
  }
  const auto sink = bench.submit(plain).second;
  bench.engine.drain();
  expect_same(*sink, alone(plain, bench.ops));
  EXPECT_EQ(sink->cached, 384);
  EXPECT_TRUE(sink->prompt_logits.empty());
}

// Each chunk is interrupted by somebody more important: the same rows come, none of them twice.
TEST(PromptLogits, PreemptionRepeatsNoRow) {
  for (const bool cache : {false, true}) {
    EngineConfig config;
    config.scheduler = {90, 1};
    Bench bench(KvPool::kNoLimit, config, cache);
    const Request r = scored(500, 4, 1);
    const auto sink = bench.submit(r).second;
    std::vector<std::pair<Request, std::shared_ptr<Recorder>>> others;
    for (uint32_t i = 0; i < 6; ++i) {
      bench.engine.step();
      bench.engine.step();
      Request other = i % 2 == 0 ? scored(70, 3, i) : request(70, 3, i);
      other.priority = 1;
      if (i == 2) other.prompt = r.prompt;  // what the cache has of it is still not known to the sink
      others.emplace_back(other, bench.submit(other).second);
      while (!others.back().second->finish) bench.engine.step();
    }
    bench.engine.drain();
    EXPECT_GE(sink->finish->preemptions, 3);
    expect_scored(*sink, r, bench.ops);
    for (const auto& [other, got] : others) {
      expect_same(*got, alone(other, bench.ops));
      EXPECT_TRUE(same_bits(got->prompt_logits,
                            other.prompt_logits ? rows_of(other.prompt, bench.ops) : std::vector<float>()));
    }
    EXPECT_EQ(bench.lost_pieces(), 0);
  }
}

// A batch that fails is computed again, one by one.
TEST(PromptLogits, AStepThatFailsRepeatsNoRow) {
  const int32_t poison = 70;
  CpuOps good(CpuOptions{1, ""});
  FaultyOps ops(poison);
  EngineConfig config;
  config.scheduler = {200, 8};
  KvPool pool(ops);
  Engine engine(small_model(), ops, pool, config);
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (uint32_t i = 0; i < 6; ++i) {
    requests.push_back(scored(30 + 60 * i, 1, i));
    for (int32_t& id : requests.back().prompt) id = id == poison ? 0 : id;
    if (i == 3) requests.back().prompt[170] = poison;
    sinks.push_back(std::make_shared<Recorder>());
    ASSERT_TRUE(engine.submit(requests.back(), sinks.back()));
  }
  engine.drain();
  const size_t vocab = static_cast<size_t>(small_model()->config().vocab_size);
  for (uint32_t i = 0; i < 6; ++i) {
    if (i != 3) {
      expect_scored(*sinks[i], requests[i], good, std::to_string(i));
      continue;
    }
    EXPECT_EQ(sinks[i]->finish->reason, EndReason::kError);
    std::vector<float> rows = rows_of(requests[i].prompt, good);
    ASSERT_LE(sinks[i]->prompt_logits.size(), 170 * vocab);
    rows.resize(sinks[i]->prompt_logits.size());
    EXPECT_TRUE(same_bits(sinks[i]->prompt_logits, rows));
  }
  EXPECT_EQ(pool.live_pieces(), 0);
}

TEST(PromptLogits, ASinkThatFailsEndsItsRequestOnly) {
  struct Failing : Recorder {
    void on_prompt_logits(int64_t position, std::span<const float> logits) override {
      if (position == 70) throw std::runtime_error("enough");
      Recorder::on_prompt_logits(position, logits);
    }
  };
  Bench bench;
  const auto failing = std::make_shared<Failing>();
  ASSERT_TRUE(bench.engine.submit(scored(100, 4, 1), failing));
  const Request r = scored(100, 4, 2);
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  EXPECT_EQ(failing->finish->reason, EndReason::kError);
  EXPECT_THAT(failing->finish->error, testing::HasSubstr("enough"));
  EXPECT_TRUE(failing->tokens.empty());
  expect_scored(*sink, r, bench.ops);
}

TEST(PromptLogits, ASinkThatFailsAtTheStart) {
  struct Failing : Recorder {
    void on_start(int64_t, int64_t) override { throw std::runtime_error("not now"); }
  };
  Bench bench;
  const auto failing = std::make_shared<Failing>();
  ASSERT_TRUE(bench.engine.submit(request(100, 4, 1), failing));
  const Request r = request(100, 4, 2);
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  EXPECT_THAT(failing->finish->error, testing::HasSubstr("not now"));
  EXPECT_EQ(failing->prompt, -1);
  expect_same(*sink, alone(r, bench.ops));
}

// Any chunking, any memory, any company.
RC_GTEST_PROP(PromptLogitsProperty, EveryRowIsAsAlone, ()) {
  const auto number = [](int most) { return *rc::gen::resize(100, rc::gen::inRange(0, most)); };
  EngineConfig config;
  config.scheduler = {1 + number(300), 1 + number(6)};
  Bench bench(state_bytes(1 + number(4), 512) + number(3) * 100'000, config, number(2) == 1);
  std::vector<std::pair<Request, std::shared_ptr<Recorder>>> all;
  const std::vector<int32_t> common = random_ids(number(260), 5);
  for (int i = 1 + number(4); i > 0; --i) {
    Request r = request(1 + number(160), 1 + number(8), static_cast<uint32_t>(number(20)));
    r.prompt.insert(r.prompt.begin(), common.begin(), common.end());
    r.prompt_logits = number(3) > 0;
    r.priority = number(3);
    all.emplace_back(r, bench.submit(r).second);
    for (int step = number(12); step > 0; --step) bench.engine.step();
  }
  bench.engine.drain();
  for (const auto& [r, sink] : all) {
    RC_ASSERT(sink->finish.has_value());
    RC_ASSERT(sink->finish->reason == EndReason::kLength);
    RC_ASSERT(sink->tokens == alone(r, bench.ops).tokens);
    RC_ASSERT(same_bits(sink->prompt_logits,
                        r.prompt_logits ? rows_of(r.prompt, bench.ops) : std::vector<float>()));
  }
  RC_ASSERT(bench.lost_pieces() == 0);
}

}  // namespace
}  // namespace hadal
