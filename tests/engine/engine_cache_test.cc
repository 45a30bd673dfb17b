// The engine over the prefix cache: what it need not compute, it takes; what it gives is the same.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "engine/engine_support.h"
#include "support/files.h"

namespace hadal {
namespace {

using test::alone;
using test::Bench;
using test::expect_same;

// `first` and then `more` other tokens.
Request after(const std::vector<int32_t>& first, int64_t more, int64_t max_tokens, uint32_t seed) {
  Request r = test::request(more, max_tokens, seed);
  r.prompt.insert(r.prompt.begin(), first.begin(), first.end());
  return r;
}

// An engine that is gone has answered it and left what it knew in the folder. Returns what the answer must
// be.
test::Expected answered_before(const Request& r, const std::filesystem::path& folder) {
  Bench bench(KvPool::kNoLimit, {}, true, folder);
  bench.submit(r);
  bench.engine.drain();
  return alone(r, bench.ops);
}

TEST(EngineCache, ASecondTimeOnlyTheRestIsComputed) {
  Bench bench(KvPool::kNoLimit, {}, true);
  const Request r = test::request(500, 20, 3);
  const test::Expected want = alone(r, bench.ops);
  for (const int64_t cached : {0, 384, 384}) {
    const auto sink = bench.submit(r).second;
    bench.engine.drain();
    expect_same(*sink, want);
    EXPECT_EQ(sink->finish->cached_tokens, cached);
  }
  EXPECT_EQ(bench.engine.stats().cache.hits, 2);
}

TEST(EngineCache, AConversationGoesOnWhereItWas) {
  Bench bench(KvPool::kNoLimit, {}, true);
  std::vector<int32_t> text;
  for (uint32_t turn = 1; turn <= 5; ++turn) {
    const Request r = after(text, 70 + 40 * turn, 90, turn);
    const test::Expected want = alone(r, bench.ops);
    const auto sink = bench.submit(r).second;
    bench.engine.drain();
    expect_same(*sink, want);
    // All of the text before, but for what is beyond its last multiple of 128 and the last token, which was
    // sampled and never computed.
    const int64_t before = std::max<int64_t>(0, static_cast<int64_t>(text.size()) - 1);
    EXPECT_EQ(sink->finish->cached_tokens, before / kBlockTokens * kBlockTokens) << turn;
    text = r.prompt;
    text.insert(text.end(), sink->tokens.begin(), sink->tokens.end());
  }
}

TEST(EngineCache, WhatTwoShareAThirdFinds) {
  Bench bench(KvPool::kNoLimit, {}, true);
  const std::vector<int32_t> system = test::random_ids(400, 9);
  for (const auto& [seed, cached] : {std::pair{1u, 0}, {2u, 0}, {3u, 384}, {4u, 384}}) {
    const Request r = after(system, 300, 10, seed);
    const auto sink = bench.submit(r).second;
    bench.engine.drain();
    expect_same(*sink, alone(r, bench.ops));
    EXPECT_EQ(sink->finish->cached_tokens, cached) << seed;
  }
}

TEST(EngineCache, ARestartFindsItOnDisk) {
  const test::TempFolder folder;
  const Request r = test::request(900, 20, 5);
  const test::Expected want = answered_before(r, folder / "kv");
  Bench bench(KvPool::kNoLimit, {}, true, folder / "kv");
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  expect_same(*sink, want);
  EXPECT_EQ(sink->finish->cached_tokens, 896);
  EXPECT_EQ(bench.engine.stats().cache.disk_hits, 1);
}

// Whoever comes later has a higher priority: the first are preempted to the cache, some of it to disk.
TEST(EngineCache, ThePreemptedComeBackOutOfTheCache) {
  const test::TempFolder folder;
  EngineConfig config;
  config.scheduler.max_batch = 2;
  for (const bool disk : {false, true}) {
    Bench bench(test::state_bytes(5, 900), config, true, disk ? folder / "kv" : std::filesystem::path());
    std::vector<std::pair<std::shared_ptr<test::Recorder>, test::Expected>> all;
    for (uint32_t seed = 1; seed <= 6; ++seed) {
      Request r = test::request(300, 100, seed);
      r.priority = static_cast<int>(seed);
      all.emplace_back(bench.submit(r).second, alone(r, bench.ops));
      for (int i = 0; i < 5; ++i) bench.engine.step();
    }
    bench.engine.drain();
    for (const auto& [sink, want] : all) expect_same(*sink, want);
    const EngineStats stats = bench.engine.stats();
    EXPECT_EQ(stats.preemptions, 4);
    EXPECT_GE(stats.resumed_tokens, disk ? 4 * 256 : 256);  // the disk has what memory had no room for
  }
}

// Memory for six to begin and not to grow: some give way, and nobody fails.
TEST(EngineCache, MemoryThatIsShortChangesNothing) {
  Bench bench(test::state_bytes(6, 600), {}, true);
  std::vector<std::pair<std::shared_ptr<test::Recorder>, test::Expected>> all;
  for (uint32_t seed = 1; seed <= 6; ++seed) {
    const Request r = test::request(300, 400, seed);
    all.emplace_back(bench.submit(r).second, alone(r, bench.ops));
  }
  bench.engine.drain();
  for (const auto& [sink, want] : all) expect_same(*sink, want);
  EXPECT_GT(bench.engine.stats().preemptions, 0);
}

// Memory for one sequence and no more: what a match from disk takes must not stand in the way of the state
// it is for.
TEST(EngineCache, AMatchAsLargeAsTheMemory) {
  const test::TempFolder folder;
  const Request r = test::request(700, 60, 4);
  const test::Expected want = answered_before(r, folder / "kv");
  Bench bench(test::state_bytes(1, 900), {}, true, folder / "kv");
  const auto sink = bench.submit(r).second;
  bench.engine.drain();
  expect_same(*sink, want);
}

// Random prompts with common beginnings, memory of any size, with and without disk and restarts.
RC_GTEST_PROP(EngineCacheProperty, EveryAnswerIsAsAlone, ()) {
  const test::TempFolder folder;
  const bool disk = *rc::gen::inRange(0, 2) == 1;
  const auto number = [](int most) { return *rc::gen::resize(100, rc::gen::inRange(0, most)); };
  for (int round = 0; round < 1 + (disk ? 1 : 0); ++round) {
    const int64_t limit = test::state_bytes(1 + number(4), 900) + number(3) * 100'000;
    KvPool pool_after = [&] {
      Bench bench(limit, {}, true, disk ? folder / "kv" : std::filesystem::path());
      std::vector<std::pair<std::shared_ptr<test::Recorder>, test::Expected>> all;
      const int requests = 1 + number(6);
      for (int i = 0; i < requests; ++i) {
        const std::vector<int32_t> common = test::random_ids(number(400), static_cast<uint32_t>(number(2)));
        const Request r = after(common, 1 + number(300), 1 + number(60), static_cast<uint32_t>(number(20)));
        const auto [id, sink] = bench.submit(r);
        if (number(6) == 0)
          bench.engine.cancel(id);
        else
          all.emplace_back(sink, alone(r, bench.ops));
        for (int step = number(12); step > 0; --step) bench.engine.step();
      }
      bench.engine.drain();
      for (const auto& [sink, want] : all) {
        RC_ASSERT(sink->finish.has_value());
        RC_LOG() << end_reason_name(sink->finish->reason) << ' ' << sink->finish->error << '\n';
        RC_ASSERT(sink->tokens == want.tokens);
        RC_ASSERT(sink->finish->reason == want.reason);
      }
      RC_ASSERT(bench.engine.stats().running_bytes == 0);
      return bench.pool;
    }();
    RC_ASSERT(pool_after.live_pieces() == 0);
  }
}

}  // namespace
}  // namespace hadal
