// Two ways to the same result. Short pieces (nearly all) keep the ranks of their pairs in a small array and
// scan it for the lowest; long ones keep a linked list of symbols and a queue of pairs ordered by (rank,
// place), where an entry that later merges have overtaken is recognised and dropped when it comes up.
#include "text/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"

namespace hadal {

namespace {

constexpr size_t kShortPiece = 48;
constexpr uint32_t kNone = UINT32_MAX;

}  // namespace

Bpe::Bpe(const std::array<int32_t, 256>& byte_ids, std::vector<Merge> merges)
    : byte_ids_(byte_ids), merges_(std::move(merges)) {
  const size_t capacity = std::bit_ceil(std::max<size_t>(16, merges_.size() * 2));
  shift_ = 64 - std::countr_zero(capacity);
  slots_.assign(capacity, {0, kNoRank, 0});
  for (size_t i = 0; i < merges_.size(); ++i) {
    const uint64_t pair = pair_of(merges_[i].left, merges_[i].right);
    Slot& slot = slots_[slot_of(pair)];
    if (slot.rank != kNoRank) {
      if (!repeated_) repeated_ = i;
      continue;
    }
    slot = {pair, static_cast<uint32_t>(i), merges_[i].result};
  }
}

// The slot that holds the pair, or the free one where it would go.
size_t Bpe::slot_of(uint64_t pair) const {
  uint64_t hash = pair * 0x9E3779B97F4A7C15u;
  hash = (hash ^ (hash >> 32)) * 0xD6E8FEB86659FD93u;
  size_t at = static_cast<size_t>(hash >> shift_);
  while (slots_[at].rank != kNoRank && slots_[at].pair != pair) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void Bpe::encode(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
  HADAL_CHECK(piece.size() < kNone);
  if (piece.size() == 1) {
    out.push_back(byte_ids_[static_cast<uint8_t>(piece[0])]);
  } else if (piece.size() <= kShortPiece) {
    encode_short(piece, scratch, out);
  } else {
    encode_long(piece, scratch, out);
  }
}

void Bpe::encode_short(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
  std::array<int32_t, kShortPiece> ids;
  std::array<uint32_t, kShortPiece> ranks;  // ranks[i]: of the pair ids[i], ids[i + 1]
  size_t n = piece.size();
  for (size_t i = 0; i < n; ++i) ids[i] = byte_ids_[static_cast<uint8_t>(piece[i])];
  for (size_t i = 0; i + 1 < n; ++i) ranks[i] = rank(ids[i], ids[i + 1]);
  scratch.lookups += n;
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNoRank) break;
    ids[best] = merges_[ranks[best]].result;
    std::copy(ids.begin() + best + 2, ids.begin() + n, ids.begin() + best + 1);
    if (best + 2 < n) std::copy(ranks.begin() + best + 2, ranks.begin() + n - 1, ranks.begin() + best + 1);
    --n;
    if (best > 0) ranks[best - 1] = rank(ids[best - 1], ids[best]);
    if (best + 1 < n) ranks[best] = rank(ids[best], ids[best + 1]);
    scratch.lookups += 2;
  }
  out.insert(out.end(), ids.begin(), ids.begin() + n);
}

void Bpe::encode_long(std::string_view piece, BpeScratch& scratch, std::vector<int32_t>& out) const {
  auto& symbols = scratch.symbols;
  auto& queue = scratch.queue;
  const auto n = static_cast<uint32_t>(piece.size());
  symbols.resize(n);
  for (uint32_t i = 0; i < n; ++i) {
    symbols[i] = {byte_ids_[static_cast<uint8_t>(piece[i])], i == 0 ? kNone : i - 1,
                  i + 1 == n ? kNone : i + 1};
  }
  // Rank above place: the smallest entry is the merge to do next. A place is that of the left symbol's first
  // byte, which a merge keeps, so it orders pairs from left to right for as long as they live.
  const auto entry = [&](uint32_t at) -> std::optional<uint64_t> {
    const BpeScratch::Symbol& left = symbols[at];
    if (left.next == kNone) return std::nullopt;
    ++scratch.lookups;
    const uint32_t r = rank(left.id, symbols[left.next].id);
    if (r == kNoRank) return std::nullopt;
    return static_cast<uint64_t>(r) << 32 | at;
  };
  const auto push = [&](uint32_t at) {
    if (const auto e = entry(at)) {
      queue.push_back(*e);
      std::push_heap(queue.begin(), queue.end(), std::greater<>());
    }
  };
  queue.clear();
  for (uint32_t i = 0; i < n; ++i) {
    if (const auto e = entry(i)) queue.push_back(*e);
  }
  std::make_heap(queue.begin(), queue.end(), std::greater<>());
  while (!queue.empty()) {
    const uint64_t top = queue.front();
    std::pop_heap(queue.begin(), queue.end(), std::greater<>());
    queue.pop_back();
    const Merge& merge = merges_[top >> 32];
    const auto at = static_cast<uint32_t>(top);
    BpeScratch::Symbol& left = symbols[at];
    if (left.id != merge.left || left.next == kNone || symbols[left.next].id != merge.right) continue;
    BpeScratch::Symbol& right = symbols[left.next];
    left.id = merge.result;
    left.next = right.next;
    right.id = -1;
    if (left.next != kNone) symbols[left.next].prev = at;
    if (left.prev != kNone) push(left.prev);
    push(at);
  }
  for (uint32_t i = 0; i != kNone; i = symbols[i].next) out.push_back(symbols[i].id);
}

}  // namespace hadal
