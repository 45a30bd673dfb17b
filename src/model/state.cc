#include "model/state.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/error.h"
#include "model/tail_record.h"

namespace hadal {
namespace {

size_t blocks_for(int64_t tokens) {
  return static_cast<size_t>((tokens + kBlockTokens - 1) / kBlockTokens);
}

}  // namespace

SequenceState::SequenceState(const StateLayout& layout, KvPool pool)
    : layout_(&layout), pool_(std::move(pool)), fixed_(pool_.allocate(layout.fixed_bytes)) {}

int64_t SequenceState::boundary_below(int64_t length) const {
  for (int64_t i = length / kBlockTokens; i > 0; --i)
    if (blocks_[static_cast<size_t>(i - 1)].boundary) return i * kBlockTokens;
  return 0;
}

int64_t SequenceState::exact_length(int64_t length) const {
  HADAL_CHECK(length >= 0 && length <= length_, "length {} of {}", length, length_);
  return length >= lowest_ ? length : boundary_below(length);
}

int64_t SequenceState::rewind(int64_t length) {
  const int64_t exact = exact_length(length);
  if (can_truncate(exact)) {
    truncate(exact);
    return exact;
  }
  const KvBlock& last = blocks_[static_cast<size_t>(exact / kBlockTokens - 1)];
  unpack_tail(bytes_of(last.boundary), exact, last.boundary_mtp_length, *this);
  mtp_length_ = last.boundary_mtp_length;
  lowest_ = exact;
  length_ = std::max(length_, exact);
  truncate(exact);
  return exact;
}

void SequenceState::truncate(int64_t length) {
  HADAL_CHECK(can_truncate(length), "truncate to {}: exact between {} and {}", length, lowest_, length_);
  // Rings and carries are addressed by position, so rows past the end are simply written again. Nothing is
  // read that was not written at this or a lower position of the same timeline, so length 0 needs no clearing
  // either.
  length_ = length;
  mtp_length_ = std::min(mtp_length_, std::max<int64_t>(length - 1, 0));
  if (length == 0) lowest_ = 0;
  tokens_.resize(static_cast<size_t>(length));
  blocks_.resize(std::min(blocks_.size(), blocks_for(length)));
  if (length % kBlockTokens != 0 && blocks_.size() == blocks_for(length)) {
    blocks_.back().boundary.reset();
    blocks_.back().marked = false;
  }
  refresh_block_data(blocks_.size());
}

bool SequenceState::keep_boundary(bool marked) {
  const int64_t at = length_ / kBlockTokens * kBlockTokens;
  if (at == 0) return false;
  KvBlock& block = blocks_[static_cast<size_t>(at / kBlockTokens - 1)];
  if (!block.boundary) {
    if (at < lowest_) return false;
    KvPiece record;
    try {
      record = pool_.allocate(tail_bytes(*layout_, at));
    } catch (const Error&) {
      return false;
    }
    pack_tail(*this, at, bytes_of(record));
    block.boundary = std::move(record);
    block.boundary_mtp_length = tail_mtp_length(*this, at);
  }
  block.marked = block.marked || marked;
  return true;
}

int64_t SequenceState::boundary_bytes() const {
  int64_t bytes = 0;
  for (const KvBlock& block : blocks_)
    if (block.boundary) bytes += block.boundary->bytes();
  return bytes;
}

void SequenceState::thin_boundaries(int64_t max_bytes) {
  int64_t bytes = boundary_bytes();
  if (bytes <= max_bytes) return;
  std::vector<size_t> kept;  // blocks with a boundary, oldest first
  for (size_t i = 0; i < blocks_.size(); ++i)
    if (blocks_[i].boundary) kept.push_back(i);
  while (bytes > max_bytes && !kept.empty()) {
    size_t worst = 0;
    bool worst_marked = true;
    double worst_gap = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < kept.size(); ++k) {
      const bool marked = blocks_[kept[k]].marked;
      const double before = k == 0 ? 0.0 : static_cast<double>(kept[k - 1] + 1);
      const double after = k + 1 == kept.size() ? static_cast<double>(blocks_.size() + 1)
                                                : static_cast<double>(kept[k + 1] + 1);
      const double gap = (after - before) / (static_cast<double>(blocks_.size()) + 1.0 - before);
      if (std::pair(marked, gap) < std::pair(worst_marked, worst_gap)) {
        worst = k;
        worst_marked = marked;
        worst_gap = gap;
      }
    }
    KvBlock& block = blocks_[kept[worst]];
    bytes -= block.boundary->bytes();
    block.boundary.reset();
    block.marked = false;
    kept.erase(kept.begin() + static_cast<int64_t>(worst));
  }
}

SequenceState SequenceState::fork() const {
  SequenceState copy(*layout_, pool_);
  std::memcpy(copy.fixed_->data(), fixed_->data(), static_cast<size_t>(fixed_->bytes()));
  copy.length_ = length_;
  copy.mtp_length_ = mtp_length_;
  copy.lowest_ = lowest_;
  copy.tokens_ = tokens_;
  copy.blocks_ = blocks_;
  copy.refresh_block_data(0);
  return copy;
}

