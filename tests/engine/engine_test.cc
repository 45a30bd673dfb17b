#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_support.h"
#include "faulty_ops.h"

namespace hadal {
namespace {

using namespace test;

TEST(Engine, OneRequestIsTheLoopWithoutAnEngine) {
  Bench bench;
  for (const int64_t prompt : {1, 2, 127, 128, 129, 300, 700}) {
    const Request r = request(prompt, 20, static_cast<uint32_t>(prompt));
    const auto [id, sink] = bench.submit(r);
    bench.engine.drain();
    expect_same(*sink, alone(r, bench.ops), std::to_string(prompt));
    EXPECT_EQ(sink->prefilled, prompt);
    EXPECT_EQ(sink->finish->prompt_tokens, prompt);
  }
  EXPECT_FALSE(bench.engine.step());
}

TEST(Engine, SixtyFourSequencesOfMixedLengthsAreEachAsAlone) {
  EngineConfig config;
  config.scheduler = {200, 64};
  Bench bench(KvPool::kNoLimit, config);
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (uint32_t i = 0; i < 64; ++i) {
    Request r = request(1 + (i * 37) % 290, 1 + (i * 13) % 70, i);
    for (int32_t id = 0; id < static_cast<int32_t>(i % 8); ++id) r.end_ids.push_back(id * 7);
    requests.push_back(r);
    sinks.push_back(bench.submit(r).second);
    if (i % 3 == 0) bench.engine.step();  // some come while others run
  }
  bench.engine.drain();
  for (size_t i = 0; i < requests.size(); ++i)
    expect_same(*sinks[i], alone(requests[i], bench.ops), std::to_string(i));
  const EngineStats stats = bench.engine.stats();
  EXPECT_EQ(stats.submitted, 64);
  EXPECT_EQ(stats.finished[size_t(EndReason::kLength)] + stats.finished[size_t(EndReason::kStop)], 64);
  EXPECT_EQ(stats.running + stats.waiting, 0);
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

TEST(Engine, PreemptionChangesNoToken) {
  EngineConfig config;
  config.scheduler = {128, 16};
  // Room for eight to begin, and not for them to grow.
  Bench bench(state_bytes(8, 1) + 4 * small_model()->state_layout().block_bytes, config);
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (uint32_t i = 0; i < 16; ++i) {
    Request r = request(20 + (i * 61) % 200, 150 + (i * 17) % 100, i);
    r.priority = static_cast<int>(i % 3);
    requests.push_back(r);
    sinks.push_back(bench.submit(r).second);
    bench.engine.step();
  }
  bench.engine.drain();
  EXPECT_GT(bench.engine.stats().preemptions, 2);
  for (size_t i = 0; i < requests.size(); ++i)
    expect_same(*sinks[i], alone(requests[i], bench.ops), std::to_string(i));
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

TEST(Engine, RefusesWhatMakesNoSense) {
  Bench bench(state_bytes(1, 640));
  const auto where = [&](Request r) {
    const Result<RequestId> id = bench.engine.submit(std::move(r), std::make_shared<Recorder>());
    return id ? std::string("taken") : id.error().to_string();
  };
  EXPECT_THAT(where(request(0, 5)), testing::StartsWith("prompt: "));
  Request r = request(5, 5);
  r.prompt[3] = 320;
  EXPECT_EQ(where(r), "prompt[3]: expected a token id from 0 to 319, found 320");
  r.prompt[3] = -1;
  EXPECT_THAT(where(r), testing::StartsWith("prompt[3]: "));
  r = request(5, 0);
  EXPECT_THAT(where(r), testing::StartsWith("max_tokens: "));
  r = request(5, 5);
  r.sampling.temperature = -1;
  EXPECT_THAT(where(r), testing::StartsWith("temperature: "));
  r = request(5, 5);
  r.end_ids = {1, 400};
  EXPECT_THAT(where(r), testing::StartsWith("end_ids[1]: "));
  r = request(5, 5);
  r.allowed = std::make_shared<std::vector<uint32_t>>(3);
  EXPECT_THAT(where(r), testing::StartsWith("allowed: "));
  EXPECT_THAT(where(request(small_model()->config().max_position_embeddings, 5)),
              testing::StartsWith("prompt: "));
  // Memory.
  EXPECT_THAT(where(request(600, 41)), testing::HasSubstr(" MiB of state for 641 tokens, the engine has "));
  EXPECT_THAT(where(request(700, 1)), testing::StartsWith("max_tokens: needs "));
  r = request(700, 1);
  r.max_tokens.reset();
  EXPECT_THAT(where(r), testing::StartsWith("prompt: needs "));
  EXPECT_EQ(where(request(600, 40)), "taken");
  EXPECT_FALSE(bench.engine.stats().submitted);
}

TEST(Engine, WithoutALimitTheAnswerFillsTheMemory) {
  Bench bench(state_bytes(1, 384));
  Request r = request(100, 1);
  r.max_tokens.reset();
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  r.max_tokens = 284;
  expect_same(*sink, alone(r, bench.ops));
}

TEST(Engine, TheLimitOfTheModelEndsAnAnswer) {
  Config config = Config::load(kSmallModel);
  config.max_position_embeddings = 50;
  Weights weights = Weights::load(Checkpoint::open(kSmallModel), config);
  CpuOps ops(CpuOptions{1, ""});
  Engine engine(std::make_shared<Model>(config, std::move(weights), Numerics::kRelease), ops, KvPool(ops));
  for (const std::optional<int64_t> max_tokens : {std::optional<int64_t>(), std::optional<int64_t>(10)}) {
    Request r = request(47, 3);
    const Expected want = alone(r, ops);
    r.max_tokens = max_tokens;
    const auto sink = std::make_shared<Recorder>();
    ASSERT_TRUE(engine.submit(r, sink));
    engine.drain();
    expect_same(*sink, want);
  }
  EXPECT_FALSE(engine.submit(request(50, 1), std::make_shared<Recorder>()));
}

TEST(Engine, CancelsInEveryPhase) {
  EngineConfig config;
  config.scheduler = {64, 2};
  Bench bench(KvPool::kNoLimit, config);
  const auto [waits, waiting] = bench.submit(request(10, 10, 1));
  bench.engine.cancel(waits);  // before any step
  const auto [reads, reading] = bench.submit(request(600, 10, 2));
  const auto [writes, writing] = bench.submit(request(10, 500, 3));
  const auto [last, kept] = bench.submit(request(10, 10, 4));  // waits behind the two
  for (int i = 0; i < 3; ++i) bench.engine.step();
  bench.engine.cancel(reads);
  for (int i = 0; i < 3; ++i) bench.engine.step();
  bench.engine.cancel(writes);
  bench.engine.cancel(writes);
  bench.engine.cancel(12345);
  bench.engine.drain();
  for (const auto& sink : {waiting, reading, writing}) {
    ASSERT_TRUE(sink->finish);
    EXPECT_EQ(sink->finish->reason, EndReason::kCancelled);
  }
  EXPECT_EQ(waiting->prompt, -1);
  EXPECT_EQ(reading->prefilled, 192);
  EXPECT_GT(writing->tokens.size(), 0u);
  expect_same(*kept, alone(request(10, 10, 4), bench.ops));
  bench.engine.cancel(last);
  EXPECT_FALSE(bench.engine.stats().running);
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

TEST(Engine, DeadlinesByTheClockItWasGiven) {
  TimePoint now{};
  now += std::chrono::hours(1);
  EngineConfig config;
  config.clock = [&now] { return now; };
  config.scheduler = {512, 2};
  Bench bench(KvPool::kNoLimit, config);
  const auto submit = [&](int64_t max_tokens, int64_t seconds, uint32_t seed) {
    Request r = request(10, max_tokens, seed);
    r.deadline = now + std::chrono::seconds(seconds);
    return bench.submit(r).second;
  };
  const auto slow = submit(100, 10, 1), quick = submit(3, 10, 2), never = submit(5, 4, 3),
             late = submit(5, 0, 4);
  bench.engine.step();
  EXPECT_TRUE(late->finish);
  now += std::chrono::seconds(4);
  bench.engine.step();
  ASSERT_TRUE(never->finish);  // it never ran
  EXPECT_EQ(never->finish->reason, EndReason::kDeadline);
  EXPECT_EQ(never->finish->queue_seconds, 4);
  for (int i = 0; i < 5; ++i) bench.engine.step();
  expect_same(*quick, alone(request(10, 3, 2), bench.ops));
  EXPECT_FALSE(slow->finish);
  now += std::chrono::seconds(6);
  bench.engine.drain();
  ASSERT_TRUE(slow->finish);
  EXPECT_EQ(slow->finish->reason, EndReason::kDeadline);
  EXPECT_EQ(slow->finish->decode_seconds, 10);
  EXPECT_EQ(slow->tokens.size(), 7u);
}

TEST(Engine, PrefillSlowsOthersByAChunkAtMost) {
  EngineConfig config;
  config.scheduler = {128, 8};
  Bench bench(KvPool::kNoLimit, config);
  const auto quick = bench.submit(request(5, 40, 1)).second;
  bench.engine.step();
  const auto big = bench.submit(request(1500, 2, 2)).second;
  size_t tokens = quick->tokens.size();
  int64_t read = 0;
  while (!quick->finish) {
    bench.engine.step();
    ASSERT_EQ(quick->tokens.size(), ++tokens);  // one every step
    ASSERT_LE(big->prefilled - read, 128);
    read = big->prefilled;
  }
  bench.engine.drain();
  expect_same(*big, alone(request(1500, 2, 2), bench.ops));
}

struct FailingSink : EventSink {
  enum class Where { kPrefill, kToken, kFinish };
  explicit FailingSink(Where w) : where(w) {}
  void on_prefill(int64_t, int64_t) override {
    if (where == Where::kPrefill) throw std::runtime_error("the pipe is broken");
  }
  bool on_token(const TokenEvent&) override {
    if (where == Where::kToken) throw std::runtime_error("the pipe is broken");
    return true;
  }
  void on_finish(const FinishInfo& info) override {
    finish = info;
    if (where == Where::kFinish) throw std::runtime_error("the pipe is broken");
  }
  Where where;
  std::optional<FinishInfo> finish;
};

TEST(Engine, ASinkThatFailsEndsItsRequestOnly) {
  Bench bench;
  using Where = FailingSink::Where;
  std::vector<std::shared_ptr<FailingSink>> failing;
  for (const Where where : {Where::kPrefill, Where::kToken, Where::kFinish}) {
    failing.push_back(std::make_shared<FailingSink>(where));
    ASSERT_TRUE(bench.engine.submit(request(30, 10, 1), failing.back()));
  }
  const auto good = bench.submit(request(30, 10, 2)).second;
  bench.engine.drain();
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(failing[i]->finish);
    EXPECT_EQ(failing[i]->finish->reason, EndReason::kError);
    EXPECT_THAT(failing[i]->finish->error, testing::HasSubstr("the pipe is broken"));
  }
  EXPECT_EQ(failing[2]->finish->reason, EndReason::kLength);
  expect_same(*good, alone(request(30, 10, 2), bench.ops));
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

TEST(Engine, ASinkMayStopAndSubmitMore) {
  Bench bench;
  struct Chain : EventSink {
    explicit Chain(Engine& e) : engine(e) {}
    bool on_token(const TokenEvent&) override { return ++tokens < 3; }
    void on_finish(const FinishInfo& info) override {
      reason = info.reason;
      EXPECT_TRUE(engine.submit(request(5, 4, 9), next));
    }
    Engine& engine;
    int tokens = 0;
    EndReason reason = EndReason::kError;
    std::shared_ptr<Recorder> next = std::make_shared<Recorder>();
  };
  const auto chain = std::make_shared<Chain>(bench.engine);
  ASSERT_TRUE(bench.engine.submit(request(20, 50, 1), chain));
  bench.engine.drain();
  EXPECT_EQ(chain->tokens, 3);
  EXPECT_EQ(chain->reason, EndReason::kStop);
  expect_same(*chain->next, alone(request(5, 4, 9), bench.ops));
}

TEST(Engine, TheMaskDecidesWhatIsSampled) {
  Bench bench;
  Request r = request(20, 30, 1);
  auto mask = std::make_shared<std::vector<uint32_t>>(10);
  (*mask)[2] = 0xff;  // 64 to 71
  r.allowed = mask;
  const auto sink = bench.submit(r).second;
  Request nothing = request(20, 30, 1);
  nothing.allowed = std::make_shared<std::vector<uint32_t>>(10);
  const auto refused = bench.submit(nothing).second;
  bench.engine.drain();
  expect_same(*sink, alone(r, bench.ops));
  for (const int32_t id : sink->tokens) EXPECT_TRUE(id >= 64 && id < 72);
  ASSERT_TRUE(refused->finish);
  EXPECT_EQ(refused->finish->reason, EndReason::kError);
  EXPECT_THAT(refused->finish->error, testing::HasSubstr("no token can be chosen"));
}

TEST(Engine, WhatIsLeftWhenItGoesAwayIsCancelled) {
  std::shared_ptr<Recorder> running, waiting;
  {
    Bench bench;
    running = bench.submit(request(20, 100, 1)).second;
    for (int i = 0; i < 4; ++i) bench.engine.step();
    waiting = bench.submit(request(20, 100, 2)).second;
  }
  ASSERT_TRUE(running->finish && waiting->finish);
  EXPECT_EQ(running->tokens.size(), 4u);
  EXPECT_EQ(running->finish->reason, EndReason::kCancelled);
  EXPECT_EQ(waiting->finish->reason, EndReason::kCancelled);
}

TEST(Engine, AStepThatFailsEndsTheRequestsAtFaultOnly) {
  CpuOps good(CpuOptions{1, ""});
  for (const int32_t poison : {7, 70, 200}) {
    FaultyOps ops(poison);
    EngineConfig config;
    config.scheduler = {64, 8};
    KvPool pool(ops);
    Engine engine(small_model(), ops, pool, config);
    std::vector<Request> requests;
    std::vector<std::shared_ptr<Recorder>> sinks;
    for (uint32_t i = 0; i < 8; ++i) {
      // In the prompt of number 3; others may sample it.
      requests.push_back(request(10 + 45 * i, 30, i));
      for (int32_t& id : requests.back().prompt) id = id == poison ? 0 : id;
      if (i == 3) requests.back().prompt[100] = poison;
      sinks.push_back(std::make_shared<Recorder>());
      ASSERT_TRUE(engine.submit(requests.back(), sinks.back()));
      engine.step();
    }
    engine.drain();
    for (uint32_t i = 0; i < 8; ++i) {
      Expected want = alone(requests[i], good);
      // Up to the fault everything is right; the token itself was still sampled.
      if (i == 3) want.tokens.clear();
      if (const auto fault = std::find(want.tokens.begin(), want.tokens.end(), poison);
          fault != want.tokens.end())
        want.tokens.erase(fault + 1, want.tokens.end());
      if (want.tokens.size() < 30) want.reason = EndReason::kError;
      expect_same(*sinks[i], want, std::to_string(poison) + ' ' + std::to_string(i));
      EXPECT_EQ(sinks[i]->finish->error, want.reason == EndReason::kError ? "expert 3 has bad scales" : "");
    }
    EXPECT_GE(engine.stats().finished[size_t(EndReason::kError)], 1);
    EXPECT_GE(engine.stats().finished[size_t(EndReason::kLength)], 4);
    EXPECT_EQ(pool.live_pieces(), 0);
  }
}

// Somebody else holds a part of the pool: the engine makes do with the rest, or says so.
TEST(Engine, MemoryThatOthersHold) {
  Bench bench(state_bytes(2, 512));
  const KvPiece taken = bench.pool.allocate(state_bytes(1, 256));
  std::vector<Request> requests;
  std::vector<std::shared_ptr<Recorder>> sinks;
  for (uint32_t i = 0; i < 4; ++i) {
    requests.push_back(request(100, 200, i));
    sinks.push_back(bench.submit(requests.back()).second);
  }
  bench.engine.drain();
  for (size_t i = 0; i < 4; ++i) expect_same(*sinks[i], alone(requests[i], bench.ops), std::to_string(i));
  const KvPiece rest = bench.pool.allocate(state_bytes(1, 512));
  const auto sink = bench.submit(request(100, 200, 1)).second;
  bench.engine.drain();
  ASSERT_TRUE(sink->finish);
  EXPECT_EQ(sink->finish->reason, EndReason::kError);
  EXPECT_THAT(sink->finish->error, testing::HasSubstr("memory"));
}

TEST(Engine, StatisticsAddUp) {
  EngineConfig config;
  config.scheduler = {128, 4};
  Bench bench(KvPool::kNoLimit, config);
  for (uint32_t i = 0; i < 6; ++i) bench.submit(request(150, 10, i));
  bench.engine.step();
  EngineStats stats = bench.engine.stats();
  EXPECT_EQ(stats.running + stats.waiting, 6);
  EXPECT_GT(stats.running_bytes, 0);
  bench.engine.drain();
  stats = bench.engine.stats();
  EXPECT_EQ(stats.submitted, 6);
  EXPECT_EQ(stats.finished[size_t(EndReason::kLength)], 6);
  EXPECT_EQ(stats.prompt_tokens, 900);
  EXPECT_EQ(stats.generated_tokens, 60);
  EXPECT_EQ(stats.prefilled_tokens + stats.decoded_tokens, 900 + 6 * 9);
  int64_t steps = 0;
  for (const int64_t n : stats.batch_sequences.count) steps += n;
  EXPECT_EQ(steps, stats.steps);
  EXPECT_EQ(stats.batch_sequences.count[4], 0);  // never more than four
  EXPECT_GT(stats.seconds.forward, 0);
  EXPECT_EQ(stats.running_bytes, 0);
  EXPECT_EQ(stats.memory_used, 0);
}

}  // namespace
}  // namespace hadal
