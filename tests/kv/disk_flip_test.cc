// Any byte of any file of a cache folder changed: what is served is right or nothing, and the cache works
// again.
#include <gtest/gtest.h>

#include <map>
#include <random>

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

std::vector<Sequence> sequences() {
  std::vector<Sequence> out;
  const KvIdentity identity = identity_of(700);
  for (uint64_t i = 0; i < 3; ++i) out.emplace_back(identity, ids_of(1, 2, i, 4));
  out.emplace_back(identity, ids_of(9, 0, 0, 3));
  return out;
}

void put_all(DiskStore& store, const std::vector<Sequence>& all) {
  for (const Sequence& s : all) {
    s.put(store, 0, 2, {2});
    s.put(store, 2, s.blocks(), {s.blocks()});
  }
}

// Files by name as they lie there while a store is open: the newest rows only in the log of the index.
std::map<std::string, std::string> folder_image(const std::vector<Sequence>& all) {
  const TempFolder folder;
  put_all(*open_store(folder.path(), all[0].identity), {all[0], all[3]});
  const auto store = open_store(folder.path(), all[0].identity);
  put_all(*store, all);
  std::map<std::string, std::string> image;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    if (!entry.path().string().ends_with("-shm"))  // made new by whoever opens the index alone
      image[entry.path().filename().string()] = test::read_bytes(entry.path());
  return image;
}

struct Tally {
  int right = 0, missed = 0, wrong = 0, not_healed = 0;
};

// Opens, fetches everything, puts everything again, fetches again.
void use(const std::filesystem::path& folder, const std::vector<Sequence>& all, Tally& tally) {
  const auto store = open_store(folder, all[0].identity);
  for (const Sequence& s : all) {
    int64_t blocks = 0;
    const auto outcome = s.fetch(*store, &blocks);
    tally.wrong += outcome == Sequence::kWrong;
    tally.right += outcome == Sequence::kRight && blocks == s.blocks();
    tally.missed += outcome == Sequence::kMiss || (outcome == Sequence::kRight && blocks < s.blocks());
  }
  put_all(*store, all);
  for (const Sequence& s : all) tally.not_healed += s.fetch(*store) != Sequence::kRight;
}

void flip(const std::map<std::string, std::string>& image, const std::vector<Sequence>& all, int flips,
          uint64_t seed, Tally& tally) {
  std::mt19937_64 random(seed);
  size_t total = 0;
  for (const auto& [name, bytes] : image) total += bytes.size();
  const TempFolder folder;
  for (int round = 0; round < flips; ++round) {
    size_t at = random() % total;
    std::string changed;
    std::filesystem::remove_all(folder / "kv");
    std::filesystem::create_directory(folder / "kv");
    for (const auto& [name, bytes] : image) {
      std::string now = bytes;
      if (changed.empty() && at < bytes.size()) {
        now[at] = static_cast<char>(now[at] ^ (1 + random() % 255));
        changed = name;
      } else {
        at -= std::min(at, changed.empty() ? bytes.size() : 0);
      }
      test::write_bytes(folder / "kv" / name, now);
    }
    use(folder / "kv", all, tally);
    ASSERT_EQ(tally.wrong, 0) << changed << " at " << at << ", seed " << seed << ", round " << round;
    ASSERT_EQ(tally.not_healed, 0) << changed << " at " << at << ", seed " << seed << ", round " << round;
  }
}

class DiskFlip : public ::testing::Test {
 protected:
  void SetUp() override { set_log_level(LogLevel::kError); }  // a warning each, otherwise
  void TearDown() override { set_log_level(LogLevel::kWarning); }
};

TEST_F(DiskFlip, TheImageHasEveryKindOfFile) {
  const auto all = sequences();
  const auto image = folder_image(all);
  EXPECT_TRUE(image.contains("index.db"));
  EXPECT_GT(image.at("index.db-wal").size(), 4096u);
  EXPECT_GE(image.size(), 7u);
}

TEST_F(DiskFlip, AFewFlipsInEveryFile) {
  const auto all = sequences();
  Tally tally;
  flip(folder_image(all), all, 300, 1, tally);
  EXPECT_GT(tally.right, 300);
  EXPECT_GT(tally.missed, 50);
}

TEST_F(DiskFlip, TenThousandFlipsSlow) {
  const auto all = sequences();
  Tally tally;
  flip(folder_image(all), all, 10'000, 2, tally);
  EXPECT_GT(tally.right, 10'000);
  EXPECT_GT(tally.missed, 1000);
  RecordProperty("right", tally.right);
  RecordProperty("missed", tally.missed);
}

}  // namespace
}  // namespace hadal
