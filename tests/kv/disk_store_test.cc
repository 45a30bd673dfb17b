#include "kv/disk_store.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <thread>

#include "kv_support.h"

namespace hadal {
namespace {

using test::identity_of;
using test::ids_of;
using test::open_store;
using test::Sequence;
using test::TempFolder;

Sequence sequence(uint64_t family, int64_t blocks, int64_t block_bytes = 1000) {
  return {identity_of(block_bytes), ids_of(family, 0, 0, blocks)};
}

// Runs body in a child, which may change what belongs to the process; its result must be 0.
void in_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) ::_exit(body());
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST(DiskStore, WhatIsPutIsFoundAgainAfterARestart) {
  const TempFolder folder;
  const Sequence a = sequence(1, 5), b = sequence(2, 3);
  {
    const auto store = open_store(folder / "new" / "kv", a.identity);
    EXPECT_EQ(store->mode(), DiskStore::Mode::kOn);
    EXPECT_EQ(a.fetch(*store), Sequence::kMiss);
    EXPECT_TRUE(a.put(*store));
    EXPECT_TRUE(b.put(*store));
    EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  }
  const auto store = open_store(folder / "new" / "kv", a.identity);
  int64_t blocks = 0;
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 5);
  EXPECT_EQ(b.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 3);
  const DiskStats stats = store->stats();
  EXPECT_EQ(stats.hits, 2);
  EXPECT_EQ(stats.misses, 0);
  EXPECT_EQ(stats.files, 2);
  EXPECT_EQ(stats.loaded_bytes, 8 * 1000 + test::tail_bytes_of(a.keys[4]) + test::tail_bytes_of(b.keys[2]));
}

TEST(DiskStore, AnotherModelFindsNothing) {
  const TempFolder folder;
  const Sequence a = sequence(1, 2);
  const Sequence other(identity_of(1000, 2), a.ids);
  EXPECT_TRUE(a.put(*open_store(folder.path(), a.identity)));
  const auto store = open_store(folder.path(), other.identity);
  EXPECT_EQ(other.fetch(*store), Sequence::kMiss);
  EXPECT_EQ(store->find(store->root(), a.keys, a.ids).tokens, 0) << "keys of another model";
}

TEST(DiskStore, TheLeastRecentlyUsedGoFirst) {
  const TempFolder folder;
  const std::vector<Sequence> all = {sequence(1, 4), sequence(2, 4), sequence(3, 4), sequence(4, 4)};
  const int64_t file = 2 * 4096 + 500;
  {
    const auto store = open_store(folder.path(), all[0].identity, 3 * file);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(all[i].put(*store));
    EXPECT_EQ(all[0].fetch(*store), Sequence::kRight);
  }
  const auto store = open_store(folder.path(), all[0].identity, 3 * file);  // the use above was written down
  EXPECT_TRUE(all[3].put(*store));
  EXPECT_EQ(all[1].fetch(*store), Sequence::kMiss);
  for (const int i : {0, 2, 3}) EXPECT_EQ(all[i].fetch(*store), Sequence::kRight) << i;
  EXPECT_LE(store->stats().bytes, 3 * file);
  EXPECT_EQ(test::files_with(folder.path(), ".hkv").size(), 3u);
}

TEST(DiskStore, AChainIsEvictedFromItsEnd) {
  const TempFolder folder;
  const Sequence a = sequence(1, 9);
  const auto store = open_store(folder.path(), a.identity);
  for (int64_t i = 0; i < 9; i += 3) EXPECT_TRUE(a.put(*store, i, i + 3, {i + 3}));
  const int64_t bytes = store->stats().bytes;
  for (int left = 2; left >= 0; --left) {
    store->prune(bytes * left / 3 + 600);
    int64_t blocks = 0;
    EXPECT_EQ(a.fetch(*store, &blocks), left == 0 ? Sequence::kMiss : Sequence::kRight);
    EXPECT_EQ(blocks, 3 * left);
  }
  EXPECT_TRUE(test::files_with(folder.path(), ".hkv").empty());
}

