// The disk tier of the prefix cache: rows and tails of prefixes in one folder, found again by their token ids
// after a restart. Whatever happens to the folder, the worst is a miss.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "kv/disk_folder.h"
#include "kv/kv_reader.h"
#include "kv/kv_writer.h"

namespace hadal {

struct DiskStoreOptions {
  std::filesystem::path folder;
  int64_t max_bytes = 0;  // of payload files; all identities in the folder count
  std::chrono::milliseconds write_pause{
      30'000};         // after a write that failed, nothing is written for this long
  int busy_ms = 1000;  // how long another process's lock on the index is waited for
};

// A prefix that is on disk. Holds the files open, so that it can be loaded even if it is evicted in the
// meantime.
struct DiskMatch {
  int64_t tokens = 0;      // a multiple of 128; 0: nothing was found
  int64_t mtp_length = 0;  // of the tail at `tokens`
  int64_t tail_bytes = 0;  // as the file says: compare with what the model needs before allocating

  struct Piece {
    std::string name;
    std::shared_ptr<const KvReader> file;
    int64_t place = 0, first = 0, count = 0;  // blocks: in the file, in the sequence, how many
  };
  std::vector<Piece> pieces;  // ascending, without gaps
  Piece tail;                 // place: which of the file's tails
};

// What to keep: rows of blocks [first_block, first_block + blocks.size()) and tails at ends of them (or of
// the parent).
struct DiskEntry {
  BlockKey parent;  // of the block before first_block; for 0 the store's root() or a scope of it
  int64_t first_block = 0;
  std::span<const int32_t> ids;              // 128 a block
  std::span<const std::byte* const> blocks;  // block_bytes each
  std::span<const KvTailSource> tails;       // lengths ascending, multiples of 128
};

struct DiskStats {
  int64_t bytes = 0, files = 0;                // in the folder now
  int64_t hits = 0, misses = 0;                // of find()
  int64_t loaded_bytes = 0, stored_bytes = 0;  // since the store was opened
  int64_t failed_loads = 0, evicted_files = 0, refused_puts = 0;
};

// Thread-safe; several processes may use one folder. No lock is held while payload files are read or written.
// Nothing throws for what the disk does: it is logged, a warning for each kind of failure and store, and
// counts as a miss.
class DiskStore {
 public:
  enum class Mode { kOn, kReadOnly, kOff };

  static std::unique_ptr<DiskStore> open(const DiskStoreOptions& options, const KvIdentity& identity);
  ~DiskStore();
  DiskStore(const DiskStore&) = delete;
  DiskStore& operator=(const DiskStore&) = delete;

  Mode mode() const;
  const BlockKey& root() const { return root_; }

  // The longest prefix of ids that ends at a stored tail, is longer than more_than_tokens, and has all its
  // blocks here. keys: chain_keys(root, ids), or the first of them, of root() or a scope of it. The ids in
  // the files are compared with these.
  DiskMatch find(const BlockKey& root, std::span<const BlockKey> keys, std::span<const int32_t> ids,
                 int64_t more_than_tokens = 0);

  // Blocks from_block ... match.tokens / 128 - 1 into blocks[0], blocks[1], ... and the tail, whose span has
  // match.tail_bytes bytes. False, the memory holding anything, when a file turns out to be bad; it is then
  // removed.
  bool load(const DiskMatch& match, int64_t from_block, std::span<std::byte* const> blocks,
            std::span<std::byte> tail);

  // By the index alone: good for deciding what to write, not a promise.
  bool contains(const BlockKey& key);
  bool has_tail(const BlockKey& key);

  // True: all of it is on disk now. Blocks and tails that are there already are not written again. False: the
  // store is not writable, the entry can never fit, its parent is not here, or writing failed.
  bool put(const DiskEntry& entry);

  // Evicts until at most max_bytes are left; the limit of the store stays.
  void prune(int64_t max_bytes);
  // Times of use are collected and written with the next put, or by this.
  void flush();
  DiskStats stats();
  const FailureLog& failures() const { return log_; }

 private:
  struct Segment;
  struct Plan;

  DiskStore(const DiskStoreOptions& options, const KvIdentity& identity);

  // Runs body with the lock held and an index that is the one in the folder. An index that turns out to be
  // broken is made again, and body runs once more. False when there is none or it fails; then body's effects
  // are not to be used.
  bool with_index(const std::function<void(DiskIndex&)>& body);
  void reopen(bool rebuild);
  bool index_is_current() const;

  // disk_store_find.cc
  Plan plan_find(DiskIndex& index, std::span<const BlockKey> keys, int64_t more_than_tokens);
  std::optional<DiskMatch> open_plan(const Plan& plan, const BlockKey& root, std::span<const BlockKey> keys,
                                     std::span<const int32_t> ids, bool& again);
  bool open_piece(DiskMatch::Piece& piece, bool hold, bool& again);
  void discard(const std::string& name, const KvProblem& problem);

  // disk_store_put.cc
  std::vector<Segment> missing_segments(DiskIndex& index, const DiskEntry& entry,
                                        std::span<const BlockKey> keys);
  bool write_segments(std::span<const Segment> segments, const DiskEntry& entry,
                      std::span<const BlockKey> keys);

  void apply_touches(DiskIndex& index);
  int64_t now_us();

  const DiskStoreOptions options_;
  const KvIdentity identity_;
  const BlockKey root_;
  FailureLog log_;

  mutable std::mutex mutex_;  // guards all below
  std::unique_ptr<DiskIndex> index_;
  bool writable_ = false;
  dev_t index_device_ = 0;
  ino_t index_inode_ = 0;
  int reopened_ = 0;
  std::map<std::string, int64_t> touches_;  // name to time, not in the index yet
  int64_t last_us_ = 0;
  std::chrono::steady_clock::time_point writes_resume_;
  DiskStats stats_;
};

}  // namespace hadal
