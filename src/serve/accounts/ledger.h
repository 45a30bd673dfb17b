// Keys and their usage in one SQLite file that several processes may have open (docs/formats/ledger.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/sqlite.h"
#include "serve/accounts/account.h"
#include "serve/accounts/api_key.h"

namespace hadal::serve {

struct StoredKey {
  KeyInfo info;
  Bytes32 hash;
};

struct NewKey {
  KeyInfo info;     // id, last_four and created are made here
  std::string key;  // the only copy
};

// For one thread at a time. Every change is one transaction that is on the disk when the call returns; a
// process that is killed leaves all of it or nothing. Failures are thrown as Error naming the file:
// kNotFound, kInvalidFile (not a ledger, of a newer version, damaged), kIo.
class Ledger {
 public:
  enum class Access {
    kCreate,  // made when missing, readable by its owner only
    kWrite,
    kRead,
  };
  // Waits up to busy_ms for what other processes do.
  Ledger(const std::filesystem::path& file, Access access, int busy_ms = 5000);
  ~Ledger();

  const KeyHasher& hasher() const { return hasher_; }

  // Grows with every change to a key, of any process. Cheap.
  int64_t key_changes();
  std::vector<StoredKey> keys();

  // Makes a key of info's name, role, limits, expiry and credit. Throws Error{kInvalidInput} when a key that
  // is not revoked has this name.
  NewKey add_key(const KeyInfo& info, WallTime now);
  // Role, limits, expiry and credit of the key with this id.
  void change_key(const KeyInfo& info);
  void revoke_key(int64_t id, WallTime now);

  // Adds the totals of every row to what is there.
  void add_usage(std::span<const UsageRow> rows);
  // By day, key and model.
  std::vector<UsageRow> usage(const UsageQuery& query);
  // What each key has cost in this currency, by its id.
  std::map<int64_t, Money> spent(std::string_view currency);

 private:
  struct Statements;

  void open_tables(Access access);
  [[noreturn]] void rethrow(const SqliteError& error) const;
  template <class Body>
  auto guarded(Body&& body);
  void changed_key();

  std::string file_;
  std::unique_ptr<Sqlite> db_;
  KeyHasher hasher_{Bytes32{}};
  std::unique_ptr<Statements> statements_;
};

}  // namespace hadal::serve
