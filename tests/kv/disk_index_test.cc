#include "kv/disk_index.h"

#include <gmock/gmock.h>

#include "kv_support.h"

namespace hadal {
namespace {

using test::identity_of;
using test::ids_of;
using test::TempFolder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Blocks [first, end) of a sequence as one file.
KvHeader header_of(const std::vector<int32_t>& ids, int64_t first, int64_t end,
                   const std::vector<int64_t>& tails) {
  KvHeader header;
  header.identity = identity_of(100);
  const auto keys = chain_keys(chain_root(header.identity), ids);
  header.parent = first == 0 ? chain_root(header.identity) : keys[static_cast<size_t>(first - 1)];
  header.first_block = first;
  header.ids.assign(ids.begin() + first * kChainBlockTokens, ids.begin() + end * kChainBlockTokens);
  header.block_checksums.resize(static_cast<size_t>(end - first));
  for (const int64_t tail : tails) header.tails.push_back({tail * kChainBlockTokens, 0, 10, 0, 0});
  place_sections(header);
  return header;
}

void add(DiskIndex& index, const std::string& name, const KvHeader& header, int64_t time) {
  SqliteTransaction transaction(index.database());
  EXPECT_TRUE(index.add(name, header, time));
  transaction.commit();
}

std::vector<std::string> evict_all(DiskIndex& index) {
  std::vector<std::string> evicted;
  EXPECT_TRUE(index.make_room(0, 0, {}, evicted));
  return evicted;
}

struct DiskIndexTest : ::testing::Test {
  DiskIndex index{":memory:", 0};
  std::vector<int32_t> ids = ids_of(1, 0, 0, 6);
  std::vector<BlockKey> keys = chain_keys(chain_root(identity_of(100)), ids);
};

TEST_F(DiskIndexTest, SaysWhereBlocksAndTailsLie) {
  add(index, "a", header_of(ids, 0, 3, {1, 3}), 5);
  add(index, "b", header_of(ids, 3, 3, {3}), 6);
  const auto block = index.blocks(keys[1]);
  ASSERT_EQ(block.size(), 1u);
  EXPECT_EQ(block[0].file, "a");
  EXPECT_EQ(block[0].place, 1);
  EXPECT_THAT(index.blocks(keys[3]), IsEmpty());
  EXPECT_THAT(index.tails(keys[1]), IsEmpty());
  EXPECT_EQ(index.tails(keys[0]).at(0).place, 0);
  EXPECT_EQ(index.tails(keys[2]).size(), 2u) << "one behind the blocks, one alone";
  EXPECT_EQ(index.file_count(), 2);
  const auto files = index.files();
  EXPECT_EQ(files[0].name, "b");
  EXPECT_EQ(files[1].identity, identity_of(100));
  EXPECT_EQ(files[1].end_tokens(), 3 * 128);
  EXPECT_EQ(files[1].tails, 2);
  EXPECT_EQ(files[1].last_used_us, 5);
  EXPECT_EQ(index.total_bytes(), files[0].bytes + files[1].bytes);
  EXPECT_FALSE(index.add("a", header_of(ids, 0, 3, {}), 9)) << "a name once";
  index.remove("a");
  EXPECT_THAT(index.blocks(keys[1]), IsEmpty());
  EXPECT_EQ(index.tails(keys[2]).size(), 1u);
}

TEST_F(DiskIndexTest, LeavesGoFirstWhateverTheTimesSay) {
  add(index, "root", header_of(ids, 0, 2, {2}), 1);
  add(index, "middle", header_of(ids, 2, 4, {4}), 2);
  add(index, "leaf", header_of(ids, 4, 6, {6}), 3);
  add(index, "tail", header_of(ids, 2, 2, {2}), 9);
  add(index, "other", header_of(ids_of(2, 0, 0, 2), 0, 2, {2}), 2);
  EXPECT_THAT(evict_all(index), ElementsAre("other", "leaf", "middle", "tail", "root"));
}

TEST_F(DiskIndexTest, AmongEqualsTheDeeperGoesFirst) {
  add(index, "a", header_of(ids, 0, 2, {2}), 4);
  add(index, "b", header_of(ids, 2, 4, {4}), 4);
  add(index, "c", header_of(ids_of(2, 0, 0, 2), 0, 2, {2}), 4);
  EXPECT_EQ(evict_all(index).front(), "b");
}

TEST_F(DiskIndexTest, RoomIsMadeOnlyAsFarAsNeeded) {
  add(index, "a", header_of(ids_of(1, 0, 0, 2), 0, 2, {}), 1);
  add(index, "b", header_of(ids_of(2, 0, 0, 2), 0, 2, {}), 2);
  add(index, "c", header_of(ids_of(3, 0, 0, 2), 0, 2, {}), 3);
  const int64_t file = index.total_bytes() / 3;
  std::vector<std::string> evicted;
  EXPECT_TRUE(index.make_room(file, 4 * file, {}, evicted));
  EXPECT_THAT(evicted, IsEmpty());
  EXPECT_TRUE(index.make_room(file, 3 * file, {"a"}, evicted));
  EXPECT_THAT(evicted, ElementsAre("b"));
  EXPECT_FALSE(index.make_room(2 * file, 2 * file, {"a"}, evicted));
  EXPECT_FALSE(index.make_room(INT64_MAX, 2 * file, {}, evicted));
  EXPECT_THAT(evicted, ElementsAre("b")) << "what cannot succeed removes nothing";
}

TEST_F(DiskIndexTest, TimesOnlyRise) {
  add(index, "a", header_of(ids, 0, 2, {}), 10);
  index.touch("a", 5);
  EXPECT_EQ(index.files()[0].last_used_us, 10);
  index.touch("a", 15);
  EXPECT_EQ(index.files()[0].last_used_us, 15);
}

TEST_F(DiskIndexTest, AParentIsAsRecentAsItsChildren) {
  add(index, "a", header_of(ids, 0, 2, {}), 1);
  add(index, "b", header_of(ids, 2, 4, {}), 2);
  add(index, "c", header_of(ids, 4, 6, {}), 30);
  index.normalize();
  for (const IndexedFile& file : index.files()) EXPECT_EQ(file.last_used_us, 30) << file.name;
  EXPECT_THAT(index.chain_of(keys[3]), UnorderedElementsAre("a", "b"));
  EXPECT_THAT(index.chain_of(keys[5]), UnorderedElementsAre("a", "b", "c"));
}

TEST_F(DiskIndexTest, RowsThatAreMissingAreNoticed) {
  add(index, "a", header_of(ids, 0, 2, {2}), 1);
  add(index, "b", header_of(ids, 2, 4, {}), 1);
  EXPECT_THAT(index.incomplete(), IsEmpty());
  index.database().execute("DELETE FROM tails");
  EXPECT_THAT(index.incomplete(), ElementsAre("a"));
  index.database().execute("INSERT INTO blocks VALUES(x'00', 2, 7), (x'00', 77, 7)");
  EXPECT_THAT(index.incomplete(), UnorderedElementsAre("a", "b"));
  index.normalize();
  EXPECT_EQ(index.database().text("SELECT count(*) FROM blocks WHERE file = 77"), "0");
}

TEST(DiskIndex, AFileOfSomethingElseIsRefusedAsBroken) {
  const TempFolder folder;
  const std::string path = (folder / "index.db").string();
  Sqlite(path, 0).execute("CREATE TABLE blocks(key BLOB)");
  try {
    DiskIndex index(path, 0);
    ADD_FAILURE();
  } catch (const SqliteError& error) {
    EXPECT_TRUE(error.broken());
  }
}

TEST(DiskIndex, IsThereAgainAfterwards) {
  const TempFolder folder;
  const std::string path = (folder / "index.db").string();
  const auto ids = ids_of(1, 0, 0, 2);
  {
    DiskIndex index(path, 0);
    add(index, "a", header_of(ids, 0, 2, {}), 1);
  }
  EXPECT_EQ(DiskIndex(path, 0).file_count(), 1);
}

}  // namespace
}  // namespace hadal
