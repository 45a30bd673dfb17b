// Thousands of short requests that come, are cancelled, run out of time and out of memory. Afterwards nothing
// is left but what the cache holds. HADAL_SOAK_REQUESTS sets how many.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "engine_support.h"
#include "support/files.h"

namespace hadal {
namespace {

using namespace test;

int64_t soak_requests() {
  const char* text = std::getenv("HADAL_SOAK_REQUESTS");
  return text != nullptr ? std::atoll(text) : 1500;
}

TEST(EngineSoak, RandomRequestsLeaveNothingBehind) {
  TimePoint now{};
  now += std::chrono::hours(1);
  EngineConfig config;
  config.scheduler = {96, 12};
  config.clock = [&now] { return now; };
  // Room for six short sequences or two of the longest.
  const TempFolder folder;
  Bench bench(state_bytes(6, 128), config, true, folder / "kv");

  std::vector<Request> kinds;
  std::vector<Expected> want;
  for (uint32_t i = 0; i < 48; ++i) {
    Request r = request(i % 8 == 0 ? 100 + 3 * i : 1 + i % 13, 1 + i % 5, i);
    r.priority = static_cast<int>(i % 3);
    for (int32_t id = 0; id < static_cast<int32_t>(i % 4) * 16; ++id) r.end_ids.push_back(id);
    kinds.push_back(r);
    want.push_back(alone(r, bench.ops));
  }

  struct Sent {
    size_t kind = 0;
    RequestId id = 0;
    std::shared_ptr<Recorder> sink;
  };
  std::vector<Sent> open;
  std::array<int64_t, 5> ends{};
  std::mt19937 random(1);
  const auto check_finished = [&] {
    std::erase_if(open, [&](const Sent& sent) {
      if (!sent.sink->finish) return false;
      const EndReason reason = sent.sink->finish->reason;
      ++ends[static_cast<size_t>(reason)];
      const std::vector<int32_t>& all = want[sent.kind].tokens;
      const std::vector<int32_t>& got = sent.sink->tokens;
      if (reason == EndReason::kCancelled || reason == EndReason::kDeadline) {
        EXPECT_TRUE(got.size() <= all.size() && std::equal(got.begin(), got.end(), all.begin()));
      } else {
        expect_same(*sent.sink, want[sent.kind]);
      }
      return true;
    });
  };
  const int64_t total = soak_requests();
  for (int64_t sent = 0; sent < total;) {
    // Bursts, so that the queue is sometimes long and sometimes empty.
    const int64_t burst = std::min<int64_t>(total - sent, random() % 40);
    for (int64_t i = 0; i < burst; ++i, ++sent) {
      const size_t kind = random() % kinds.size();
      Request r = kinds[kind];
      if (random() % 10 == 0) r.deadline = now + std::chrono::milliseconds(random() % 40);
      const auto [id, sink] = bench.submit(r);
      if (random() % 20 == 0) bench.engine.cancel(id);
      open.push_back({kind, id, sink});
    }
    for (int64_t steps = random() % 50; steps > 0; --steps) {
      now += std::chrono::milliseconds(1);
      if (!open.empty() && random() % 15 == 0) bench.engine.cancel(open[random() % open.size()].id);
      if (!bench.engine.step()) break;
      ASSERT_LE(bench.pool.used_bytes(), bench.pool.limit_bytes());
      check_finished();
    }
    if (HasFailure()) return;
  }
  bench.engine.drain();
  check_finished();
  EXPECT_TRUE(open.empty());
  const EngineStats stats = bench.engine.stats();
  EXPECT_EQ(stats.submitted, total);
  EXPECT_EQ(stats.finished, ends);
  EXPECT_EQ(ends[size_t(EndReason::kError)], 0);
  if (total >= 1000) {
    for (const EndReason reason :
         {EndReason::kStop, EndReason::kLength, EndReason::kCancelled, EndReason::kDeadline})
      EXPECT_GT(ends[size_t(reason)], 10) << end_reason_name(reason);
  }
  EXPECT_EQ(stats.running_bytes, 0);
  EXPECT_EQ(bench.lost_pieces(), 0);
  EXPECT_GT(stats.cache.hits, 0);
}

}  // namespace
}  // namespace hadal
