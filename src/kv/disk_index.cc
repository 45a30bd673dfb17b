#include "kv/disk_index.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/check.h"

namespace hadal {
namespace {

// In the order of their names, as `schema_text` below lists them.
constexpr const char* kSchema[] = {
    "CREATE TABLE blocks(key BLOB NOT NULL, file INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(key, "
    "file)) "
    "WITHOUT ROWID",
    "CREATE INDEX blocks_of_file ON blocks(file)",
    "CREATE TABLE files(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fingerprint BLOB NOT NULL, "
    "numerics TEXT NOT NULL, generation TEXT NOT NULL, block_bytes INTEGER NOT NULL, parent BLOB NOT NULL, "
    "first_block INTEGER NOT NULL, blocks INTEGER NOT NULL, tails INTEGER NOT NULL, bytes INTEGER NOT NULL, "
    "last_used INTEGER NOT NULL)",
    "CREATE INDEX files_by_parent ON files(parent)",
    "CREATE INDEX files_by_use ON files(last_used, first_block DESC)",
    "CREATE TABLE tails(key BLOB NOT NULL, file INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY(key, "
    "file)) "
    "WITHOUT ROWID",
    "CREATE INDEX tails_of_file ON tails(file)",
};
constexpr const char* kSchemaQuery =
    "SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name)";

#define HADAL_FILE_COLUMNS                                                                             \
  "f.name, f.fingerprint, f.numerics, f.generation, f.block_bytes, f.first_block, f.blocks, f.tails, " \
  "f.bytes, f.last_used"

std::string schema_text() {
  return fmt::format("{}", fmt::join(kSchema, ";"));
}

}  // namespace

DiskIndex::Opened::Opened(Sqlite& db) {
  db.use_wal();
  db.execute("PRAGMA synchronous = NORMAL");  // what a power cut may lose are rows; the payload files bring
                                              // them back
  db.execute("PRAGMA cell_size_check = ON");
  if (db.text("PRAGMA quick_check(1)") != "ok")
    throw SqliteError(SQLITE_CORRUPT, "index: its pages are damaged");
  SqliteTransaction transaction(db);
  const std::string found = db.text(kSchemaQuery);
  if (found.empty())
    for (const char* const statement : kSchema) db.execute(statement);
  else if (found != schema_text())
    throw SqliteError(SQLITE_NOTADB, "index: the tables of something else");
  transaction.commit();
}

DiskIndex::DiskIndex(const std::string& path, int busy_ms)
    : db_(path, busy_ms),
      opened_(db_),
      block_places_(db_,
                    "SELECT f.name, b.place FROM blocks b JOIN files f ON f.id = b.file WHERE b.key = ?1"),
      tail_places_(db_, "SELECT f.name, t.place FROM tails t JOIN files f ON f.id = t.file WHERE t.key = ?1"),
      insert_file_(db_,
                   "INSERT OR IGNORE INTO files(name, fingerprint, numerics, generation, block_bytes, "
                   "parent, first_block, "
                   "blocks, tails, bytes, last_used) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
      insert_block_(db_, "INSERT OR REPLACE INTO blocks(key, file, place) VALUES(?1, ?2, ?3)"),
      insert_tail_(db_, "INSERT OR REPLACE INTO tails(key, file, place) VALUES(?1, ?2, ?3)"),
      find_file_(db_, "SELECT id, bytes FROM files WHERE name = ?1"),
      delete_blocks_(db_, "DELETE FROM blocks WHERE file = ?1"),
      delete_tails_(db_, "DELETE FROM tails WHERE file = ?1"),
      delete_file_(db_, "DELETE FROM files WHERE id = ?1"),
      touch_(db_, "UPDATE files SET last_used = ?2 WHERE name = ?1 AND last_used < ?2"),
      totals_(db_, "SELECT coalesce(sum(bytes), 0), count(*) FROM files"),
      parents_(db_, "SELECT f.name, f.parent FROM blocks b JOIN files f ON f.id = b.file WHERE b.key = ?1"),
      victims_(db_, "SELECT " HADAL_FILE_COLUMNS
                    " FROM files f WHERE NOT EXISTS(SELECT 1 FROM blocks b JOIN files c ON c.parent = b.key "
                    "WHERE b.file = f.id AND c.id <> f.id) ORDER BY f.last_used, f.first_block DESC") {}

std::vector<IndexPlace> DiskIndex::places(SqliteStatement& statement, const BlockKey& key) {
  std::vector<IndexPlace> out;
  statement.bind_all(key.bytes());
  while (statement.step()) out.push_back({std::string(statement.text(0)), statement.integer(1)});
  statement.reset();
  return out;
}

std::vector<IndexPlace> DiskIndex::blocks(const BlockKey& key) {
  return places(block_places_, key);
}

std::vector<IndexPlace> DiskIndex::tails(const BlockKey& key) {
  return places(tail_places_, key);
}

IndexedFile DiskIndex::row(const SqliteStatement& statement) {
  IndexedFile file;
  file.name = statement.text(0);
  if (const auto blob = statement.blob(1); blob.size() == 16)
    file.identity.fingerprint = Hash128::from_bytes(blob.first<16>());
  file.identity.numerics = statement.text(2);
  file.identity.prompt_generation = statement.text(3);
  file.identity.block_bytes = statement.integer(4);
  file.first_block = statement.integer(5);
  file.blocks = statement.integer(6);
  file.tails = statement.integer(7);
  file.bytes = statement.integer(8);
  file.last_used_us = statement.integer(9);
  return file;
}

std::vector<IndexedFile> DiskIndex::files() {
  SqliteStatement statement(
      db_, "SELECT " HADAL_FILE_COLUMNS " FROM files f ORDER BY f.last_used DESC, f.first_block, f.name");
  std::vector<IndexedFile> out;
  while (statement.step()) out.push_back(row(statement));
  return out;
}

int64_t DiskIndex::total(int column) {
  totals_.bind_all();
  const int64_t value = totals_.step() ? totals_.integer(column) : 0;
  totals_.reset();
  return value;
}

int64_t DiskIndex::total_bytes() {
  return total(0);
}

int64_t DiskIndex::file_count() {
  return total(1);
}

int64_t DiskIndex::bytes_of(const std::set<std::string>& names) {
  int64_t bytes = 0;
  for (const std::string& name : names) {
    find_file_.bind_all(name);
    if (find_file_.step()) bytes += find_file_.integer(1);
    find_file_.reset();
  }
  return bytes;
}

std::set<std::string> DiskIndex::chain_of(const BlockKey& key) {
  std::set<std::string> names;
  std::vector<BlockKey> wanted = {key};
  while (!wanted.empty()) {
    const BlockKey next = wanted.back();
    wanted.pop_back();
    parents_.bind_all(next.bytes());
    while (parents_.step()) {
      const auto parent = parents_.blob(1);
      if (names.insert(std::string(parents_.text(0))).second && parent.size() == 16)
        wanted.push_back(Hash128::from_bytes(parent.first<16>()));
    }
    parents_.reset();
  }
  return names;
}

std::optional<IndexedFile> DiskIndex::victim(const std::set<std::string>& keep) {
  std::optional<IndexedFile> out;
  victims_.bind_all();
  while (!out && victims_.step())
    if (!keep.contains(std::string(victims_.text(0)))) out = row(victims_);
  victims_.reset();
  return out;
}

bool DiskIndex::make_room(int64_t bytes, int64_t max_bytes, const std::set<std::string>& keep,
                          std::vector<std::string>& evicted) {
  if (bytes > max_bytes || bytes_of(keep) > max_bytes - bytes) return false;
  int64_t total = total_bytes();
  while (total > max_bytes - bytes) {
    const auto next = victim(keep);
    if (!next) return false;
    remove(next->name);
    evicted.push_back(next->name);
    total -= next->bytes;
  }
  return true;
}

std::vector<std::string> DiskIndex::incomplete() {
  SqliteStatement statement(
      db_,
      "SELECT name FROM files f WHERE blocks <> (SELECT count(*) FROM blocks WHERE file = f.id) OR "
      "tails <> (SELECT count(*) FROM tails WHERE file = f.id)");
  std::vector<std::string> out;
  while (statement.step()) out.emplace_back(statement.text(0));
  return out;
}

bool DiskIndex::add(const std::string& name, const KvHeader& header, int64_t last_used_us) {
  const KvIdentity& identity = header.identity;
  insert_file_
      .bind_all(name, identity.fingerprint.bytes(), identity.numerics, identity.prompt_generation,
                identity.block_bytes, header.parent.bytes(), header.first_block, header.blocks(),
                static_cast<int64_t>(header.tails.size()), header.file_bytes, last_used_us)
      .run();
  if (sqlite3_changes(db_.handle()) == 0) return false;
  const int64_t id = sqlite3_last_insert_rowid(db_.handle());
  const std::vector<BlockKey> keys = header.keys();
  for (size_t i = 0; i < keys.size(); ++i)
    insert_block_.bind_all(keys[i].bytes(), id, static_cast<int64_t>(i)).run();
  for (size_t i = 0; i < header.tails.size(); ++i) {
    const int64_t blocks = (header.tails[i].length - header.begin()) / kChainBlockTokens;
    const BlockKey& key = blocks == 0 ? header.parent : keys.at(static_cast<size_t>(blocks - 1));
    insert_tail_.bind_all(key.bytes(), id, static_cast<int64_t>(i)).run();
  }
  return true;
}

void DiskIndex::remove(const std::string& name) {
  find_file_.bind_all(name);
  const bool found = find_file_.step();
  const int64_t id = found ? find_file_.integer(0) : 0;
  find_file_.reset();
  if (!found) return;
  delete_blocks_.bind_all(id).run();
  delete_tails_.bind_all(id).run();
  delete_file_.bind_all(id).run();
}

void DiskIndex::touch(const std::string& name, int64_t last_used_us) {
  touch_.bind_all(name, last_used_us).run();
}

void DiskIndex::normalize() {
  db_.execute("DELETE FROM blocks WHERE file NOT IN (SELECT id FROM files)");
  db_.execute("DELETE FROM tails WHERE file NOT IN (SELECT id FROM files)");
  // Deepest first, so that one pass carries a time from a leaf to its root.
  SqliteStatement order(db_, "SELECT parent FROM files WHERE first_block > 0 ORDER BY first_block DESC");
  std::vector<BlockKey> parents;
  while (order.step())
    if (const auto blob = order.blob(0); blob.size() == 16)
      parents.push_back(Hash128::from_bytes(blob.first<16>()));
  order.reset();
  SqliteStatement raise(
      db_,
      "UPDATE files SET last_used = max(last_used, (SELECT max(last_used) FROM files WHERE parent = ?1)) "
      "WHERE id IN (SELECT file FROM blocks WHERE key = ?1)");
  for (const BlockKey& parent : parents) raise.bind_all(parent.bytes()).run();
}

}  // namespace hadal
