#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "kv/disk_store.h"
#include "kv_support.h"

namespace hadal {
namespace {

using test::identity_of;
using test::ids_of;
using test::open_store;
using test::Sequence;
using test::TempFolder;

TEST(DiskStoreFind, TheLongestPrefixThatEndsAtATail) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 10));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store, 0, 10, {2, 7}));
  const DiskMatch match = a.find(*store);
  EXPECT_EQ(match.tokens, 7 * 128);
  EXPECT_EQ(match.tail_bytes, test::tail_bytes_of(a.keys[6]));
  EXPECT_EQ(match.mtp_length, test::mtp_of(a.keys[6]));
  EXPECT_EQ(a.load(*store, match), Sequence::kRight);
  EXPECT_EQ(a.load(*store, match, 5), Sequence::kRight) << "only what is not in memory";
  EXPECT_EQ(a.load(*store, match, 7), Sequence::kRight) << "the tail alone";
  EXPECT_EQ(a.find(*store, 6 * 128).tokens, 7 * 128);
  EXPECT_EQ(a.find(*store, 7 * 128).tokens, 0) << "no longer than what the caller has";
  EXPECT_EQ(store->find(store->root(), std::span(a.keys).first(6), a.ids).tokens, 2 * 128);
  EXPECT_EQ(store->find(store->root(), std::span(a.keys).first(1), a.ids).tokens, 0);
  EXPECT_EQ(store->find(store->root(), {}, {}).tokens, 0);
}

TEST(DiskStoreFind, BranchesShareTheirBeginning) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 4, 1, 8)), b(identity_of(300), ids_of(1, 4, 2, 6)),
      c(identity_of(300), ids_of(1, 4, 3, 5));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store));
  EXPECT_EQ(b.find(*store).tokens, 0) << "no tail where they part";
  EXPECT_TRUE(b.put(*store));
  EXPECT_EQ(b.find(*store).pieces.size(), 2u) << "the shared blocks are not stored twice";
  EXPECT_TRUE(c.put(*store, 4, 4, {4})) << "a tail where blocks are already";
  int64_t blocks = 0;
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 8);
  EXPECT_EQ(b.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 6);
  EXPECT_EQ(c.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 4);
}

TEST(DiskStoreFind, TheIdsOfTheFileDecide) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 3));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store));
  std::vector<int32_t> others = a.ids;
  others[200] ^= 1;  // as if two texts had one key
  EXPECT_EQ(store->find(store->root(), a.keys, others).tokens, 0);
}

TEST(DiskStoreFind, ADamagedFileIsRemovedAndTheRestStillServes) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 6));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store, 0, 3, {3}));
  const auto first = test::files_with(folder.path(), ".hkv");
  EXPECT_TRUE(a.put(*store, 3, 6, {6}));
  auto second = test::files_with(folder.path(), ".hkv");
  std::erase(second, first.at(0));
  std::string bytes = test::read_bytes(second.at(0));
  bytes[5000] = static_cast<char>(~bytes[5000]);
  test::write_bytes(second[0], bytes);

  const DiskMatch match = a.find(*store);
  EXPECT_EQ(match.tokens, 6 * 128) << "the header is whole";
  EXPECT_EQ(a.load(*store, match), Sequence::kMiss);
  EXPECT_FALSE(std::filesystem::exists(second[0]));
  EXPECT_EQ(store->failures().count(FailureLog::kDamagedFile), 1);
  int64_t blocks = 0;
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 3);
  EXPECT_TRUE(a.put(*store)) << "and it can be kept again";
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 6);
}

