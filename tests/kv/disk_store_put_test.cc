#include <gmock/gmock.h>

#include "kv/disk_store.h"
#include "kv_support.h"

namespace hadal {
namespace {

using test::identity_of;
using test::ids_of;
using test::open_store;
using test::Sequence;
using test::TempFolder;

TEST(DiskStorePut, WhatIsThereIsNotWrittenAgain) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 4));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store, 0, 4, {2, 4}));
  const auto files = test::files_with(folder.path(), ".hkv");
  const int64_t stored = store->stats().stored_bytes;
  EXPECT_TRUE(a.put(*store, 0, 4, {2, 4}));
  EXPECT_TRUE(a.put(*store, 1, 3, {2}));
  EXPECT_TRUE(a.put(*store, 2, 2, {2}));
  EXPECT_EQ(test::files_with(folder.path(), ".hkv"), files);
  EXPECT_EQ(store->stats().stored_bytes, stored);
  EXPECT_TRUE(store->contains(a.keys[3]));
  EXPECT_TRUE(store->has_tail(a.keys[1]));
  EXPECT_FALSE(store->has_tail(a.keys[2]));
}

TEST(DiskStorePut, TheSameContentHasTheSameName) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 4));
  EXPECT_TRUE(a.put(*open_store(folder / "x", a.identity)));
  EXPECT_TRUE(a.put(*open_store(folder / "y", a.identity)));
  const auto x = test::files_with(folder / "x", ".hkv"), y = test::files_with(folder / "y", ".hkv");
  ASSERT_EQ(x.size(), 1u);
  ASSERT_EQ(y.size(), 1u);
  EXPECT_EQ(x[0].filename(), y[0].filename());
  EXPECT_EQ(x[0].filename().string().substr(0, 32), a.keys[3].hex());
  EXPECT_EQ(test::read_bytes(x[0]), test::read_bytes(y[0]));
}

TEST(DiskStorePut, OnlyWhatIsMissingIsWritten) {
  const TempFolder folder;
  const Sequence a(identity_of(10'000), ids_of(1, 3, 1, 4)), b(identity_of(10'000), ids_of(1, 3, 2, 5));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store));
  const int64_t before = store->stats().stored_bytes;
  EXPECT_TRUE(b.put(*store));
  const int64_t bytes = store->stats().stored_bytes - before;
  EXPECT_GT(bytes, 2 * 10'000);
  EXPECT_LT(bytes, 3 * 10'000 + 4096);
}

TEST(DiskStorePut, LargeEntriesAreSeveralFiles) {
  const TempFolder folder;
  const Sequence a(identity_of(int64_t{23} << 20), ids_of(1, 0, 0, 3));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store));
  EXPECT_EQ(test::files_with(folder.path(), ".hkv").size(), 2u);
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
}

TEST(DiskStorePut, WithoutItsParentAnEntryIsRefused) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 4));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_FALSE(a.put(*store, 2, 4, {4}));
  EXPECT_TRUE(test::files_with(folder.path(), ".hkv").empty());
  EXPECT_EQ(store->stats().refused_puts, 1);
}

TEST(DiskStorePut, WhatCanNeverFitEvictsNothing) {
  const TempFolder folder;
  const Sequence a(identity_of(1000), ids_of(1, 0, 0, 4)), large(identity_of(1000), ids_of(2, 0, 0, 40));
  const auto store = open_store(folder.path(), a.identity, 20'000);
  EXPECT_TRUE(a.put(*store));
  EXPECT_FALSE(large.put(*store));
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  EXPECT_EQ(store->failures().count(FailureLog::kTooLarge), 1);
}

TEST(DiskStorePut, TheChainThatIsContinuedIsNotEvicted) {
  const TempFolder folder;
  const Sequence a(identity_of(1000), ids_of(1, 0, 0, 12)), b(identity_of(1000), ids_of(2, 0, 0, 4));
  const auto store = open_store(folder.path(), a.identity, 20'000);
  EXPECT_TRUE(a.put(*store, 0, 4, {4}));
  EXPECT_TRUE(b.put(*store));
  EXPECT_TRUE(a.put(*store, 4, 8, {8})) << "b, used later than the beginning of a, makes room";
  int64_t blocks = 0;
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 8);
  EXPECT_EQ(b.fetch(*store), Sequence::kMiss);
  EXPECT_FALSE(a.put(*store, 8, 12, {12}));
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 8);
}

TEST(DiskStorePut, AFileWithoutARowIsTakenInAtOpening) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 4));
  EXPECT_TRUE(a.put(*open_store(folder.path(), a.identity)));
  for (const auto& part : test::files_with(folder.path(), "index.db")) std::filesystem::remove(part);
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
}

}  // namespace
}  // namespace hadal
