// The index of a cache folder: which block lies in which payload file, what was used when. It holds nothing
// that the payload files do not say themselves, except the times of use, and nobody believes it without
// looking into the file.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/sqlite.h"
#include "kv/chain.h"
#include "kv/kv_file.h"

namespace hadal {

// A block or tail: the file and which of its blocks or tails it is.
struct IndexPlace {
  std::string file;  // name in the folder
  int64_t place = 0;
};

struct IndexedFile {
  std::string name;
  KvIdentity identity;
  int64_t first_block = 0, blocks = 0, tails = 0;
  int64_t bytes = 0;
  int64_t last_used_us = 0;  // since 1970

  int64_t end_tokens() const { return (first_block + blocks) * kChainBlockTokens; }
};

// For one thread at a time; other processes may have the same file open. Everything throws SqliteError.
class DiskIndex {
 public:
  // path: a file, created when missing, or ":memory:". A file that is damaged or has other tables than ours
  // is refused with an error that is broken().
  DiskIndex(const std::string& path, int busy_ms);

  std::vector<IndexPlace> blocks(const BlockKey& key);
  // Tails at the end of the block; of the root for none.
  std::vector<IndexPlace> tails(const BlockKey& key);
  std::vector<IndexedFile> files();
  int64_t total_bytes();
  int64_t file_count();
  int64_t bytes_of(const std::set<std::string>& names);
  // Every file that holds the block or one before it in its chain.
  std::set<std::string> chain_of(const BlockKey& key);
  // What to evict first: least recently used, among files whose blocks no other file continues. None when
  // only `keep` is left.
  std::optional<IndexedFile> victim(const std::set<std::string>& keep);
  // Inside a transaction: removes the rows of files, in that order, until `bytes` more fit below max_bytes,
  // and adds the names of these files to `evicted`. False when that cannot be done without a file of `keep`.
  bool make_room(int64_t bytes, int64_t max_bytes, const std::set<std::string>& keep,
                 std::vector<std::string>& evicted);
  // Files whose blocks or tails are not all listed.
  std::vector<std::string> incomplete();

  // Changes, each inside a transaction of the caller.
  Sqlite& database() { return db_; }
  // False when a file of this name is there already. The header's tails lie at multiples of 128.
  bool add(const std::string& name, const KvHeader& header, int64_t last_used_us);
  void remove(const std::string& name);
  // Never sets a time back.
  void touch(const std::string& name, int64_t last_used_us);
  // Every file at least as recently used as those that continue it; blocks and tails of no file removed.
  void normalize();

 private:
  struct Opened {
    Opened(Sqlite& db);
  };
  std::vector<IndexPlace> places(SqliteStatement& statement, const BlockKey& key);
  int64_t total(int column);
  static IndexedFile row(const SqliteStatement& statement);

  Sqlite db_;
  Opened opened_;
  SqliteStatement block_places_, tail_places_, insert_file_, insert_block_, insert_tail_, find_file_,
      delete_blocks_, delete_tails_, delete_file_, touch_, totals_, parents_, victims_;
};

}  // namespace hadal
