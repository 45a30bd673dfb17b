#include "model/kv_pool.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "ops/reference_ops.h"
#include "support/files.h"

namespace hadal {
namespace {

TEST(KvPool, CountsAndLimits) {
  ReferenceOps ops;
  const KvPool pool(ops, 1000);
  KvPiece a = pool.allocate(600);
  EXPECT_EQ(pool.used_bytes(), 600);
  const std::string message = test::error_of(ErrorCode::kOutOfMemory, [&] { pool.allocate(500); });
  EXPECT_NE(message.find("500 bytes wanted, 600 of 1000"), std::string::npos) << message;
  EXPECT_EQ(pool.live_pieces(), 1);
  const KvPiece shared = a;
  a.reset();
  EXPECT_EQ(pool.used_bytes(), 600);  // somebody still has it
}

TEST(KvPool, GivenBackMemoryIsZeroAndDoesNotCount) {
  ReferenceOps ops;
  const KvPool pool(ops, 1000);
  for (int round = 0; round < 5; ++round) {
    const KvPiece piece = pool.allocate(700);  // the limit has room for one
    for (int64_t i = 0; i < piece->bytes(); ++i) ASSERT_EQ(piece->data()[i], std::byte{}) << i;
    std::fill_n(piece->data(), piece->bytes(), std::byte{7});
  }
  EXPECT_EQ(pool.used_bytes(), 0);
  EXPECT_EQ(pool.live_pieces(), 0);
  EXPECT_EQ(pool.allocate(1000)->bytes(), 1000);  // what was kept for reuse makes way
}

TEST(KvPool, APieceOutlivesThePool) {
  ReferenceOps ops;
  KvPiece piece;
  {
    const KvPool pool(ops);
    piece = pool.allocate(64);
  }
  piece->data()[0] = std::byte{1};
}

TEST(KvPool, Threads) {
  ReferenceOps ops;
  const KvPool pool(ops, 1 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      std::vector<KvPiece> held;
      for (int i = 0; i < 2000; ++i) {
        held.push_back(pool.allocate(64 * (1 + i % 3)));
        if (held.size() > 20) held.erase(held.begin(), held.begin() + 15);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.used_bytes(), 0);
  EXPECT_EQ(pool.live_pieces(), 0);
}

}  // namespace
}  // namespace hadal