TEST(DiskStore, OtherModelsAreEvictedInTheSameOrder) {
  const TempFolder folder;
  const Sequence old(identity_of(2000, 9), ids_of(1, 0, 0, 4)), a = sequence(1, 4), b = sequence(2, 4);
  EXPECT_TRUE(old.put(*open_store(folder.path(), old.identity)));
  const auto store = open_store(folder.path(), a.identity, 26'000);
  EXPECT_TRUE(a.put(*store));
  EXPECT_TRUE(b.put(*store));
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  EXPECT_EQ(b.fetch(*store), Sequence::kRight);
  EXPECT_EQ(old.fetch(*open_store(folder.path(), old.identity)), Sequence::kMiss);
}

TEST(DiskStore, AFolderThatIsTooFullAtOpeningIsCut) {
  const TempFolder folder;
  const Sequence a = sequence(1, 4), b = sequence(2, 4);
  {
    const auto store = open_store(folder.path(), a.identity);
    EXPECT_TRUE(a.put(*store));
    EXPECT_TRUE(b.put(*store));
  }
  const auto store = open_store(folder.path(), a.identity, 13'000);
  EXPECT_EQ(a.fetch(*store), Sequence::kMiss);
  EXPECT_EQ(b.fetch(*store), Sequence::kRight);
}

TEST(DiskStore, WithoutAFolderEverythingIsAMiss) {
  const TempFolder folder;
  folder.write("file", "x");
  const Sequence a = sequence(1, 2);
  for (const std::filesystem::path& where :
       {folder / "file", folder / "file" / "below", std::filesystem::path("/proc/none/kv")}) {
    const auto store = open_store(where, a.identity);
    EXPECT_EQ(store->mode(), DiskStore::Mode::kOff);
    for (int i = 0; i < 3; ++i) {
      EXPECT_FALSE(a.put(*store));
      EXPECT_EQ(a.fetch(*store), Sequence::kMiss);
      EXPECT_FALSE(store->contains(a.keys[0]));
    }
    store->flush();
    store->prune(0);
    EXPECT_EQ(store->failures().count(FailureLog::kOff), 1) << where;
  }
}

TEST(DiskStore, AFolderThatCannotBeWrittenIsRead) {
  const TempFolder folder;
  const Sequence a = sequence(1, 3), b = sequence(2, 3);
  EXPECT_TRUE(a.put(*open_store(folder / "kv", a.identity)));
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  for (const auto& entry : std::filesystem::directory_iterator(folder / "kv"))
    std::filesystem::permissions(entry.path(), std::filesystem::perms(0444));
  std::filesystem::permissions(folder / "kv", std::filesystem::perms(0555));
  in_child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;
    const auto store = open_store(folder / "kv", a.identity);
    if (store->mode() != DiskStore::Mode::kReadOnly) return 2;
    if (a.fetch(*store) != Sequence::kRight) return 3;
    if (b.put(*store) || b.fetch(*store) != Sequence::kMiss) return 4;
    store->prune(0);
    if (a.fetch(*store) != Sequence::kRight) return 5;
    return store->failures().count(FailureLog::kReadOnly) == 1 ? 0 : 6;
  });
  std::filesystem::permissions(folder / "kv", std::filesystem::perms(0755));
}

// A limit on file sizes fails like a full disk, at any byte.
TEST(DiskStore, ADiskThatIsFull) {
  const TempFolder folder;
  const Sequence a = sequence(1, 3), large = sequence(2, 40, 1000), c = sequence(3, 3);
  in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const auto store = open_store(folder / "kv", a.identity);
    if (!a.put(*store)) return 1;
    const rlimit limit{30'000, 200'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
    for (int i = 0; i < 3; ++i)
      if (large.put(*store) || large.fetch(*store) != Sequence::kMiss) return 3;
    if (a.fetch(*store) != Sequence::kRight) return 4;
    return test::files_with(folder / "kv", ".tmp").empty() ? 0 : 5;
  });
  // Full from the start: not even the index can be written.
  for (const rlim_t most : {0, 1000, 5000, 40'000}) {
    in_child([&] {
      std::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{most, most};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
      const auto store = open_store(folder / ("full" + std::to_string(most)), a.identity);
      for (int i = 0; i < 3; ++i)
        if (large.put(*store)) return 2;
      if (large.fetch(*store) != Sequence::kMiss) return 3;
      const auto used = open_store(folder / "kv", a.identity);
      return a.fetch(*used) == Sequence::kRight ? 0 : 4;
    });
  }
  const auto store = open_store(folder / "kv", a.identity);
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  EXPECT_TRUE(large.put(*store));
}

TEST(DiskStore, AFailedWritePausesWriting) {
  const TempFolder folder;
  const Sequence a = sequence(1, 3), b = sequence(2, 3);
  in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    DiskStoreOptions options{
        .folder = folder.path(), .max_bytes = 1 << 30, .write_pause = std::chrono::hours(1)};
    const auto store = DiskStore::open(options, a.identity);
    const rlimit low{4000, 1 << 30}, high{1 << 30, 1 << 30};
    ::setrlimit(RLIMIT_FSIZE, &low);
    if (a.put(*store)) return 1;
    ::setrlimit(RLIMIT_FSIZE, &high);
    return b.put(*store) || store->failures().count(FailureLog::kWrite) != 1 ? 2 : 0;
  });
}

