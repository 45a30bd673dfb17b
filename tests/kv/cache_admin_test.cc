#include "kv/cache_admin.h"

#include <gmock/gmock.h>

#include "kv_support.h"

namespace hadal {
namespace {

namespace fs = std::filesystem;
using test::identity_of;
using test::ids_of;
using test::Sequence;
using test::TempFolder;

struct CacheAdmin : ::testing::Test {
  TempFolder folder;
  std::vector<Sequence> all;

  CacheAdmin() {
    for (uint64_t i = 0; i < 3; ++i)
      all.emplace_back(identity_of(500, i % 2), ids_of(i, 0, 0, 2 + static_cast<int64_t>(i)));
    for (const Sequence& s : all) EXPECT_TRUE(s.put(*test::open_store(folder / "kv", s.identity)));
  }
};

TEST_F(CacheAdmin, ListsFilesOfAllModels) {
  const auto files = list_cache(folder / "kv");
  ASSERT_EQ(files.size(), 3u);
  EXPECT_EQ(files[0].identity, all[2].identity) << "the most recently used first";
  EXPECT_EQ(files[0].end_tokens(), 4 * 128);
  EXPECT_EQ(files[2].identity, all[0].identity);
}

TEST_F(CacheAdmin, VerifyFindsOneChangedByte) {
  for (const VerifiedFile& file : verify_cache(folder / "kv", false)) EXPECT_EQ(file.problem, "");
  const fs::path bad = test::files_with(folder / "kv", ".hkv").at(1);
  std::string bytes = test::read_bytes(bad);
  bytes.back() = static_cast<char>(~bytes.back());
  test::write_bytes(bad, bytes);
  int problems = 0;
  for (const VerifiedFile& file : verify_cache(folder / "kv", false)) {
    problems += !file.problem.empty();
    EXPECT_EQ(file.problem.empty(), file.name != bad.filename().string());
  }
  EXPECT_EQ(problems, 1);
  EXPECT_TRUE(fs::exists(bad));
  EXPECT_EQ(verify_cache(folder / "kv", true).size(), 3u);
  EXPECT_FALSE(fs::exists(bad));
  EXPECT_EQ(list_cache(folder / "kv").size(), 2u);
}

TEST_F(CacheAdmin, PruneKeepsWhatWasUsedLast) {
  const int64_t last = list_cache(folder / "kv")[0].bytes;
  const PruneResult done = prune_cache(folder / "kv", last);
  EXPECT_EQ(done.removed_files, 2);
  EXPECT_EQ(done.files, 1);
  EXPECT_EQ(done.bytes, last);
  EXPECT_EQ(test::files_with(folder / "kv", ".hkv").size(), 1u);
  EXPECT_EQ(all[2].fetch(*test::open_store(folder / "kv", all[2].identity)), Sequence::kRight);
  EXPECT_EQ(prune_cache(folder / "kv", 0).files, 0);
}

TEST_F(CacheAdmin, AFolderThatIsNotThere) {
  test::error_of(ErrorCode::kNotFound, [&] { list_cache(folder / "none"); });
  test::error_of(ErrorCode::kNotFound, [&] { verify_cache(folder / "none", true); });
  test::error_of(ErrorCode::kNotFound, [&] { prune_cache(folder / "none", 0); });
  EXPECT_FALSE(fs::exists(folder / "none"));
  folder.write("file", "x");
  test::error_of(ErrorCode::kIo, [&] { list_cache(folder / "file"); });
}

}  // namespace
}  // namespace hadal
