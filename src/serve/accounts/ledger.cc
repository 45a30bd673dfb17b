#include "serve/accounts/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "base/check.h"

namespace hadal::serve {
namespace {

constexpr int64_t kApplicationId = 0x48644c67;  // marks the file as ours in SQLite's header
constexpr int64_t kVersion = 1;

// STRICT tables hold what their columns say, whoever wrote them.
constexpr const char* kSchema[] = {
    "CREATE TABLE meta(one INTEGER PRIMARY KEY CHECK(one = 1), salt BLOB NOT NULL, key_changes INTEGER NOT "
    "NULL) "
    "STRICT",
    "CREATE TABLE keys(id INTEGER PRIMARY KEY, name TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, last_four TEXT "
    "NOT "
    "NULL, role TEXT NOT NULL, requests_per_minute INTEGER, tokens_per_minute INTEGER, concurrent INTEGER, "
    "created "
    "INTEGER NOT NULL, expires INTEGER, revoked INTEGER, credit INTEGER, currency TEXT) STRICT",
    "CREATE UNIQUE INDEX names_in_use ON keys(name) WHERE revoked IS NULL",
    "CREATE TABLE usage(key INTEGER NOT NULL, day INTEGER NOT NULL, model TEXT NOT NULL, currency TEXT NOT "
    "NULL, "
    "requests INTEGER NOT NULL, errors INTEGER NOT NULL, prompt_cache_hit_tokens INTEGER NOT NULL, "
    "prompt_cache_miss_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER "
    "NOT "
    "NULL, cost INTEGER NOT NULL, PRIMARY KEY(key, day, model, currency)) STRICT, WITHOUT ROWID",
};

std::span<const std::byte> blob(const Bytes32& bytes) {
  return std::span(bytes);
}

std::optional<int64_t> seconds(const std::optional<WallTime>& time) {
  return time ? std::optional<int64_t>(time->time_since_epoch().count()) : std::nullopt;
}

WallTime wall_time(int64_t unix_seconds) {
  return WallTime(std::chrono::seconds(unix_seconds));
}

int64_t day_number(std::chrono::sys_days day) {
  return day.time_since_epoch().count();
}

std::optional<int64_t> optional_integer(const SqliteStatement& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional<int64_t>(row.integer(column));
}

std::optional<Bytes32> bytes32(std::span<const std::byte> bytes) {
  Bytes32 out;
  if (bytes.size() != out.size()) return std::nullopt;
  std::memcpy(out.data(), bytes.data(), out.size());
  return out;
}

// Ends a reader's view of the file, also when a row is refused.
struct ResetAtEnd {
  SqliteStatement& statement;
  ~ResetAtEnd() { statement.reset(); }
};

// An empty file that only its owner may read, unless something is there.
void create_private(const std::string& file) {
  const int fd = ::open(file.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) ::close(fd);
}

}  // namespace

struct Ledger::Statements {
  explicit Statements(Sqlite& db)
      : key_changes(db, "SELECT key_changes FROM meta"),
        keys(db,
             "SELECT id, name, hash, last_four, role, requests_per_minute, tokens_per_minute, concurrent, "
             "created, "
             "expires, revoked, credit, currency FROM keys ORDER BY id"),
        usage(db,
              "SELECT u.key, k.name, u.day, u.model, u.currency, u.requests, u.errors, "
              "u.prompt_cache_hit_tokens, "
              "u.prompt_cache_miss_tokens, u.completion_tokens, u.reasoning_tokens, u.cost FROM usage u LEFT "
              "JOIN "
              "keys k ON k.id = u.key WHERE u.day >= ?1 AND (?2 = '' OR k.name = ?2) ORDER BY u.day, k.name, "
              "u.key, "
              "u.model, u.currency"),
        spent(db, "SELECT key, sum(cost) FROM usage WHERE currency = ?1 GROUP BY key") {}

  SqliteStatement key_changes, keys, usage, spent;
};

template <class Body>
auto Ledger::guarded(Body&& body) {
  try {
    return body();
  } catch (const SqliteError& error) {
    rethrow(error);
  }
}

Ledger::Ledger(const std::filesystem::path& file, Access access, int busy_ms) : file_(file.string()) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  if (status.type() == std::filesystem::file_type::not_found && access != Access::kCreate)
    fail(ErrorCode::kNotFound, "{}: there is no such ledger; 'hadal keys add NAME --ledger {}' makes one",
         file_, file_);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
    fail(ErrorCode::kInvalidInput, "{}: not a file, so it cannot be a ledger", file_);
  if (access == Access::kCreate) create_private(file_);
  guarded([&] {
    // Absolute, so that no name is taken for one of SQLite's special ones.
    db_ =
        std::make_unique<Sqlite>(std::filesystem::absolute(file).string(), busy_ms,
                                 access == Access::kRead ? SqliteAccess::kReadOnly : SqliteAccess::kExisting);
    if (access != Access::kRead && db_->read_only()) throw SqliteError(SQLITE_READONLY, "");
    open_tables(access);
  });
}

