// SQLite with owners and exceptions: a database, prepared statements, transactions. Nothing here knows what
// is stored.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hadal {

class SqliteError : public Error {
 public:
  SqliteError(int code, const std::string& message) : Error(ErrorCode::kIo, message), code_(code) {}
  int code() const { return code_; }  // SQLite's extended result code
  // The file itself is bad: not a database, damaged pages, other tables than expected.
  bool broken() const;

 private:
  int code_;
};

enum class SqliteAccess {
  kCreate,    // read and write; made when missing
  kExisting,  // read and write; an error when missing
  kReadOnly,
};

// For one thread at a time. Every failure is thrown as SqliteError.
class Sqlite {
 public:
  // ":memory:" for one without a file. Waits up to busy_ms for other processes' locks.
  Sqlite(const std::string& path, int busy_ms, SqliteAccess access = SqliteAccess::kCreate);
  ~Sqlite();
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void execute(const char* sql);
  // Switches the file to write-ahead logging. Waits for others as for any lock, which SQLite does not when
  // two connections switch at the same moment.
  void use_wal();
  std::string text(const char* sql);  // first column of the first row; empty when there is none
  bool read_only() const;             // also when write access was asked for and the system grants none
  int64_t changed_rows() const;       // by the last INSERT, UPDATE or DELETE
  int64_t last_insert_id() const;
  sqlite3* handle() const { return db_; }
  [[noreturn]] void fail(int code, std::string_view doing) const;

 private:
  sqlite3* db_ = nullptr;
  std::chrono::milliseconds busy_;
};

// Bound and stepped; reset by the next bind_all() or reset(). Columns are valid until then.
class SqliteStatement {
 public:
  SqliteStatement(Sqlite& db, const char* sql);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  // Parameters 1, 2, ... in order; resets first. Bytes are copied.
  template <class... Args>
  SqliteStatement& bind_all(const Args&... args) {
    reset();
    int index = 0;
    (bind(++index, args), ...);
    return *this;
  }
  bool step();  // true: a row
  void run();   // to its end; rows are ignored
  void reset();

  bool is_null(int column) const;
  int64_t integer(int column) const;
  std::string_view text(int column) const;
  std::span<const std::byte> blob(int column) const;

 private:
  void bind(int index, int64_t value);
  void bind(int index, const std::optional<int64_t>& value);  // none: NULL
  void bind(int index, std::string_view value);
  void bind(int index, std::span<const std::byte> value);

  Sqlite& db_;
  sqlite3_stmt* statement_ = nullptr;
};

// Takes the write lock at once; without commit() everything is undone.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(Sqlite& db);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;
  void commit();

 private:
  Sqlite& db_;
  bool open_ = true;
};

}  // namespace hadal
