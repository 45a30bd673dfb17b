#include "serve/accounts/ledger_writer.h"

#include <gmock/gmock.h>

#include <thread>

#include "accounts_support.h"

namespace hadal::serve {
namespace {

using test::named;
using test::TempFolder;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;
using namespace std::chrono;

const sys_days kDay{year(2026) / 3 / 2};

UsageRow one(int64_t key, const std::string& model) {
  return {key, "", kDay, model, "USD", {1, 0, 1, 2, 3, 0, {4}}};
}

std::unique_ptr<Ledger> ledger_in(const TempFolder& folder, int busy_ms = 5000) {
  return std::make_unique<Ledger>(folder / "ledger.db", Ledger::Access::kCreate, busy_ms);
}

int64_t requests_in(const TempFolder& folder) {
  int64_t sum = 0;
  for (const UsageRow& row : Ledger(folder / "ledger.db", Ledger::Access::kRead).usage({}))
    sum += row.totals.requests;
  return sum;
}

TEST(LedgerWriter, WritesEverythingFromManyThreads) {
  const TempFolder folder;
  constexpr int kThreads = 4, kEach = 500;
  {
    LedgerWriter writer(ledger_in(folder));
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          writer.add(one(1 + i % 3, t % 2 == 0 ? "flash" : "pro"));
          if (i % 100 == 0) {
            EXPECT_TRUE(writer.flush());
          }
        }
      });
    for (std::thread& thread : threads) thread.join();
  }  // what is left is written here
  EXPECT_EQ(requests_in(folder), kThreads * kEach);
}

TEST(LedgerWriter, FlushMeansOnDisk) {
  const TempFolder folder;
  LedgerWriter writer(ledger_in(folder));
  EXPECT_TRUE(writer.flush());
  for (int i = 1; i <= 5; ++i) {
    writer.add(one(1, "m"));
    EXPECT_TRUE(writer.flush());
    EXPECT_EQ(requests_in(folder), i);
  }
}

TEST(LedgerWriter, WhatCannotBeWrittenIsKeptAndComplainedAboutOnce) {
  const TempFolder folder;
  LedgerWriter writer(ledger_in(folder, 1));
  CaptureStderr();
  {
    Sqlite other((folder / "ledger.db").string(), 1000);
    const SqliteTransaction holds_the_lock(other);
    for (int i = 0; i < 3; ++i) {
      writer.add(one(1, "m"));
      EXPECT_FALSE(writer.flush());
    }
  }
  writer.add(one(1, "m"));
  EXPECT_TRUE(writer.flush());
  const std::string log = GetCapturedStderr();
  EXPECT_EQ(requests_in(folder), 4);
  EXPECT_THAT(log, HasSubstr("another program"));
  EXPECT_THAT(log, HasSubstr("takes usage again"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2) << log;
}

TEST(LedgerWriter, ADiskThatNeverComesBackDoesNotHoldUpTheEnd) {
  const TempFolder folder;
  CaptureStderr();
  Sqlite other((folder / "ledger.db").string(), 1000);
  {
    LedgerWriter writer(ledger_in(folder, 1));
    other.execute("BEGIN IMMEDIATE");
    writer.add(one(1, "m"));
  }
  other.execute("ROLLBACK");
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("is lost"));
  EXPECT_EQ(requests_in(folder), 0);
}

}  // namespace
}  // namespace hadal::serve