Ledger::~Ledger() = default;

// Which failures are whose fault, in words that say what to do.
void Ledger::rethrow(const SqliteError& error) const {
  switch (error.code() & 0xff) {
    case SQLITE_READONLY:
      fail(ErrorCode::kIo,
           "{}: the ledger cannot be written: the file, its folder or the disk is read-only. Usage and keys "
           "are "
           "written there",
           file_);
    case SQLITE_CANTOPEN:
      fail(ErrorCode::kIo,
           "{}: the ledger cannot be opened: the file and its folder must be readable, and writable too",
           file_);
    case SQLITE_BUSY:
      fail(ErrorCode::kIo, "{}: the ledger is held by another program for too long", file_);
    case SQLITE_NOTADB:
      fail(ErrorCode::kInvalidFile, "{}: not a ledger", file_);
    default:
      fail(error.broken() ? ErrorCode::kInvalidFile : ErrorCode::kIo, "{}: {} ({})", file_,
           error.broken() ? "the ledger is damaged" : "the ledger cannot be used", error.what());
  }
}

void Ledger::open_tables(Access access) {
  const auto pragma = [&](const char* sql) { return SqliteStatement(*db_, sql); };
  const auto number = [&](const char* sql) {
    SqliteStatement statement = pragma(sql);
    return statement.step() ? statement.integer(0) : 0;
  };
  db_->execute("PRAGMA cell_size_check = ON");
  if (access == Access::kCreate && number("SELECT count(*) FROM sqlite_master") == 0) {
    db_->use_wal();
    SqliteTransaction transaction(*db_);
    // Somebody else may have been faster.
    if (number("SELECT count(*) FROM sqlite_master") == 0) {
      db_->execute(fmt::format("PRAGMA application_id = {}", kApplicationId).c_str());
      db_->execute(fmt::format("PRAGMA user_version = {}", kVersion).c_str());
      for (const char* const sql : kSchema) db_->execute(sql);
      SqliteStatement(*db_, "INSERT INTO meta VALUES(1, ?1, 0)").bind_all(blob(random_bytes32())).run();
    }
    transaction.commit();
  }
  if (number("PRAGMA application_id") != kApplicationId) throw SqliteError(SQLITE_NOTADB, "");
  const int64_t version = number("PRAGMA user_version");
  if (version != kVersion)
    fail(ErrorCode::kUnsupported, "{}: a ledger of version {}; this program knows version {}", file_, version,
         kVersion);
  if (access != Access::kRead) {
    db_->use_wal();
    // Money: what was committed survives a power cut.
    db_->execute("PRAGMA synchronous = FULL");
  }
  if (db_->text("PRAGMA quick_check(1)") != "ok") throw SqliteError(SQLITE_CORRUPT, "damaged pages");
  SqliteStatement salt = pragma("SELECT salt FROM meta");
  const std::optional<Bytes32> bytes = salt.step() ? bytes32(salt.blob(0)) : std::nullopt;
  if (!bytes) throw SqliteError(SQLITE_CORRUPT, "meta.salt: expected 32 bytes");
  hasher_ = KeyHasher(*bytes);
  statements_ = std::make_unique<Statements>(*db_);
}

int64_t Ledger::key_changes() {
  return guarded([&] {
    SqliteStatement& row = statements_->key_changes;
    const ResetAtEnd reset{row};
    return row.step() ? row.integer(0) : -1;
  });
}

void Ledger::changed_key() {
  db_->execute("UPDATE meta SET key_changes = key_changes + 1");
}

std::vector<StoredKey> Ledger::keys() {
  return guarded([&] {
    std::vector<StoredKey> out;
    SqliteStatement& row = statements_->keys;
    const ResetAtEnd reset{row};
    while (row.step()) {
      StoredKey key;
      key.info.id = row.integer(0);
      const auto damaged = [&](const char* field, const char* expected) {
        fail(ErrorCode::kInvalidFile, "{}: key {}: {}: expected {}", file_, key.info.id, field, expected);
      };
      const auto name = check_key_name(row.text(1));
      if (!name) damaged("name", "a name");
      key.info.name = *name;
      const std::optional<Bytes32> hash = bytes32(row.blob(2));
      if (!hash) damaged("hash", "32 bytes");
      key.hash = *hash;
      key.info.last_four = printable_ascii(row.text(3).substr(0, 4));
      const std::optional<Role> role = parse_role(row.text(4));
      if (!role) damaged("role", "user or admin");
      key.info.role = *role;
      key.info.limits = {optional_integer(row, 5), optional_integer(row, 6), optional_integer(row, 7)};
      key.info.created = wall_time(row.integer(8));
      if (const auto expires = optional_integer(row, 9)) key.info.expires = wall_time(*expires);
      if (const auto revoked = optional_integer(row, 10)) key.info.revoked = wall_time(*revoked);
      if (const auto credit = optional_integer(row, 11)) {
        if (!is_currency(row.text(12))) damaged("currency", "three capital letters");
        key.info.credit = Credit{Money{*credit}, std::string(row.text(12))};
      }
      out.push_back(std::move(key));
    }
    return out;
  });
}

