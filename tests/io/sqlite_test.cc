#include "io/sqlite.h"

#include <gmock/gmock.h>

#include <functional>

#include "support/files.h"

namespace hadal {
namespace {

using test::TempFolder;
using ::testing::HasSubstr;

SqliteError error_from(const std::function<void()>& body) {
  try {
    body();
  } catch (const SqliteError& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {0, ""};
}

TEST(Sqlite, BindsAndReads) {
  Sqlite db(":memory:", 0);
  db.execute("CREATE TABLE t(a INTEGER, b TEXT, c BLOB)");
  const std::string text("x\0y", 3);
  SqliteStatement insert(db, "INSERT INTO t VALUES(?1, ?2, ?3)");
  for (const int64_t value : {INT64_MIN, int64_t{-1}, INT64_MAX})
    insert.bind_all(value, text, std::as_bytes(std::span(text))).run();
  SqliteStatement select(db, "SELECT a, b, c FROM t WHERE a > ?1 ORDER BY a");
  select.bind_all(int64_t{-5});
  ASSERT_TRUE(select.step());
  EXPECT_EQ(select.integer(0), -1);
  EXPECT_EQ(select.text(1), text);
  ASSERT_EQ(select.blob(2).size(), 3u);
  EXPECT_EQ(std::memcmp(select.blob(2).data(), text.data(), 3), 0);
  ASSERT_TRUE(select.step());
  EXPECT_EQ(select.integer(0), INT64_MAX);
  EXPECT_FALSE(select.step());
  EXPECT_EQ(db.text("SELECT b FROM t WHERE a = 7"), "");
}

TEST(Sqlite, ATransactionWithoutCommitLeavesNothing) {
  Sqlite db(":memory:", 0);
  db.execute("CREATE TABLE t(a)");
  {
    SqliteTransaction transaction(db);
    db.execute("INSERT INTO t VALUES(1)");
  }
  {
    SqliteTransaction transaction(db);
    db.execute("INSERT INTO t VALUES(2)");
    transaction.commit();
  }
  EXPECT_EQ(db.text("SELECT group_concat(a) FROM t"), "2");
}

TEST(Sqlite, NoValueIsNull) {
  Sqlite db(":memory:", 0);
  db.execute("CREATE TABLE t(a INTEGER)");
  SqliteStatement insert(db, "INSERT INTO t VALUES(?1)");
  insert.bind_all(std::optional<int64_t>()).run();
  insert.bind_all(std::optional<int64_t>(7)).run();
  EXPECT_EQ(db.last_insert_id(), 2);
  SqliteStatement select(db, "SELECT a FROM t ORDER BY rowid");
  ASSERT_TRUE(select.step());
  EXPECT_TRUE(select.is_null(0));
  ASSERT_TRUE(select.step());
  EXPECT_FALSE(select.is_null(0));
  EXPECT_EQ(select.integer(0), 7);
  db.execute("UPDATE t SET a = 1");
  EXPECT_EQ(db.changed_rows(), 2);
}

TEST(Sqlite, Access) {
  const TempFolder folder;
  const std::string file = (folder / "file").string();
  EXPECT_THROW(Sqlite(file, 0, SqliteAccess::kExisting), SqliteError);
  EXPECT_THROW(Sqlite(file, 0, SqliteAccess::kReadOnly), SqliteError);
  EXPECT_FALSE(std::filesystem::exists(file));
  Sqlite(file, 0, SqliteAccess::kCreate).execute("CREATE TABLE t(a)");
  Sqlite writes(file, 0, SqliteAccess::kExisting);
  writes.execute("INSERT INTO t VALUES(1)");
  EXPECT_FALSE(writes.read_only());
  Sqlite reads(file, 0, SqliteAccess::kReadOnly);
  EXPECT_TRUE(reads.read_only());
  EXPECT_EQ(reads.text("SELECT a FROM t"), "1");
  EXPECT_THROW(reads.execute("INSERT INTO t VALUES(2)"), SqliteError);
}

TEST(Sqlite, WhichErrorsMeanABrokenFile) {
  const TempFolder folder;
  folder.write("text", std::string(5000, 'x'));
  EXPECT_TRUE(error_from([&] {
                Sqlite((folder / "text").string(), 0).text("SELECT * FROM sqlite_master");
              }).broken());
  Sqlite db((folder / "good").string(), 0);
  EXPECT_TRUE(error_from([&] { SqliteStatement(db, "SELECT a FROM missing"); }).broken());
  EXPECT_FALSE(error_from([&] { Sqlite((folder / "no" / "folder").string(), 0); }).broken());

  db.execute("PRAGMA journal_mode = WAL");
  db.execute("CREATE TABLE t(a)");
  Sqlite other((folder / "good").string(), 1);
  const SqliteTransaction holds_the_lock(db);
  const SqliteError busy = error_from([&] { SqliteTransaction waits(other); });
  EXPECT_FALSE(busy.broken());
  EXPECT_THAT(busy.what(), HasSubstr("good"));
}

}  // namespace
}  // namespace hadal