Snapshot SequenceState::snapshot() const {
  Snapshot out;
  out.tokens = tokens_;
  out.mtp_length = tail_mtp_length(*this, length_);
  out.blocks.assign(blocks_.begin(), blocks_.begin() + static_cast<int64_t>(blocks_for(length_)));
  if (length_ == 0) return out;
  out.tail = pool_.allocate(tail_bytes(*layout_, length_));
  pack_tail(*this, length_, bytes_of(out.tail));
  return out;
}

void SequenceState::restore(const Snapshot& snapshot) {
  const int64_t length = snapshot.length();
  HADAL_CHECK(snapshot.blocks.size() == blocks_for(length) && (length == 0 || snapshot.tail),
              "{} blocks for {} tokens", snapshot.blocks.size(), length);
  std::vector<int32_t> tokens = snapshot.tokens;
  std::vector<KvBlock> blocks = snapshot.blocks;
  block_data_.reserve(blocks.size());
  if (length > 0) unpack_tail(bytes_of(snapshot.tail), length, snapshot.mtp_length, *this);
  length_ = lowest_ = length;
  mtp_length_ = snapshot.mtp_length;
  tokens_ = std::move(tokens);
  blocks_ = std::move(blocks);
  refresh_block_data(0);
}

void SequenceState::reserve(int64_t tokens) {
  const size_t needed = blocks_for(length_ + tokens);
  const size_t first = static_cast<size_t>(length_ / kBlockTokens);  // the first one that is written
  std::vector<KvPiece> fresh;                                        // for blocks first ... needed - 1
  for (size_t i = first; i < needed && layout_->block_bytes > 0; ++i) {
    const bool there = i < blocks_.size();
    if (there && blocks_[i].rows.use_count() == 1) {
      // Its own already. Giving back a second share orders what is written from now on after all that others
      // read before they gave back theirs, on whatever thread. (A fence would, too; ThreadSanitizer knows
      // none.)
      fresh.push_back(blocks_[i].rows);
      fresh.back().reset();
      continue;
    }
    fresh.push_back(pool_.allocate(layout_->block_bytes));
    if (there)
      std::memcpy(fresh.back()->data(), blocks_[i].rows->data(), static_cast<size_t>(layout_->block_bytes));
  }
  // Twice as much each time, so that a token at a time costs no copy of the whole list every 128 tokens.
  const auto room = [](auto& list, size_t n) {
    if (list.capacity() < n) list.reserve(std::max(n, 2 * list.capacity()));
  };
  room(tokens_, static_cast<size_t>(length_ + tokens));
  room(block_data_, needed);
  room(blocks_, needed);
  blocks_.resize(std::max(needed, blocks_.size()));
  for (size_t i = 0; i < fresh.size(); ++i)
    if (fresh[i]) blocks_[first + i].rows = std::move(fresh[i]);
  refresh_block_data(first);
}

void SequenceState::advance(std::span<const int32_t> ids) {
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
  length_ += static_cast<int64_t>(ids.size());
  lowest_ = std::max(lowest_, length_ - layout_->rollback);
}

void SequenceState::abandon(int64_t tokens) {
  // Rows of some layers are in, of others not. They are behind the end; but they may have displaced rows that
  // lengths from here down to the lowest free one need.
  lowest_ = std::max(lowest_, length_ + tokens - layout_->rollback);
  rewind(length_);
}

void SequenceState::refresh_block_data(size_t from) {
  block_data_.resize(blocks_.size());
  for (size_t i = from; i < blocks_.size(); ++i)
    block_data_[i] = blocks_[i].rows ? blocks_[i].rows->data() : nullptr;
}

int64_t SequenceState::bytes() const {
  return fixed_->bytes() + static_cast<int64_t>(blocks_.size()) * layout_->block_bytes;
}

RowRing SequenceState::window(int layer) const {
  return {fixed_->data() + layout_->layers[static_cast<size_t>(layer)].window, layout_->kv_row.bytes(),
          layout_->window_capacity};
}

RowTable SequenceState::rows(int layer) const {
  const StateLayout::Layer& l = layout_->layers[static_cast<size_t>(layer)];
  return {block_data_.data(), l.rows, layout_->kv_row.bytes(), static_cast<int>(l.row_count)};
}

RowTable SequenceState::keys(int layer) const {
  const StateLayout::Layer& l = layout_->layers[static_cast<size_t>(layer)];
  return {block_data_.data(), l.keys, layout_->index_row.bytes(), static_cast<int>(l.row_count)};
}

View SequenceState::carry_kv(const StateLayout::Carry& carry) const {
  return View(fixed_->data() + carry.kv, DType::kF32, {carry.capacity, carry.width});
}

View SequenceState::carry_score(const StateLayout::Carry& carry) const {
  return View(fixed_->data() + carry.score, DType::kF32, {carry.capacity, carry.width});
}

std::byte* SequenceState::stream(int64_t pos) const {
  return fixed_->data() + layout_->streams + pos % layout_->stream_capacity * layout_->stream_row_bytes;
}

}  // namespace hadal