NewKey Ledger::add_key(const KeyInfo& info, WallTime now) {
  NewKey made{info, make_api_key()};
  made.info.last_four = last_four_of(made.key);
  made.info.created = now;
  const KeyLimits& limits = info.limits;
  try {
    SqliteTransaction transaction(*db_);
    SqliteStatement insert(*db_,
                           "INSERT INTO keys(name, hash, last_four, role, requests_per_minute, "
                           "tokens_per_minute, concurrent, created, "
                           "expires, credit, currency) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    insert
        .bind_all(info.name, blob(hasher_.of_key(made.key)), made.info.last_four, role_name(info.role),
                  limits.requests_per_minute, limits.tokens_per_minute, limits.concurrent,
                  int64_t{now.time_since_epoch().count()}, seconds(info.expires),
                  info.credit ? std::optional<int64_t>(info.credit->amount.nano) : std::nullopt,
                  info.credit ? info.credit->currency : std::string())
        .run();
    made.info.id = db_->last_insert_id();
    changed_key();
    transaction.commit();
  } catch (const SqliteError& error) {
    if (error.code() == SQLITE_CONSTRAINT_UNIQUE)
      fail(ErrorCode::kInvalidInput,
           "{}: there is a key named '{}' already; revoke it or choose another name", file_, info.name);
    rethrow(error);
  }
  return made;
}

void Ledger::change_key(const KeyInfo& info) {
  guarded([&] {
    SqliteTransaction transaction(*db_);
    SqliteStatement(
        *db_,
        "UPDATE keys SET role = ?2, requests_per_minute = ?3, tokens_per_minute = ?4, concurrent = ?5, "
        "expires = ?6, credit = ?7, currency = ?8 WHERE id = ?1")
        .bind_all(info.id, role_name(info.role), info.limits.requests_per_minute,
                  info.limits.tokens_per_minute, info.limits.concurrent, seconds(info.expires),
                  info.credit ? std::optional<int64_t>(info.credit->amount.nano) : std::nullopt,
                  info.credit ? info.credit->currency : std::string())
        .run();
    changed_key();
    transaction.commit();
  });
}

void Ledger::revoke_key(int64_t id, WallTime now) {
  guarded([&] {
    SqliteTransaction transaction(*db_);
    SqliteStatement(*db_, "UPDATE keys SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL")
        .bind_all(id, int64_t{now.time_since_epoch().count()})
        .run();
    changed_key();
    transaction.commit();
  });
}

void Ledger::add_usage(std::span<const UsageRow> rows) {
  guarded([&] {
    SqliteTransaction transaction(*db_);
    SqliteStatement add(
        *db_,
        "INSERT INTO usage VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO UPDATE SET "
        "requests = "
        "requests + excluded.requests, errors = errors + excluded.errors, prompt_cache_hit_tokens = "
        "prompt_cache_hit_tokens + excluded.prompt_cache_hit_tokens, prompt_cache_miss_tokens = "
        "prompt_cache_miss_tokens + excluded.prompt_cache_miss_tokens, completion_tokens = completion_tokens "
        "+ "
        "excluded.completion_tokens, reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost = "
        "cost + "
        "excluded.cost");
    for (const UsageRow& row : rows) {
      const UsageTotals& t = row.totals;
      add.bind_all(row.key_id, day_number(row.day), row.model, row.currency, t.requests, t.errors,
                   t.cache_hit_tokens, t.cache_miss_tokens, t.completion_tokens, t.reasoning_tokens,
                   t.cost.nano)
          .run();
    }
    transaction.commit();
  });
}

std::vector<UsageRow> Ledger::usage(const UsageQuery& query) {
  return guarded([&] {
    std::vector<UsageRow> out;
    SqliteStatement& row = statements_->usage;
    const ResetAtEnd reset{row};
    row.bind_all(query.since ? day_number(*query.since) : int64_t{INT64_MIN}, query.key.value_or(""));
    while (row.step()) {
      UsageRow use;
      use.key_id = row.integer(0);
      use.key = row.text(1);
      use.day = std::chrono::sys_days(std::chrono::days(row.integer(2)));
      use.model = row.text(3);
      use.currency = row.text(4);
      use.totals = {row.integer(5), row.integer(6),  row.integer(7),        row.integer(8),
                    row.integer(9), row.integer(10), Money{row.integer(11)}};
      out.push_back(std::move(use));
    }
    return out;
  });
}

std::map<int64_t, Money> Ledger::spent(std::string_view currency) {
  return guarded([&] {
    std::map<int64_t, Money> out;
    SqliteStatement& row = statements_->spent;
    const ResetAtEnd reset{row};
    row.bind_all(currency);
    while (row.step()) out[row.integer(0)] = Money{row.integer(1)};
    return out;
  });
}

}  // namespace hadal::serve
