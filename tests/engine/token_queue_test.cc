#include "engine/token_queue.h"

#include <gtest/gtest.h>

#include <thread>

namespace hadal {
namespace {

TEST(TokenQueue, GivesWhatWentInInOrder) {
  TokenQueue queue;
  for (const int32_t id : {5, 6, 7}) EXPECT_TRUE(queue.on_token({id, {}}));
  EXPECT_EQ(queue.pop(), 5);
  EXPECT_EQ(queue.take(), (std::vector<int32_t>{6, 7}));
  EXPECT_TRUE(queue.take().empty());
  EXPECT_TRUE(queue.on_token({8, {}}));
  FinishInfo info;
  info.reason = EndReason::kLength;
  queue.on_finish(info);
  EXPECT_EQ(queue.wait().reason, EndReason::kLength);
  EXPECT_EQ(queue.pop(), 8);  // what came before the end is still there
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(TokenQueue, AReaderThatLeftWantsNoMore) {
  TokenQueue queue;
  EXPECT_TRUE(queue.on_token({1, {}}));
  queue.close();
  EXPECT_FALSE(queue.on_token({2, {}}));
}

TEST(TokenQueue, ReadersWaitInOtherThreads) {
  TokenQueue queue;
  std::vector<int32_t> seen;
  std::thread reader([&] {
    while (const std::optional<int32_t> id = queue.pop()) seen.push_back(*id);
  });
  std::thread waiter([&] { EXPECT_EQ(queue.wait().generated_tokens, 1000); });
  for (int32_t i = 0; i < 1000; ++i) queue.on_token({i, {}});
  FinishInfo info;
  info.generated_tokens = 1000;
  queue.on_finish(info);
  reader.join();
  waiter.join();
  ASSERT_EQ(seen.size(), 1000u);
  for (int32_t i = 0; i < 1000; ++i) EXPECT_EQ(seen[i], i);
}

}  // namespace
}  // namespace hadal
