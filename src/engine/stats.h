// What an engine has done so far, for people and for monitoring. Plain data.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "kv/prefix_cache.h"

namespace hadal {

// Counts of a quantity by powers of two: entry 0 counts zeros, entry i values from 2^(i-1) to 2^i - 1.
struct Histogram {
  std::array<int64_t, 24> count{};
  int64_t sum = 0;

  void add(int64_t value) {
    sum += value;
    const auto bits = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(value < 0 ? 0 : value)));
    ++count[bits < count.size() ? bits : count.size() - 1];
  }
};

// Where the time of the steps went.
struct PhaseSeconds {
  double schedule = 0, cache = 0, forward = 0, mask = 0, sample = 0, emit = 0;
};

struct EngineStats {
  // Requests.
  int64_t submitted = 0;
  std::array<int64_t, 5> finished{};  // by EndReason
  int64_t waiting = 0, running = 0;   // now
  int64_t preemptions = 0;

  // Tokens. A prompt token is either cached or computed; what preemption threw away and no cache kept is
  // computed again.
  int64_t prompt_tokens = 0, cached_tokens = 0;  // of the requests that were admitted
  int64_t prefilled_tokens = 0;                  // in forward passes: of prompts and of what was preempted
  int64_t decoded_tokens = 0;                    // in forward passes: of answers
  int64_t resumed_tokens = 0;                    // after preemption, out of a cache
  int64_t generated_tokens = 0;                  // given to sinks
  int64_t masked_tokens = 0;                     // sampled under a constraint
  int64_t forced_tokens = 0;                     // not sampled: a constraint left no choice

  // Steps.
  int64_t steps = 0;
  Histogram batch_sequences, batch_tokens;
  PhaseSeconds seconds;

  // Memory, bytes.
  int64_t memory_limit = 0, memory_used = 0;
  int64_t running_bytes = 0;  // of memory_used: states of running sequences, what they share counted once
  PrefixCacheStats cache;     // at most a second old while there is work
};

}  // namespace hadal
