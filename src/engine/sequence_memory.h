// The memory of running sequences: their states in the pool, what they share with each other, and the way to
// and from the prefix cache. The only part of the engine that knows the cache. For the engine's thread.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/scheduler.h"
#include "kv/prefix_cache.h"
#include "model/state.h"

namespace hadal {

// A running sequence's state. Made and ended by SequenceMemory.
struct ResidentSequence {
  ResidentSequence(const StateLayout& layout, const KvPool& pool) : state(layout, pool) {}

  SequenceState state;
  std::string scope;  // whose cached prefixes it shares; empty: everybody's
  // Lengths to stop at and keep a boundary: the end of the prompt, and where other prompts part from it.
  // Ascending.
  std::vector<int64_t> stops;
  std::vector<const Storage*> counted;  // its blocks as the memory has counted them
  int64_t alone = 0;                    // how many of them no other running sequence has, at `version`
  uint64_t version = 0;
};

class SequenceMemory {
 public:
  // Boundaries of one sequence take at most boundary_bytes. The cache, which may be null, is of the same
  // layout and pool.
  SequenceMemory(const StateLayout& layout, KvPool pool, int64_t boundary_bytes,
                 std::unique_ptr<PrefixCache> cache);

  MemoryShape shape() const { return shape_; }
  // What all running sequences together may take.
  int64_t limit() const { return limit_; }
  // What they take now; a block that several share counts once.
  int64_t used() const;
  // What ending this one alone would give back.
  int64_t held(ResidentSequence& sequence) const;
  // What its next token needs besides new blocks: a copy of a last block that others share.
  int64_t owed(const ResidentSequence& sequence) const;

  // A state that holds as much of the beginning of `ids` as the cache has, never all of it: one token at
  // least is left to compute; and no more than `most` tokens. The first `prompt` of ids are what others may
  // share. Throws Error{kOutOfMemory}.
  std::unique_ptr<ResidentSequence> open(std::span<const int32_t> ids, int64_t prompt,
                                         int64_t most = std::numeric_limits<int64_t>::max(),
                                         std::string_view scope = {});
  // The next length where its forward passes should stop, or ScheduledSequence::kNoStop.
  int64_t next_stop(const ResidentSequence& sequence) const;
  // Room in the pool for so many bytes, at the expense of cache and boundaries; false if there is none.
  bool make_room(int64_t bytes);
  // After tokens were appended from length `from` on, or taken back: keeps a boundary, counts blocks.
  void update(ResidentSequence& sequence, int64_t from);
  // Others of its scope may go on from this sequence.
  void publish(const ResidentSequence& sequence);
  // The end of a running sequence.
  void close(std::unique_ptr<ResidentSequence> sequence);

  const KvPool& pool() const { return pool_; }
  PrefixCacheStats cache_stats() const { return cache_ ? cache_->stats() : PrefixCacheStats{}; }

 private:
  void count(ResidentSequence& sequence, size_t from);
  void drop(ResidentSequence& sequence, size_t to);

  const StateLayout& layout_;
  KvPool pool_;
  MemoryShape shape_;
  int64_t limit_;
  int64_t boundary_bytes_;
  std::vector<ResidentSequence*> residents_;
  std::unordered_map<const Storage*, int> uses_;  // how many running sequences have a block
  std::unique_ptr<PrefixCache> cache_;
  uint64_t version_ = 0;  // changes when a block gets or loses a second user
};

}  // namespace hadal