// The index says of every file that it is another: opening sees nothing wrong with it.
TEST(DiskStoreFind, AnIndexThatLiesIsMadeAgain) {
  const TempFolder folder;
  const Sequence a(identity_of(300), ids_of(1, 0, 0, 3)), b(identity_of(300), ids_of(2, 0, 0, 3));
  const auto store = open_store(folder.path(), a.identity);
  EXPECT_TRUE(a.put(*store));
  EXPECT_TRUE(b.put(*store));
  const std::string index = (folder / "index.db").string();
  Sqlite(index, 1000).execute("UPDATE blocks SET place = 2 - place");
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  Sqlite(index, 1000).execute("UPDATE blocks SET file = 3 - file");
  EXPECT_EQ(b.fetch(*store), Sequence::kRight);
  Sqlite(index, 1000).execute("UPDATE tails SET place = 1000000");
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  Sqlite(index, 1000).execute("UPDATE blocks SET place = -5");
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  Sqlite(index, 1000).execute("UPDATE files SET name = '../../etc/passwd' WHERE id = 1");
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  EXPECT_EQ(b.fetch(*store), Sequence::kRight);
  Sqlite(index, 1000).execute("DROP TABLE tails");
  EXPECT_EQ(a.fetch(*store), Sequence::kRight);
  EXPECT_EQ(store->failures().count(FailureLog::kDamagedFile), 0);
}

TEST(DiskStoreFind, AChainOfVeryManyFiles) {
  const TempFolder folder;
  const Sequence a(identity_of(20), ids_of(1, 0, 0, 150));
  const auto store = open_store(folder.path(), a.identity);
  for (int64_t i = 0; i < 150; i += 2) EXPECT_TRUE(a.put(*store, i, i + 2, {i + 2}));
  int64_t blocks = 0;
  EXPECT_EQ(a.fetch(*store, &blocks), Sequence::kRight);
  EXPECT_EQ(blocks, 150);
}

// Any order of puts, finds and evictions against a model: which blocks and tails have been put since the last
// eviction.
RC_GTEST_PROP(DiskStoreFind, AgreesWithAModel, ()) {
  const TempFolder folder;
  const KvIdentity identity = identity_of(*rc::gen::inRange<int64_t>(1, 400));
  std::vector<Sequence> all;
  for (uint64_t i = 0; i < 4; ++i)
    all.emplace_back(identity, ids_of(1, static_cast<int64_t>(2 * (i % 2)), i, 6));
  auto store = open_store(folder.path(), identity);
  std::set<BlockKey> blocks, tails;
  const auto steps = *rc::gen::inRange(1, 12);
  for (int step = 0; step < steps; ++step) {
    const Sequence& s = all[*rc::gen::inRange<size_t>(0, all.size())];
    switch (*rc::gen::inRange(0, 5)) {
      case 0:
        store.reset();
        store = open_store(folder.path(), identity);
        break;
      case 1: {
        store->prune(0);
        blocks.clear();
        tails.clear();
        break;
      }
      default: {
        const auto first = *rc::gen::inRange<int64_t>(0, 6), end = *rc::gen::inRange<int64_t>(first, 7);
        std::vector<int64_t> at;
        for (int64_t i = std::max<int64_t>(first, 1); i <= end; ++i)
          if (*rc::gen::inRange(0, 3) == 0) at.push_back(i);
        const bool possible = first == 0 || blocks.contains(s.key_before(first));
        const bool nothing = first == end && at.empty();
        RC_ASSERT(s.put(*store, first, end, at) == (possible || (nothing && possible)));
        if (!possible) break;
        for (int64_t i = first; i < end; ++i) blocks.insert(s.keys[i]);
        for (const int64_t i : at) tails.insert(s.keys[i - 1]);
      }
    }
    for (const Sequence& t : all) {
      int64_t expected = 0, found = 0;
      for (int64_t i = 1; i <= t.blocks() && blocks.contains(t.keys[i - 1]); ++i)
        if (tails.contains(t.keys[i - 1])) expected = i;
      const auto outcome = t.fetch(*store, &found);
      RC_ASSERT(found == expected);
      RC_ASSERT(outcome == (expected > 0 ? Sequence::kRight : Sequence::kMiss));
    }
  }
}

}  // namespace
}  // namespace hadal
