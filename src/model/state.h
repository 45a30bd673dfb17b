// The state of one sequence: everything a forward pass reads of earlier tokens, as one value that can be
// taken back, copied, kept and put back (docs/state.md; spec/model.md section 5.8). Window rings, compressor
// rows, compressed rows, index rows and the draft block's rows always move together.
//
// Lengths that a state can go back to:
//   * the last `rollback` tokens, for free (drafts that were not accepted);
//   * every multiple of 128 where a boundary was kept: what besides the blocks is needed to go on from there;
//   * 0; and any other length from the next lower one of these by computing at most the tokens between again
//     (model/rewind.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/kv_pool.h"
#include "model/state_layout.h"

namespace hadal {

// 128 tokens of compressed and index rows, and, where it was kept, the tail record (model/tail_record.h) at
// their end.
struct KvBlock {
  KvPiece rows;  // null when no layer compresses
  KvPiece boundary;
  int64_t boundary_mtp_length = 0;
  bool marked = false;  // a boundary that thinning spares longest
};

// A state at rest: its blocks by reference and a tail record. A value; sharing is by reference count.
struct Snapshot {
  std::vector<int32_t> tokens;  // size() is the length
  int64_t mtp_length = 0;
  std::vector<KvBlock> blocks;
  KvPiece tail;  // null at length 0

  int64_t length() const { return static_cast<int64_t>(tokens.size()); }
};

// One timeline. Only the model appends; the owner takes back, forks and restores. Blocks that somebody else
// shares are copied before they are written. Not thread-safe. The layout outlives it.
class SequenceState {
 public:
  // Throws Error{kOutOfMemory}.
  SequenceState(const StateLayout& layout, KvPool pool);
  // A state with a pool of its own, without a limit.
  SequenceState(const StateLayout& layout, Ops& ops) : SequenceState(layout, KvPool(ops)) {}
  SequenceState(SequenceState&&) = default;

  // Tokens appended so far; the next one stands at this position.
  int64_t length() const { return length_; }
  std::span<const int32_t> tokens() const { return tokens_; }
  // Positions the MTP block has seen (at most length() - 1 of use).
  int64_t mtp_length() const { return mtp_length_; }

  // The highest length <= `length` that rewind() reaches without computing. length in [0, length()].
  int64_t exact_length(int64_t length) const;
  // Goes back to exact_length(length) and returns it: as if the tokens from there on had never been.
  int64_t rewind(int64_t length);
  bool can_truncate(int64_t length) const { return length == 0 || (length >= lowest_ && length <= length_); }
  // Takes back all tokens from `length` on, for free. Requires can_truncate(length).
  void truncate(int64_t length);
  void reset() { truncate(0); }

  // Keeps the boundary at the last multiple of 128 if the state can still tell it (it lies within the free
  // lengths) and it is not kept already; true if it is kept now. False also when there is no memory for it: a
  // boundary saves work, nothing depends on it.
  bool keep_boundary(bool marked = false);
  // Drops boundaries until they take at most max_bytes: unmarked before marked, and among them those whose
  // neighbours are near compared with their age, so that the distance to the next kept one grows with age.
  void thin_boundaries(int64_t max_bytes);

  // A second timeline with the same past. Throws Error{kOutOfMemory}.
  SequenceState fork() const;
  Snapshot snapshot() const;
  // Becomes the snapshot, which must be of the same layout. Throws Error{kOutOfMemory} before any change.
  void restore(const Snapshot& snapshot);

  const std::vector<KvBlock>& blocks() const { return blocks_; }
  int64_t bytes() const;           // fixed part and blocks, shared or not
  int64_t boundary_bytes() const;  // boundaries besides

  // For the model.
  const StateLayout& layout() const { return *layout_; }
  // Room for the next tokens, in blocks of its own. Throws Error{kOutOfMemory}; the state is then as it was.
  void reserve(int64_t tokens);
  // The tokens that reserve() made room for are in.
  void advance(std::span<const int32_t> ids);
  void advance_mtp(int64_t tokens) { mtp_length_ += tokens; }
  // A forward pass for `tokens` tokens failed half-way: goes to the highest length that is still exact.
  void abandon(int64_t tokens);
  RowRing window(int layer) const;
  RowTable rows(int layer) const;
  RowTable keys(int layer) const;
  View carry_kv(const StateLayout::Carry& carry) const;
  View carry_score(const StateLayout::Carry& carry) const;
  // The stream before the head at one of the last positions; only with MTP. Bytes, [M, D].
  std::byte* stream(int64_t pos) const;

 private:
  int64_t boundary_below(int64_t length) const;  // the highest kept one <= length, or 0
  void refresh_block_data(size_t from);          // blocks before `from` are where they were

  const StateLayout* layout_;
  KvPool pool_;
  int64_t length_ = 0, mtp_length_ = 0;
  int64_t lowest_ = 0;  // the free lengths are lowest_ ... length_
  std::vector<int32_t> tokens_;
  KvPiece fixed_;
  std::vector<KvBlock> blocks_;
  std::vector<std::byte*> block_data_;  // what RowTable points to
};

}  // namespace hadal
