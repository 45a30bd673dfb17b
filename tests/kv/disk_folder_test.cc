#include "kv/disk_folder.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kv/kv_reader.h"
#include "kv_support.h"

namespace hadal {
namespace {

namespace fs = std::filesystem;
using test::identity_of;
using test::ids_of;
using test::Sequence;
using test::TempFolder;

const std::string kName = std::string(32, 'a') + "-0123456789abcdef.hkv";

TEST(DiskFolder, NamesOfPayloadFiles) {
  EXPECT_TRUE(is_payload_name(kName));
  for (const std::string& name : {std::string(), std::string(".hkv"), "../" + kName.substr(3), kName + "x",
                                  kName.substr(1), std::string(49, '-') + ".hkv",
                                  std::string(49, 'a') + ".hkv", std::string("index.db"), kName + ".tmp-1-0"})
    EXPECT_FALSE(is_payload_name(name)) << name;
}

TEST(DiskFolder, PartsOfASessionHaveNoNameInTheCache) {
  KvHeader header;
  header.identity = identity_of(10);
  header.parent = chain_root(header.identity);
  header.ids.resize(128);
  EXPECT_EQ(payload_name(header, 0x12), header.keys()[0].hex() + "-0000000000000012.hkv");
  header.tails = {{100, 0, 1, 0, 0}};
  EXPECT_FALSE(payload_name(header, 0));
  header.tails.clear();
  header.ids.resize(130);
  EXPECT_FALSE(payload_name(header, 0));
  header.ids.clear();
  EXPECT_EQ(payload_name(header, 0)->substr(0, 32), header.parent.hex());
}

TEST(DiskFolder, TemporariesOfDeadWritersGo) {
  const TempFolder folder;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const fs::path of_dead = folder.write(kName + ".tmp-" + std::to_string(dead) + "-0", "x");
  const fs::path of_living = folder.write(kName + ".tmp-" + std::to_string(::getppid()) + "-0", "x");
  const fs::path old = folder.write(kName + ".tmp-" + std::to_string(::getppid()) + "-1", "x");
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(2));
  const fs::path others[] = {folder.write("notes.tmp-" + std::to_string(dead) + "-0", "x"),
                             folder.write(kName + ".tmp-x", "x"), folder.write(kName, "x")};
  remove_dead_temporaries(folder.path());
  EXPECT_FALSE(fs::exists(of_dead));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(of_living));
  for (const fs::path& other : others) EXPECT_TRUE(fs::exists(other)) << other;
}

struct DiskFolderTest : ::testing::Test {
  TempFolder folder;
  Sequence a{identity_of(200), ids_of(1, 0, 0, 3)};
  FailureLog log;

  std::string put() {
    EXPECT_TRUE(a.put(*test::open_store(folder.path(), a.identity)));
    return test::files_with(folder.path(), ".hkv").at(0).filename().string();
  }
  int64_t files_in_index(bool remove_damaged = true) {
    const OpenedFolder opened = open_cache_folder(folder.path(), {.remove_damaged = remove_damaged}, log);
    EXPECT_TRUE(opened.writable);
    return opened.index->file_count();
  }
};

TEST_F(DiskFolderTest, DamagedFilesWithoutARowAreRemoved) {
  const std::string name = put();
  for (const auto& part : test::files_with(folder.path(), "index")) fs::remove(part);
  fs::resize_file(folder / name, 5000);
  EXPECT_EQ(files_in_index(false), 0);
  EXPECT_TRUE(fs::exists(folder / name)) << "somebody only looks";
  EXPECT_EQ(files_in_index(), 0);
  EXPECT_FALSE(fs::exists(folder / name));
  EXPECT_EQ(log.count(FailureLog::kDamagedFile), 2);
}

TEST_F(DiskFolderTest, AFileUnderAnothersNameIsDamaged) {
  const std::string name = put();
  fs::rename(folder / name, folder / kName);
  EXPECT_EQ(files_in_index(), 0);
  EXPECT_FALSE(fs::exists(folder / kName));
}

TEST_F(DiskFolderTest, AFileWhoseSizeIsNotThatOfItsRowIsReadAgain) {
  const std::string name = put();
  fs::resize_file(folder / name, fs::file_size(folder / name) + 1);
  EXPECT_EQ(files_in_index(), 0);
}

TEST_F(DiskFolderTest, FilesOfAnotherVersionAreLeftAlone) {
  const std::string name = put();
  std::string bytes = test::read_bytes(folder / name);
  bytes[8] = 9;
  for (const auto& part : test::files_with(folder.path(), "index")) fs::remove(part);
  test::write_bytes(folder / name, bytes);
  EXPECT_EQ(files_in_index(), 0);
  EXPECT_TRUE(fs::exists(folder / name));
  EXPECT_EQ(log.count(FailureLog::kForeignFile), 1);
}

TEST_F(DiskFolderTest, WhatIsNotOursIsNotTouched) {
  put();
  fs::create_directory(folder / (std::string(32, 'b') + "-0123456789abcdef.hkv"));
  fs::create_symlink("/etc/passwd", folder / kName);
  folder.write("README", "mine");
  EXPECT_EQ(files_in_index(), 1);
  EXPECT_TRUE(fs::is_symlink(folder / kName));
  EXPECT_TRUE(fs::exists(folder / "README"));
}

TEST_F(DiskFolderTest, RowsWithoutAFileAreDropped) {
  const std::string name = put();
  fs::remove(folder / name);
  EXPECT_EQ(files_in_index(), 0);
}

TEST_F(DiskFolderTest, ABrokenIndexIsPutAside) {
  put();
  test::write_bytes(folder / "index.db", "nonsense, and rather a lot of it");
  EXPECT_EQ(files_in_index(), 1);
  EXPECT_EQ(test::read_bytes(folder / "index.db.broken"), "nonsense, and rather a lot of it");
  EXPECT_EQ(log.count(FailureLog::kDamagedIndex), 1);
  const OpenedFolder rebuilt = rebuild_cache_folder(folder.path(), {}, log);
  EXPECT_EQ(rebuilt.index->file_count(), 1);
}

TEST(FailureLogTest, CountsEveryFailure) {
  FailureLog log;
  for (int i = 0; i < 3; ++i) log.report(FailureLog::kWrite, "written down once");
  EXPECT_EQ(log.count(FailureLog::kWrite), 3);
  EXPECT_EQ(log.count(FailureLog::kOff), 0);
}

}  // namespace
}  // namespace hadal
