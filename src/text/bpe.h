// Byte-pair encoding of one piece (spec A16.2): starting from bytes, the adjacent pair with the lowest merge
// rank is merged, the leftmost among equals, until no pair has a merge. Knows ids only; how tokens are
// spelled is the business of tokenizer_json.h.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace hadal {

// left and right, adjacent, become result. The rank of a merge is its place in the list.
struct Merge {
  int32_t left = 0, right = 0, result = 0;
};

// Working memory of an encoder, reused from piece to piece; one per thread.
struct BpeScratch {
  struct Symbol {
    int32_t id;  // -1 once merged into its left neighbour
    uint32_t prev, next;
  };
  std::vector<Symbol> symbols;
  std::vector<uint64_t> queue;
  uint64_t lookups = 0;  // pairs looked up so far: the measure of work that tests bound
};

// Immutable; safe to use from many threads, each with its own scratch.
class Bpe {
 public:
  Bpe() : Bpe({}, {}) {}
  // byte_ids: the token of each single byte. A pair appears at most once in merges (see find).
  Bpe(const std::array<int32_t, 256>& byte_ids, std::vector<Merge> merges);

  // Appends the ids of piece (any bytes, less than 2^32) to out. O(n log n).
  void encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;

  // The place in the list given to the constructor of the first merge that repeats a pair, if one does.
  std::optional<size_t> repeated() const { return repeated_; }

 private:
  static constexpr uint32_t kNoRank = UINT32_MAX;

  // Open addressing, linear probing, at most half full. The rank is kept beside the pair, so that a look-up
  // touches one cache line.
  struct Slot {
    uint64_t pair;
    uint32_t rank;
    int32_t result;
  };

  static uint64_t pair_of(int32_t left, int32_t right) {
    return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  }
  size_t slot_of(uint64_t pair) const;
  uint32_t rank(int32_t left, int32_t right) const { return slots_[slot_of(pair_of(left, right))].rank; }
  void encode_short(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;
  void encode_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const;

  std::array<int32_t, 256> byte_ids_;
  std::vector<Merge> merges_;
  std::vector<Slot> slots_;
  int shift_ = 0;
  std::optional<size_t> repeated_;
};

}  // namespace hadal
