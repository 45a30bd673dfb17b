// The engine with its own thread and clients in others.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine_support.h"
#include "support/files.h"

namespace hadal {
namespace {

using namespace test;

// Runs an engine until it goes away.
class Running {
 public:
  explicit Running(Engine& engine) : engine_(engine), thread_([&engine] { engine.run(); }) {}
  ~Running() {
    engine_.stop();
    thread_.join();
  }

 private:
  Engine& engine_;
  std::thread thread_;
};

struct Answer {
  std::vector<int32_t> tokens;
  FinishInfo info;
};
Answer read_all(TokenQueue& queue) {
  Answer answer;
  while (const std::optional<int32_t> id = queue.pop()) answer.tokens.push_back(*id);
  answer.info = queue.wait();
  return answer;
}

TEST(EngineThread, ManyClientsSubmitReadAndCancel) {
  Bench bench;
  std::vector<Request> requests;
  std::vector<Expected> want;
  for (uint32_t i = 0; i < 8; ++i) {
    requests.push_back(request(1 + i * 3, 2 + i % 4, i));
    want.push_back(alone(requests.back(), bench.ops));
  }
  std::atomic<int> whole = 0, cancelled = 0;
  {
    const Running running(bench.engine);
    std::vector<std::thread> clients;
    for (uint32_t client = 0; client < 4; ++client)
      clients.emplace_back([&, client] {
        for (uint32_t i = 0; i < 8; ++i) {
          const size_t which = (client + i) % requests.size();
          const auto queue = std::make_shared<TokenQueue>();
          const Result<RequestId> id = bench.engine.submit(requests[which], queue);
          ASSERT_TRUE(id);
          if (i % 3 == 2) bench.engine.cancel(*id);
          const Answer answer = read_all(*queue);
          EXPECT_LE(bench.engine.stats().running, 64);
          if (answer.info.reason == EndReason::kCancelled) {
            EXPECT_LE(answer.tokens.size(), want[which].tokens.size());
            ++cancelled;
          } else {
            EXPECT_EQ(answer.tokens, want[which].tokens);
            EXPECT_EQ(answer.info.reason, want[which].reason);
            ++whole;
          }
        }
      });
    for (std::thread& client : clients) client.join();
  }
  EXPECT_EQ(whole + cancelled, 32);
  EXPECT_GE(whole, 24);
  EXPECT_EQ(bench.engine.stats().submitted, 32);
  EXPECT_EQ(bench.pool.live_pieces(), 0);
}

TEST(EngineThread, AReaderThatNeverReadsStallsNobody) {
  Bench bench;
  const Request slow = request(5, 60, 1), quick = request(7, 5, 2);
  const Expected all = alone(slow, bench.ops), want = alone(quick, bench.ops);
  const auto unread = std::make_shared<TokenQueue>();
  {
    const Running running(bench.engine);
    ASSERT_TRUE(bench.engine.submit(slow, unread));
    for (int i = 0; i < 3; ++i) {
      const auto queue = std::make_shared<TokenQueue>();
      ASSERT_TRUE(bench.engine.submit(quick, queue));
      EXPECT_EQ(read_all(*queue).tokens, want.tokens);
    }
    EXPECT_EQ(unread->wait().reason, EndReason::kLength);
  }
  EXPECT_EQ(unread->take(), all.tokens);
}

TEST(EngineThread, AReaderThatLeavesEndsItsRequest) {
  Bench bench;
  const Running running(bench.engine);
  const auto queue = std::make_shared<TokenQueue>();
  ASSERT_TRUE(bench.engine.submit(request(5, 100000, 1), queue));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue->pop());
  queue->close();
  EXPECT_EQ(queue->wait().reason, EndReason::kStop);
}

// A third thread writes what the engine put into its cache.
TEST(EngineThread, TheDiskIsWrittenMeanwhile) {
  const TempFolder folder;
  std::vector<Request> requests;
  std::vector<Expected> want;
  Bench bench(state_bytes(4, 300), {}, true, folder / "kv");
  for (uint32_t i = 0; i < 3; ++i) {
    requests.push_back(request(140 + 60 * i, 3, i));
    want.push_back(alone(requests.back(), bench.ops));
  }
  const Running running(bench.engine);
  for (int round = 0; round < 2; ++round) {
    std::vector<std::shared_ptr<TokenQueue>> queues;
    for (const Request& r : requests) {
      queues.push_back(std::make_shared<TokenQueue>());
      ASSERT_TRUE(bench.engine.submit(r, queues.back()));
    }
    for (size_t i = 0; i < queues.size(); ++i) {
      const Answer answer = read_all(*queues[i]);
      EXPECT_EQ(answer.tokens, want[i].tokens);
      EXPECT_EQ(answer.info.cached_tokens,
                round == 0 ? 0 : (140 + 60 * static_cast<int64_t>(i) - 1) / 128 * 128);
    }
  }
}

TEST(EngineThread, StopsWithWorkLeftAndGoesOn) {
  Bench bench;
  const Request r = request(5, 40, 3);
  const auto queue = std::make_shared<TokenQueue>();
  ASSERT_TRUE(bench.engine.submit(r, queue));
  for (int i = 0; i < 3; ++i) {
    const Running running(bench.engine);
    EXPECT_TRUE(queue->pop());
  }
  bench.engine.drain();
  EXPECT_EQ(queue->wait().generated_tokens, 40);
}

}  // namespace
}  // namespace hadal
