// The thread pool: every item once, from every size of loop, and the floating-point state.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <set>
#include <stdexcept>
#include <thread>

namespace hadal {
namespace {

TEST(FunctionRef, CallsWhatItBorrows) {
  int sum = 0;
  auto add = [&](int x) { return sum += x; };
  const function_ref<int(int)> ref = add;
  EXPECT_EQ(ref(3), 3);
  EXPECT_EQ(ref(4), 7);
  const function_ref<int(int)> copy = ref;
  EXPECT_EQ(copy(1), 8);
}

TEST(ThreadPool, AvailableCpus) {
  EXPECT_GE(available_cpus(), 1);
  EXPECT_EQ(ThreadPool().size(), available_cpus());
}

class ThreadPoolSizes : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolSizes, EveryItemOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.size(), GetParam());
  for (const int64_t n : {0, 1, 2, 7, 64, 1000})
    for (const int64_t grain : {1, 3, 64, 5000}) {
      std::vector<std::atomic<int>> hits(static_cast<size_t>(n));
      std::atomic<bool> in_range{true};
      pool.parallel_for(n, grain, [&](int64_t begin, int64_t end, int worker) {
        if (begin % grain != 0 || end - begin > grain || end > n || worker < 0 || worker >= pool.size())
          in_range = false;
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
      });
      EXPECT_TRUE(in_range);
      for (const auto& hit : hits) EXPECT_EQ(hit, 1);
    }
}

// Thousands of loops in a row, plain memory handed from one to the next: what the thread sanitizer should
// see.
TEST_P(ThreadPoolSizes, LoopsInARow) {
  ThreadPool pool(GetParam());
  std::vector<int64_t> values(37, 0);
  for (int round = 0; round < 2000; ++round) {
    pool.parallel_for(37, 2, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        values[static_cast<size_t>(i)] += values[static_cast<size_t>(i)] + 1 - round;
    });
    for (int64_t& value : values) {
      ASSERT_EQ(value, values[0]);
      value = round + 1;
    }
  }
}

TEST_P(ThreadPoolSizes, WorkersWakeAfterSleeping) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // longer than a worker spins
    std::atomic<int> sum{0};
    pool.parallel_for(50, 1, [&](int64_t begin, int64_t, int) { sum += static_cast<int>(begin); });
    EXPECT_EQ(sum, 49 * 50 / 2);
  }
}

// A worker index is never used by two calls at once.
TEST_P(ThreadPoolSizes, WorkerIndexIsExclusive) {
  ThreadPool pool(GetParam());
  std::vector<std::atomic<int>> inside(static_cast<size_t>(pool.size()));
  std::atomic<bool> shared{false};
  for (int round = 0; round < 50; ++round)
    pool.parallel_for(64, 1, [&](int64_t, int64_t, int worker) {
      if (inside[static_cast<size_t>(worker)].fetch_add(1) != 0) shared = true;
      std::this_thread::yield();
      inside[static_cast<size_t>(worker)].fetch_sub(1);
    });
  EXPECT_FALSE(shared);
}

bool flushes_denormals() {
  volatile float smallest = std::numeric_limits<float>::denorm_min(),
                 normal = std::numeric_limits<float>::min();
  const bool inputs = smallest * 0x1p100f == 0.0f, results = normal * 0.5f == 0.0f;
  EXPECT_EQ(inputs, results);
  return inputs;
}

TEST_P(ThreadPoolSizes, DenormalsAreFlushedInBodiesOnly) {
  ThreadPool pool(GetParam());
  EXPECT_FALSE(flushes_denormals());
  for (const int64_t n : {200, 1}) {
    std::atomic<int> other{0};
    pool.parallel_for(n, 1, [&](int64_t, int64_t, int) {
      if (!flushes_denormals()) ++other;
    });
    EXPECT_EQ(other, 0);
    EXPECT_FALSE(flushes_denormals());
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolSizes, testing::Values(1, 2, 3, 8),
                         testing::PrintToStringParamName());

TEST(ThreadPoolDeathTest, NestedLoop) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.parallel_for(
            4, 1, [&](int64_t, int64_t, int) { pool.parallel_for(1, 1, [](int64_t, int64_t, int) {}); });
      },
      "parallel loop inside");
}

TEST(ThreadPoolDeathTest, ExceptionInABody) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.parallel_for(4, 1, [](int64_t, int64_t, int) { throw std::runtime_error("spilled"); });
      },
      "spilled");
}

}  // namespace
}  // namespace hadal