TEST(DiskStore, AFolderRemovedUnderARunningStore) {
  const TempFolder folder;
  const Sequence a = sequence(1, 3), b = sequence(2, 3);
  const auto store = open_store(folder / "kv", a.identity);
  EXPECT_TRUE(a.put(*store));
  const DiskMatch match = a.find(*store);
  std::filesystem::remove_all(folder / "kv");
  EXPECT_EQ(a.load(*store, match), Sequence::kRight) << "its files are still open";
  EXPECT_EQ(a.fetch(*store), Sequence::kMiss);
  EXPECT_TRUE(b.put(*store)) << "the folder is made again";
  EXPECT_EQ(b.fetch(*store), Sequence::kRight);
  std::filesystem::remove_all(folder / "kv");
  folder.write("kv", "now a file");
  EXPECT_EQ(b.fetch(*store), Sequence::kMiss);
  EXPECT_EQ(store->mode(), DiskStore::Mode::kOff);
  EXPECT_FALSE(b.put(*store));
}

TEST(DiskStore, AnIndexThatIsNoneIsMadeAgain) {
  const TempFolder folder;
  const Sequence a = sequence(1, 3);
  EXPECT_TRUE(a.put(*open_store(folder.path(), a.identity)));
  const std::string good = test::read_bytes(folder / "index.db");
  int round = 0;
  for (const std::string& bytes : {std::string(), std::string("text"), std::string(100'000, '\1'),
                                   good.substr(0, 6000), good.substr(0, 100), good + std::string(500, 'x')}) {
    for (const char* const part : {"index.db-wal", "index.db-shm"}) std::filesystem::remove(folder / part);
    test::write_bytes(folder / "index.db", bytes);
    const auto store = open_store(folder.path(), a.identity);
    EXPECT_EQ(store->mode(), DiskStore::Mode::kOn);
    EXPECT_EQ(a.fetch(*store), Sequence::kRight) << round++;
  }
  std::filesystem::remove(folder / "index.db");
  std::filesystem::create_directories(folder / "index.db" / "below");
  EXPECT_EQ(a.fetch(*open_store(folder.path(), a.identity)), Sequence::kRight) << "a folder in its place";
  {
    std::filesystem::remove_all(folder / "index.db");
    Sqlite foreign((folder / "index.db").string(), 0);
    foreign.execute("CREATE TABLE files(somebody, elses)");
  }
  EXPECT_EQ(a.fetch(*open_store(folder.path(), a.identity)), Sequence::kRight)
      << "the tables of something else";
}

TEST(DiskStore, TwoStoresOfOneFolderSeeEachOther) {
  const TempFolder folder;
  const Sequence a = sequence(1, 3), b = sequence(2, 3);
  const auto one = open_store(folder.path(), a.identity), two = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*one));
  EXPECT_EQ(a.fetch(*two), Sequence::kRight);
  const DiskMatch match = a.find(*two);
  one->prune(0);
  EXPECT_EQ(a.load(*two, match), Sequence::kRight) << "evicted after it was found";
  EXPECT_EQ(a.fetch(*two), Sequence::kMiss);
  EXPECT_TRUE(b.put(*two));
  EXPECT_EQ(b.fetch(*one), Sequence::kRight);
}

TEST(DiskStore, ThreadsShareAStore) {
  const TempFolder folder;
  std::vector<Sequence> all;
  for (uint64_t i = 0; i < 8; ++i) all.push_back(sequence(i, 2 + static_cast<int64_t>(i % 3)));
  const auto store = open_store(folder.path(), all[0].identity, 60'000);
  std::atomic<int> wrong{0}, right{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 60; ++i) {
        const Sequence& s = all[random() % all.size()];
        if (random() % 2 == 0) s.put(*store);
        const auto outcome = s.fetch(*store);
        wrong += outcome == Sequence::kWrong;
        right += outcome == Sequence::kRight;
        if (i % 20 == 0) store->prune(20'000);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
  EXPECT_EQ(store->failures().count(FailureLog::kDamagedFile), 0);
  EXPECT_EQ(store->failures().count(FailureLog::kDamagedIndex), 0);
}

}  // namespace
}  // namespace hadal
