// Prefixes of earlier sequences, found again by their token ids: in memory, and below that on disk. What a
// sequence can start from is an anchor, a kept boundary; blocks of rows are kept as long as an anchor at or
// after them is.
//
// Eviction: anchors in two queues by last use. A new one is on probation; one that was used again is
// protected (system prompts, tool lists, the turns of a conversation), as long as the protected ones take no
// more than their share. Probation goes first. Anchors whose boundary a running sequence shares are
// passed over: nothing would be gained.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kv/chain.h"
#include "kv/disk_store.h"
#include "kv/disk_writer.h"
#include "model/state.h"

namespace hadal {

struct PrefixCacheOptions {
  KvIdentity identity;
  int64_t memory_bytes = KvPool::kNoLimit;  // of rows and boundaries here, shared with sequences or not
  std::unique_ptr<DiskStore> disk;          // null: memory only
  int64_t disk_queue_bytes = int64_t{1} << 30;
};

struct PrefixCacheStats {
  int64_t lookups = 0, hits = 0, disk_hits = 0;
  int64_t wanted_tokens = 0;                   // of all lookups
  int64_t memory_tokens = 0;                   // of those, found in memory
  int64_t disk_tokens = 0;                     // of those, read from disk
  int64_t blocks = 0, anchors = 0, bytes = 0;  // in memory now
  int64_t evicted_anchors = 0;
  DiskStats disk;
};

// One thread at a time. Layout and pool are those of the states.
class PrefixCache {
 public:
  PrefixCache(const StateLayout& layout, KvPool pool, PrefixCacheOptions options);
  ~PrefixCache();

  struct Match {
    Snapshot snapshot;  // what to restore; length 0: nothing was found
    // Where this prefix parts from another one that is known, if that is beyond the snapshot: worth a
    // boundary, because what two share a third will share too. Else 0.
    int64_t fork = 0;
  };
  // The longest known prefix of ids with at most `most` tokens, of those with this scope. Reads from disk
  // what memory lacks.
  Match match(std::span<const int32_t> ids, int64_t most, std::string_view scope = {});

  // Keeps the full blocks and boundaries of a state, by reference, for others of the same scope.
  void insert(const SequenceState& state, std::string_view scope = {});

  // Gives at least this much back to the pool, if it can, by evicting; returns how much it was.
  int64_t shrink(int64_t bytes);
  // Waits until the disk has what was inserted, which also lets go of memory.
  void flush();

  PrefixCacheStats stats() const;

 private:
  struct Node;
  enum class Queue : uint8_t { kNone, kProbation, kProtected };
  using Order = std::list<Node*>;  // least recently used first

  Node* find(const BlockKey& key, std::span<const int32_t> ids);
  Node& add(const BlockKey& key, Node* parent, std::span<const int32_t> ids);
  void place(Node& node, Queue queue, bool recent);
  void anchor(Node& node, const KvPiece& boundary, int64_t mtp_length, bool recent);
  void used(Node& node);
  int64_t evict(Node& node);
  int64_t evict_worst(bool idle_only);
  void keep_within_limits();
  bool idle(const Node& node) const;
  Match match_memory(std::span<const BlockKey> keys, std::span<const int32_t> ids, Node*& last);
  bool load(const DiskMatch& found, std::span<const BlockKey> keys, std::span<const int32_t> ids);
  KvPiece allocate(int64_t bytes);
  int64_t fork_on_disk(std::span<const BlockKey> keys, int64_t from) const;

  const StateLayout& layout_;
  KvPool pool_;
  const BlockKey root_;
  const int64_t memory_bytes_;
  std::unordered_map<BlockKey, std::unique_ptr<Node>, BlockKeyHash> nodes_;
  Order probation_, protected_;
  int64_t bytes_ = 0, protected_bytes_ = 0;
  mutable PrefixCacheStats stats_;
  std::unique_ptr<DiskStore> disk_;
  std::unique_ptr<DiskWriter> writer_;  // after disk_: it ends first
};

}  // namespace hadal
