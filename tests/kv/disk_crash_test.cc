// Processes that write and read a cache folder and are killed at any moment; several at once.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "base/log.h"
#include "kv/disk_store.h"
#include "kv_support.h"

namespace hadal {
namespace {

using test::identity_of;
using test::ids_of;
using test::open_store;
using test::Sequence;
using test::TempFolder;

constexpr int64_t kMaxBytes = 600'000;
constexpr int kWrongRows = 3;

const std::vector<Sequence>& sequences() {
  static const std::vector<Sequence> all = [] {
    std::vector<Sequence> out;
    for (uint64_t i = 0; i < 16; ++i)
      out.emplace_back(identity_of(9000), ids_of(i / 4, 3 * static_cast<int64_t>(i % 2), i, 8));
    return out;
  }();
  return all;
}

struct Report {
  uint32_t sequence, blocks;  // put() has returned: this many are on disk
};

// Never returns but by a signal or with kWrongRows, or after `operations`.
int work(const std::filesystem::path& folder, uint64_t seed, bool evict, int report_to, int operations) {
  std::mt19937_64 random(seed);
  const auto& all = sequences();
  const auto store = open_store(folder, all[0].identity, evict ? kMaxBytes / 2 : int64_t{1} << 40);
  for (int i = 0; i < operations; ++i) {
    const auto number = static_cast<uint32_t>(random() % all.size());
    const Sequence& s = all[number];
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        if (s.fetch(*store) == Sequence::kWrong) return kWrongRows;
        break;
      case 3:
        if (evict) store->prune(static_cast<int64_t>(random() % kMaxBytes));
        break;
      default: {
        const auto end = static_cast<int64_t>(1 + random() % 8);
        int64_t first = s.find(*store).tokens / test::kTokens;
        if (first >= end) first = 0;
        const Report report{number, static_cast<uint32_t>(end)};
        if (s.put(*store, first, end, {end}) && report_to >= 0 &&
            ::write(report_to, &report, sizeof report) < 0)
          return 4;
      }
    }
  }
  return 0;
}

class DiskCrash : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kError); }
  void TearDown() override { set_log_level(LogLevel::kWarning); }
};

// Forked children are killed after a random time; what they reported must be there afterwards unless
// something was evicted.
void kill_often(int kills, uint64_t seed) {
  const TempFolder folder;
  std::mt19937_64 random(seed);
  const auto& all = sequences();
  std::map<uint32_t, uint32_t> kept;  // blocks that must be there
  int64_t reports = 0, right = 0;
  for (int round = 0; round < kills; ++round) {
    const bool evict = random() % 3 == 0;
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const uint64_t child_seed = random();
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::close(ends[0]);
      ::_exit(work(folder.path(), child_seed, evict, ends[1], 1 << 30));
    }
    ::close(ends[1]);
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 25'000));
    ::kill(pid, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "status " << status;
    Report report;
    while (::read(ends[0], &report, sizeof report) == sizeof report) {
      ++reports;
      kept[report.sequence] = std::max(kept[report.sequence], report.blocks);
    }
    ::close(ends[0]);
    if (evict) kept.clear();

    const auto store = open_store(folder.path(), all[0].identity);
    ASSERT_EQ(store->mode(), DiskStore::Mode::kOn);
    for (uint32_t i = 0; i < all.size(); ++i) {
      int64_t blocks = 0;
      const auto outcome = all[i].fetch(*store, &blocks);
      ASSERT_NE(outcome, Sequence::kWrong) << round;
      right += outcome == Sequence::kRight;
      ASSERT_GE(blocks, kept[i]) << "round " << round << ", sequence " << i;
      if (outcome == Sequence::kRight) kept[i] = static_cast<uint32_t>(blocks);
    }
    ASSERT_EQ(store->failures().count(FailureLog::kDamagedFile), 0) << "a payload file is whole or not there";
    ASSERT_TRUE(test::files_with(folder.path(), ".tmp-").empty()) << "left over from a dead writer";
    if (random() % 4 == 0) {
      store->prune(0);
      kept.clear();
    }
  }
  EXPECT_GT(reports, kills);
  EXPECT_GT(right, kills);
}

TEST_F(DiskCrash, AFewKills) {
  kill_often(25, 1);
}

TEST_F(DiskCrash, ThreeHundredKillsSlow) {
  kill_often(300, 2);
}

// Nothing but right rows for any of them, whoever evicts, is killed or starts in between.
TEST_F(DiskCrash, ProcessesAtOnce) {
  const TempFolder folder;
  std::mt19937_64 random(3);
  for (int round = 0; round < 12; ++round) {
    std::vector<pid_t> children;
    for (uint64_t i = 0; i < 3; ++i) {
      const pid_t pid = ::fork();
      ASSERT_GE(pid, 0);
      if (pid == 0) ::_exit(work(folder.path(), static_cast<uint64_t>(round) * 10 + i, i == 0, -1, 60));
      children.push_back(pid);
    }
    const bool kills = round % 2 == 1;
    if (kills) {
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 40));
      ::kill(children[random() % children.size()], SIGKILL);
    }
    for (const pid_t pid : children) {
      int status = 0;
      ASSERT_EQ(::waitpid(pid, &status, 0), pid);
      ASSERT_TRUE((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (kills && WIFSIGNALED(status)))
          << status;
    }
  }
  const auto store = open_store(folder.path(), sequences()[0].identity);
  for (const Sequence& s : sequences()) {
    EXPECT_NE(s.fetch(*store), Sequence::kWrong);
    EXPECT_TRUE(s.put(*store));
    EXPECT_EQ(s.fetch(*store), Sequence::kRight);
  }
  EXPECT_EQ(store->failures().count(FailureLog::kDamagedFile), 0);
}

// One process makes the index again while another has it open.
TEST_F(DiskCrash, AnIndexMadeAgainUnderAnotherProcess) {
  const TempFolder folder;
  const auto& all = sequences();
  const auto here = open_store(folder.path(), all[0].identity);
  EXPECT_TRUE(all[0].put(*here));
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    FailureLog log;
    const auto rebuilt = rebuild_cache_folder(folder.path(), {}, log);
    ::_exit(rebuilt.writable && open_store(folder.path(), all[0].identity)->mode() == DiskStore::Mode::kOn
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(all[0].fetch(*here), Sequence::kRight);
  EXPECT_TRUE(all[1].put(*here));
  EXPECT_EQ(all[1].fetch(*open_store(folder.path(), all[0].identity)), Sequence::kRight);
}

}  // namespace
}  // namespace hadal
