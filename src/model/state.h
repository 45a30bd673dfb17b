// The state of one sequence: everything a forward pass reads of earlier tokens. Per layer a ring of window
// rows, the finished compressed rows and index rows, and the raw rows a compressor has not pooled yet
// (spec/model.md sections 4.6, 5.8, 6.3, 10.1).
//
// Compressed and index rows of all layers lie together in blocks of 128 tokens (the common multiple of the
// ratios), so that a block is what a prefix cache can share. The rest is one fixed piece of memory.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config.h"
#include "ops/ops.h"

namespace hadal {

enum class Numerics { kRelease, kFp32 };

constexpr int kBlockTokens = 128;

// Where the parts of a state lie; the same for every sequence of a model. Offsets in bytes.
struct StateLayout {
  // Raw rows of one compressor: kv and score, [capacity, width] f32 each.
  struct Carry {
    int64_t kv = 0, score = 0;
    int64_t capacity = 0, width = 0;
  };
  struct Layer {
    int ratio = 0;
    int64_t window = 0;          // in the fixed part: ring of window rows
    Carry main, index;           // in the fixed part
    int64_t rows = 0, keys = 0;  // in a block: compressed rows, index rows
    int64_t row_count = 0;       // compressed rows of this layer in a block
  };

  StateLayout(const Config& config, Numerics numerics, int rollback);

  RowLayout kv_row, index_row;
  int64_t window = 0;  // tokens a query sees
  int64_t window_capacity = 0;
  int rollback = 0;           // tokens that can be taken back at any time
  std::vector<Layer> layers;  // backbone, then the MTP block if there is one
  bool has_mtp = false;
  int64_t fixed_bytes = 0;
  int64_t block_bytes = 0;
};

// One timeline. Only the model appends; whoever owns the state truncates and resets. Not thread-safe. The
// layout and the ops outlive it.
class SequenceState {
 public:
  SequenceState(const StateLayout& layout, Ops& ops);

  // Tokens appended so far; the next one stands at this position.
  int64_t length() const { return length_; }
  // Positions the MTP block has seen (at most length() - 1 of use).
  int64_t mtp_length() const { return mtp_length_; }

  // The lowest length that truncate() can go back to without recomputing.
  int64_t lowest_exact_length() const { return lowest_; }
  bool can_truncate(int64_t length) const { return length == 0 || (length >= lowest_ && length <= length_); }
  // Takes back all tokens from `length` on, as if they had never been. Requires can_truncate(length).
  void truncate(int64_t length);
  void reset() { truncate(0); }

  int64_t bytes() const;  // memory in use

  // For the model.
  const StateLayout& layout() const { return layout_; }
  void reserve(
      int64_t tokens);  // blocks for the next tokens; may throw kOutOfMemory, leaves the state as it was
  void advance(int64_t tokens);
  void advance_mtp(int64_t tokens) { mtp_length_ += tokens; }
  RowRing window(int layer) const;
  RowTable rows(int layer) const;
  RowTable keys(int layer) const;
  View carry_kv(const StateLayout::Carry& carry) const;
  View carry_score(const StateLayout::Carry& carry) const;

 private:
  const StateLayout& layout_;
  Ops& ops_;
  int64_t length_ = 0, mtp_length_ = 0, lowest_ = 0;
  Storage fixed_;
  std::vector<Storage> blocks_;
  std::vector<std::byte*> block_data_;  // what RowTable points to
};

}  // namespace hadal
