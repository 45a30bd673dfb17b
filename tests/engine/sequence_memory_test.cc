#include "engine/sequence_memory.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "engine_support.h"

namespace hadal {
namespace {

using namespace test;

class Memory : public testing::Test {
 protected:
  // Appends and tells the memory.
  void append(SequenceMemory& memory, ResidentSequence& sequence, const std::vector<int32_t>& ids) {
    const int64_t from = sequence.state.length();
    const Segment segment{&sequence.state, 0, static_cast<int64_t>(ids.size()), LogitsWanted::kNone};
    small_model()->forward(Ctx{ops_}, Batch{ids, {&segment, 1}}, {});
    memory.update(sequence, from);
  }

  CpuOps ops_{CpuOptions{1, ""}};
  const StateLayout& layout_ = small_model()->state_layout();
  const int64_t fixed_ = layout_.fixed_bytes, block_ = layout_.block_bytes;
};

TEST_F(Memory, CountsWhatSequencesHold) {
  KvPool pool(ops_, 10 * (fixed_ + 10 * block_));
  SequenceMemory memory(layout_, pool, 1 << 30, nullptr);
  EXPECT_EQ(memory.limit(), pool.limit_bytes());
  EXPECT_EQ(memory.shape().bytes(300), layout_.bytes(300));
  EXPECT_EQ(memory.used(), 0);
  auto a = memory.open(random_ids(10, 1), 10);
  EXPECT_EQ(memory.used(), fixed_);
  append(memory, *a, random_ids(300, 1));
  EXPECT_EQ(memory.used(), fixed_ + 3 * block_);
  EXPECT_EQ(memory.held(*a), fixed_ + 3 * block_);
  EXPECT_EQ(memory.owed(*a), 0);

  // A second one on the same blocks.
  auto b = memory.open(random_ids(10, 1), 10);
  b->state.restore(a->state.snapshot());
  memory.update(*b, 0);
  EXPECT_EQ(memory.used(), 2 * fixed_ + 3 * block_);
  EXPECT_EQ(memory.held(*a), fixed_);
  EXPECT_EQ(memory.held(*b), fixed_);
  EXPECT_EQ(memory.owed(*b), block_);  // the last block is neither full nor its own
  append(memory, *b, random_ids(1, 2));
  EXPECT_EQ(memory.used(), 2 * fixed_ + 4 * block_);
  EXPECT_EQ(memory.held(*a), fixed_ + block_);
  EXPECT_EQ(memory.held(*b), fixed_ + block_);
  EXPECT_EQ(memory.owed(*a), 0);

  // Back to the shared part.
  b->state.reset();
  memory.update(*b, 0);
  EXPECT_EQ(memory.held(*b), fixed_);
  EXPECT_EQ(memory.held(*a), fixed_ + 3 * block_);
  memory.close(std::move(a));
  EXPECT_EQ(memory.used(), fixed_);
  memory.close(std::move(b));
  EXPECT_EQ(memory.used(), 0);
  EXPECT_EQ(pool.live_pieces(), 0);
}

TEST_F(Memory, RoomComesOutOfBoundaries) {
  KvPool pool(ops_, 2 * fixed_ + 8 * block_);
  SequenceMemory memory(layout_, pool, 1 << 30, nullptr);
  auto a = memory.open(random_ids(10, 1), 10);
  append(memory, *a, random_ids(128, 1));
  EXPECT_GT(a->state.boundary_bytes(), 0);
  const int64_t left = pool.limit_bytes() - memory.used();
  EXPECT_LT(pool.limit_bytes() - pool.used_bytes(), left);
  EXPECT_FALSE(memory.make_room(left + 1));
  EXPECT_TRUE(memory.make_room(left));
  EXPECT_EQ(a->state.boundary_bytes(), 0);
  memory.close(std::move(a));
}

TEST_F(Memory, BoundariesOfASequenceAreLimited) {
  KvPool pool(ops_);
  SequenceMemory memory(layout_, pool, 0, nullptr);
  auto a = memory.open(random_ids(10, 1), 10);
  append(memory, *a, random_ids(128, 1));
  EXPECT_EQ(a->state.boundary_bytes(), 0);
  EXPECT_GT(memory.limit(), int64_t{1} << 50);  // a pool without a limit
  memory.close(std::move(a));
}

TEST_F(Memory, OpeningWithoutRoomSaysSo) {
  KvPool pool(ops_, fixed_ - 1);
  SequenceMemory memory(layout_, pool, 0, nullptr);
  EXPECT_THROW(memory.open(random_ids(10, 1), 10), Error);
  EXPECT_EQ(memory.used(), 0);
}

}  // namespace
}  // namespace hadal
