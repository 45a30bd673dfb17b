// What the next step of the engine does: who is admitted, who gives up memory, which tokens are computed. A
// pure function of numbers: no clock, no I/O, no model.
//
// Every sequence has a place in one order: higher priority first, then earlier arrival. The rules:
//  * A running sequence with nothing to compute but what its last step gave it (decode) gets it in every
//    step, or a token of it where memory or a stop are in the way of all.
//  * Sequences with more to compute (prefill) share chunk_tokens a step, in order, so that a long prompt
//  slows
//    the others by at most a chunk. A chunk that does not finish its sequence ends at a multiple of a block
//    if it can reach one, and no chunk passes the length where its sequence asked to stop.
//  * Bytes are never over-committed: what the work of a step adds is at most what is available and what the
//    preempted give back.
//  * When memory is short, the last running sequence in the order is preempted: it gives back its state and
//    waits at its old place. The first is never preempted, so something always progresses.
//  * The first of the waiting is admitted when all its known tokens fit, and a block more for it and for
//    everyone running: whoever comes in works for at least a block before memory can be short again. Nobody
//    overtakes it. If it has a higher priority than the last of the running, those give way.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/result.h"

namespace hadal {

// Bytes of a state by its length.
struct MemoryShape {
  int64_t fixed_bytes = 0;
  int64_t block_bytes = 0;  // may be 0: a model that keeps a window only
  int64_t block_tokens = 128;

  int64_t blocks(int64_t tokens) const { return (tokens + block_tokens - 1) / block_tokens; }
  int64_t bytes(int64_t tokens) const { return tokens == 0 ? 0 : fixed_bytes + blocks(tokens) * block_bytes; }
};

struct SchedulerConfig {
  int64_t chunk_tokens = 512;  // prefill tokens in one step, at least 1
  int64_t max_batch = 64;      // sequences that run at the same time, at least 1
};

// What the scheduler knows of one sequence.
struct ScheduledSequence {
  static constexpr int64_t kNoStop = std::numeric_limits<int64_t>::max();

  uint64_t id = 0;
  int priority = 0;           // higher first
  uint64_t arrival = 0;       // unique; earlier first
  int64_t length = 0;         // tokens in its state; of a waiting one: that a cache can put there, < known
  int64_t known = 0;          // prompt and sampled tokens, > length
  int64_t most = 0;           // tokens it can ever have, >= known
  int64_t fresh = 1;          // of the known, those that the last step gave it: one, or some more
  int64_t held = 0;           // running: bytes that preempting it gives back
  int64_t owed = 0;           // running: bytes that its next token needs besides new blocks (copies on write)
  int64_t shared = 0;         // waiting: bytes of its state that others already use and that cost nothing
  int64_t stop_at = kNoStop;  // a length above `length` that no chunk may pass
};

struct Workload {
  std::span<const ScheduledSequence> running, waiting;  // in any order
  int64_t available = 0;                                // bytes that are free or that caches can give back
};

struct Plan {
  struct Work {
    uint64_t id = 0;
    int64_t tokens = 0;  // the next ones of its known tokens, at least 1
  };
  // To be done in this order.
  std::vector<uint64_t> preempt;  // running ones, the last in the order first
  std::vector<uint64_t> admit;    // waiting ones
  std::vector<Work> work;         // at most one a sequence, in order; running or just admitted

  bool empty() const { return preempt.empty() && admit.empty() && work.empty(); }
};

// Without side effects, safe from any thread. O(n log n).
Plan make_plan(const SchedulerConfig& config, const MemoryShape& shape, const Workload& load);

// Whether a sequence of `tokens` tokens, prompt and answer, can ever run in `budget` bytes. Problem: what it
// needs and what there is.
Result<void> check_admissible(const MemoryShape& shape, int64_t tokens, int64_t budget);

}  // namespace hadal
