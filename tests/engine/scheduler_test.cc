#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hadal {
namespace {

using Sequence = ScheduledSequence;

constexpr MemoryShape kShape{100, 10, 128};
constexpr int64_t kPlenty = 1 << 30;

Sequence sequence(uint64_t id, int64_t length, int64_t known, int priority = 0) {
  Sequence s;
  s.id = s.arrival = id;
  s.priority = priority;
  s.length = length;
  s.known = known;
  s.most = known + 1000;
  s.held = kShape.bytes(length);
  return s;
}

std::vector<std::pair<uint64_t, int64_t>> work(const Plan& plan) {
  std::vector<std::pair<uint64_t, int64_t>> out;
  for (const Plan::Work& w : plan.work) out.emplace_back(w.id, w.tokens);
  return out;
}
using Work = std::vector<std::pair<uint64_t, int64_t>>;
using Ids = std::vector<uint64_t>;

Plan plan(const std::vector<Sequence>& running, const std::vector<Sequence>& waiting,
          int64_t available = kPlenty, SchedulerConfig config = {256, 8}) {
  return make_plan(config, kShape, {running, waiting, available});
}

TEST(Scheduler, NothingToDo) {
  EXPECT_TRUE(plan({}, {}).empty());
}

TEST(Scheduler, DecodersGetOneTokenAndPrefillTheChunk) {
  const Plan p = plan({sequence(1, 500, 501), sequence(2, 0, 1000), sequence(3, 9, 10)}, {});
  EXPECT_EQ(work(p), (Work{{1, 1}, {2, 256}, {3, 1}}));
}

TEST(Scheduler, WhatTheLastStepGaveIsComputedAtOnce) {
  Sequence fresh = sequence(3, 100, 104);
  fresh.fresh = 4;
  EXPECT_EQ(work(plan({sequence(1, 0, 1000), fresh}, {})), (Work{{1, 256}, {3, 4}}));
  fresh.fresh = 3;  // after a preemption it waits for its turn
  EXPECT_EQ(work(plan({sequence(1, 0, 1000), fresh}, {})), (Work{{1, 256}}));
  fresh.fresh = 4;
  fresh.stop_at = 102;
  EXPECT_EQ(work(plan({fresh}, {})), (Work{{3, 2}}));
  // Where all of it needs a block that is not there, one of it is better than none.
  Sequence long_one = sequence(1, 126, 130);
  long_one.fresh = 4;
  EXPECT_EQ(work(plan({long_one}, {}, 9)), (Work{{1, 1}}));
  EXPECT_EQ(work(plan({long_one}, {}, 10)), (Work{{1, 4}}));
}

TEST(Scheduler, ChunksEndAtBlocks) {
  EXPECT_EQ(work(plan({sequence(1, 100, 1000)}, {})), (Work{{1, 156}}));                 // 256
  EXPECT_EQ(work(plan({sequence(1, 128, 384)}, {})), (Work{{1, 256}}));                  // the end is one
  EXPECT_EQ(work(plan({sequence(1, 0, 200)}, {})), (Work{{1, 200}}));                    // finished
  EXPECT_EQ(work(plan({sequence(1, 0, 1000)}, {}, kPlenty, {50, 8})), (Work{{1, 50}}));  // none in reach
  EXPECT_EQ(work(plan({sequence(1, 100, 1000)}, {}, kPlenty, {50, 8})), (Work{{1, 28}}));
  // The rest of the chunk goes to who can use it: 2 cannot reach a block, 3 can finish.
  EXPECT_EQ(work(plan({sequence(1, 0, 200), sequence(2, 0, 1000), sequence(3, 0, 50)}, {})),
            (Work{{1, 200}, {3, 50}}));
}

TEST(Scheduler, ChunksStopWhereAsked) {
  Sequence s = sequence(1, 10, 1000);
  s.stop_at = 77;
  EXPECT_EQ(work(plan({s}, {})), (Work{{1, 67}}));
  s.stop_at = 200;
  EXPECT_EQ(work(plan({s}, {})), (Work{{1, 190}}));
  s.stop_at = 700;
  EXPECT_EQ(work(plan({s}, {})), (Work{{1, 246}}));
}

TEST(Scheduler, AdmitsInOrderOfPriorityThenArrival) {
  const Plan p =
      plan({}, {sequence(3, 0, 20), sequence(1, 0, 20), sequence(2, 0, 20), sequence(9, 0, 20, 1)});
  EXPECT_EQ(p.admit, (Ids{9, 1, 2, 3}));
  EXPECT_EQ(work(p), (Work{{9, 20}, {1, 20}, {2, 20}, {3, 20}}));
}

TEST(Scheduler, AdmitsNobodyWithoutWorkForThem) {
  const Plan p = plan({sequence(1, 0, 1000)}, {sequence(2, 0, 20), sequence(3, 0, 20, 1), sequence(4, 5, 6)});
  EXPECT_EQ(p.admit, (Ids{3}));  // goes first; 2 has to wait for the prompt of 1, and 4 for 2
  EXPECT_EQ(work(p), (Work{{3, 20}, {1, 128}}));
}

TEST(Scheduler, AdmissionKeepsABlockForEveryone) {
  // 1 holds a block and may need one more; 2 needs 100 for itself and two blocks.
  const std::vector<Sequence> running = {sequence(1, 50, 51)}, waiting = {sequence(2, 0, 20)};
  EXPECT_TRUE(plan(running, waiting, 129).admit.empty());
  EXPECT_EQ(plan(running, waiting, 130).admit, (Ids{2}));
  // A sequence at its end needs no more blocks.
  Sequence last = waiting[0];
  last.most = 128;
  EXPECT_EQ(plan(running, {last}, 120).admit, (Ids{2}));
  EXPECT_TRUE(plan(running, {last}, 119).admit.empty());
  // What a cache supplies is counted unless others use it already.
  Sequence cached = sequence(2, 1280, 1300);
  EXPECT_TRUE(plan(running, {cached}, 229).admit.empty());
  cached.shared = 100;
  EXPECT_EQ(plan(running, {cached}, 130).admit, (Ids{2}));
  EXPECT_TRUE(plan(running, {cached}, 129).admit.empty());
}

TEST(Scheduler, NobodyOvertakesTheFirstOfTheWaiting) {
  EXPECT_TRUE(plan({sequence(1, 50, 51)}, {sequence(2, 0, 12800), sequence(3, 0, 5)}, 500).admit.empty());
}

TEST(Scheduler, PreemptsTheLastWhenMemoryIsShort) {
  // All three are at the end of a block; there is room for one more.
  const std::vector<Sequence> running = {sequence(2, 128, 129), sequence(1, 128, 129), sequence(3, 128, 129)};
  EXPECT_TRUE(plan(running, {}, 30).preempt.empty());
  for (const int64_t available : {0, 10, 20, 29}) {
    const Plan p = plan(running, {}, available);
    EXPECT_EQ(p.preempt, (Ids{3}));
    EXPECT_EQ(work(p), (Work{{1, 1}, {2, 1}}));
  }
}

TEST(Scheduler, TheFirstIsNeverPreempted) {
  Sequence nothing = sequence(2, 128, 129);
  nothing.held = 0;  // all of it is shared
  const Plan p = plan({sequence(1, 128, 129), nothing}, {}, 10);
  EXPECT_EQ(p.preempt, (Ids{2}));
  EXPECT_EQ(work(p), (Work{{1, 1}}));
  EXPECT_TRUE(plan({sequence(1, 128, 129)}, {}, 0).empty());  // no plan is possible: the caller's affair
}

TEST(Scheduler, PrefillTakesWhatFits) {
  EXPECT_EQ(work(plan({sequence(1, 0, 1000)}, {}, 115)), (Work{{1, 128}}));
  EXPECT_EQ(work(plan({sequence(1, 130, 1000)}, {}, 0)), (Work{{1, 126}}));
  EXPECT_EQ(work(plan({sequence(1, 5, 6), sequence(2, 128, 1000)}, {}, 0)), (Work{{1, 1}}));  // 2 waits
  Sequence owes = sequence(1, 130, 1000);
  owes.owed = 7;
  EXPECT_TRUE(plan({owes}, {}, 6).work.empty());
  EXPECT_EQ(work(plan({owes}, {}, 7)), (Work{{1, 126}}));
  EXPECT_EQ(work(plan({owes}, {}, 17)), (Work{{1, 254}}));
}

TEST(Scheduler, HigherPriorityTakesPlaceAndMemory) {
  const std::vector<Sequence> running = {sequence(1, 500, 501), sequence(2, 500, 501)};
  // A slot.
  Plan p = plan(running, {sequence(3, 0, 20, 1)}, kPlenty, {256, 2});
  EXPECT_EQ(p.preempt, (Ids{2}));
  EXPECT_EQ(p.admit, (Ids{3}));
  EXPECT_EQ(work(p), (Work{{3, 20}, {1, 1}}));
  EXPECT_TRUE(plan(running, {sequence(3, 0, 20)}, kPlenty, {256, 2}).admit.empty());
  // Bytes.
  p = plan(running, {sequence(3, 0, 20, 1)}, 20);
  EXPECT_EQ(p.preempt, (Ids{2}));
  EXPECT_EQ(p.admit, (Ids{3}));
  // Nobody gives way when it would not help.
  EXPECT_TRUE(plan(running, {sequence(3, 0, 12800, 1)}, 20).preempt.empty());
}

TEST(Scheduler, WhatCanNeverFitIsSaid) {
  EXPECT_TRUE(check_admissible(kShape, 128, 110));
  EXPECT_TRUE(check_admissible(kShape, 0, 0));
  const Result<void> no = check_admissible({1 << 20, 1 << 20, 128}, 129, (3 << 20) - 1);
  ASSERT_FALSE(no);
  EXPECT_EQ(no.error().what, "needs 3.0 MiB of state for 129 tokens, the engine has 2.9 MiB");
}

}  // namespace
}  // namespace hadal
