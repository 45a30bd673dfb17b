#include "io/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <thread>

namespace hadal {

bool SqliteError::broken() const {
  switch (code_ & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // a statement of ours does not compile: the tables are others
    case SQLITE_SCHEMA:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_FORMAT:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return true;
    default:
      return false;
  }
}

namespace {

int open_flags(SqliteAccess access) {
  switch (access) {
    case SqliteAccess::kCreate:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case SqliteAccess::kExisting:
      return SQLITE_OPEN_READWRITE;
    case SqliteAccess::kReadOnly:
      return SQLITE_OPEN_READONLY;
  }
  return SQLITE_OPEN_READONLY;
}

}  // namespace

Sqlite::Sqlite(const std::string& path, int busy_ms, SqliteAccess access) : busy_(busy_ms) {
  const int code = sqlite3_open_v2(path.c_str(), &db_, open_flags(access) | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) {
    const std::string reason = db_ != nullptr ? sqlite3_errmsg(db_) : "out of memory";
    const int extended = db_ != nullptr ? sqlite3_extended_errcode(db_) : code;
    sqlite3_close_v2(db_);
    throw SqliteError(extended, fmt::format("{}: cannot open the database: {}", path, reason));
  }
  sqlite3_extended_result_codes(db_, 1);
  sqlite3_busy_timeout(db_, busy_ms);
  // The file is untrusted: no SQL of its own may run, and pages are looked at before they are believed.
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
}

Sqlite::~Sqlite() {
  sqlite3_close_v2(db_);
}

void Sqlite::fail(int code, std::string_view doing) const {
  const char* const file = sqlite3_db_filename(db_, "main");
  throw SqliteError(code, fmt::format("{}: {}: {}", file != nullptr && *file != 0 ? file : "index", doing,
                                      sqlite3_errmsg(db_)));
}

void Sqlite::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, sql);
}

void Sqlite::use_wal() {
  const auto end = std::chrono::steady_clock::now() + busy_;
  while (true) {
    try {
      return execute("PRAGMA journal_mode = WAL");
    } catch (const SqliteError& error) {
      if ((error.code() & 0xff) != SQLITE_BUSY || std::chrono::steady_clock::now() >= end) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string Sqlite::text(const char* sql) {
  SqliteStatement statement(*this, sql);
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

bool Sqlite::read_only() const {
  return sqlite3_db_readonly(db_, "main") == 1;
}

int64_t Sqlite::changed_rows() const {
  return sqlite3_changes64(db_);
}

int64_t Sqlite::last_insert_id() const {
  return sqlite3_last_insert_rowid(db_);
}

SqliteStatement::SqliteStatement(Sqlite& db, const char* sql) : db_(db) {
  const int code = sqlite3_prepare_v3(db.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (code != SQLITE_OK) db.fail(code, sql);
}

SqliteStatement::~SqliteStatement() {
  sqlite3_finalize(statement_);
}

bool SqliteStatement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const int extended = sqlite3_extended_errcode(db_.handle());
  db_.fail(extended, sqlite3_sql(statement_));
}

void SqliteStatement::run() {
  while (step()) {
  }
  reset();
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_);
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view SqliteStatement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr
             ? std::string_view()
             : std::string_view(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

std::span<const std::byte> SqliteStatement::blob(int column) const {
  const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {bytes, bytes == nullptr ? 0 : static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

void SqliteStatement::bind(int index, int64_t value) {
  if (const int code = sqlite3_bind_int64(statement_, index, value)) db_.fail(code, "bind");
}

void SqliteStatement::bind(int index, const std::optional<int64_t>& value) {
  if (value) return bind(index, *value);
  if (const int code = sqlite3_bind_null(statement_, index)) db_.fail(code, "bind");
}

void SqliteStatement::bind(int index, std::string_view value) {
  if (const int code =
          sqlite3_bind_text64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8))
    db_.fail(code, "bind");
}

void SqliteStatement::bind(int index, std::span<const std::byte> value) {
  if (const int code = sqlite3_bind_blob64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT))
    db_.fail(code, "bind");
}

SqliteTransaction::SqliteTransaction(Sqlite& db) : db_(db) {
  db_.execute("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() {
  // A failed statement may have rolled back already.
  if (open_) sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void SqliteTransaction::commit() {
  db_.execute("COMMIT");
  open_ = false;
}

}  // namespace hadal
