#include "model/state.h"

#include <algorithm>

namespace hadal {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

}  // namespace

StateLayout::StateLayout(const Config& config, Numerics numerics, int rollback_tokens)
    : window(config.sliding_window),
      window_capacity(config.sliding_window + rollback_tokens),
      rollback(rollback_tokens),
      has_mtp(config.mtp_layers() > 0) {
  const bool packed = numerics == Numerics::kRelease;
  kv_row = {packed ? RowFormat::kPackedKv : RowFormat::kF32, static_cast<int>(config.head_dim),
            static_cast<int>(config.qk_rope_head_dim)};
  index_row = {packed ? RowFormat::kPackedIndex : RowFormat::kF32, static_cast<int>(config.index_head_dim),
               0};

  const auto take = [](int64_t& total, int64_t bytes) {
    const int64_t at = total;
    total += aligned(bytes);
    return at;
  };
  const auto carry = [&](int ratio, int64_t dim) {
    Carry c;
    c.width = dim * (ratio == 4 ? 2 : 1);
    c.capacity = ratio * (ratio == 4 ? 2 : 1) + rollback;
    c.kv = take(fixed_bytes, c.capacity * c.width * 4);
    c.score = take(fixed_bytes, c.capacity * c.width * 4);
    return c;
  };
  for (int i = 0; i < config.num_hidden_layers + (has_mtp ? 1 : 0); ++i) {
    Layer layer;
    layer.ratio = config.ratio(i);
    layer.window = take(fixed_bytes, window_capacity * kv_row.bytes());
    if (layer.ratio > 0) {
      layer.main = carry(layer.ratio, config.head_dim);
      layer.row_count = kBlockTokens / layer.ratio;
      layer.rows = take(block_bytes, layer.row_count * kv_row.bytes());
    }
    if (layer.ratio == 4) {
      layer.index = carry(layer.ratio, config.index_head_dim);
      layer.keys = take(block_bytes, layer.row_count * index_row.bytes());
    }
    layers.push_back(layer);
  }
}

SequenceState::SequenceState(const StateLayout& layout, Ops& ops)
    : layout_(layout), ops_(ops), fixed_(ops.allocate(layout.fixed_bytes)) {}

void SequenceState::truncate(int64_t length) {
  HADAL_CHECK(can_truncate(length), "truncate to {}: exact between {} and {}", length, lowest_, length_);
  // Rings and carries are addressed by position, so rows past the end are simply written again. Nothing is
  // read that was not written at this or a lower position of the same timeline, so length 0 needs no clearing
  // either.
  length_ = length;
  mtp_length_ = std::min(mtp_length_, std::max<int64_t>(length - 1, 0));
  if (length == 0) lowest_ = 0;
  const size_t kept = static_cast<size_t>((length + kBlockTokens - 1) / kBlockTokens);
  blocks_.resize(std::min(blocks_.size(), kept));
  block_data_.resize(blocks_.size());
}

void SequenceState::reserve(int64_t tokens) {
  if (layout_.block_bytes == 0) return;
  const size_t needed = static_cast<size_t>((length_ + tokens + kBlockTokens - 1) / kBlockTokens);
  block_data_.reserve(needed);
  blocks_.reserve(needed);
  while (blocks_.size() < needed) {
    blocks_.push_back(ops_.allocate(layout_.block_bytes));
    block_data_.push_back(blocks_.back().data());
  }
}

void SequenceState::advance(int64_t tokens) {
  length_ += tokens;
  lowest_ = std::max(lowest_, length_ - layout_.rollback);
}

int64_t SequenceState::bytes() const {
  return fixed_.bytes() + static_cast<int64_t>(blocks_.size()) * layout_.block_bytes;
}

RowRing SequenceState::window(int layer) const {
  return {fixed_.data() + layout_.layers[static_cast<size_t>(layer)].window, layout_.kv_row.bytes(),
          layout_.window_capacity};
}

RowTable SequenceState::rows(int layer) const {
  const StateLayout::Layer& l = layout_.layers[static_cast<size_t>(layer)];
  return {block_data_.data(), l.rows, layout_.kv_row.bytes(), static_cast<int>(l.row_count)};
}

RowTable SequenceState::keys(int layer) const {
  const StateLayout::Layer& l = layout_.layers[static_cast<size_t>(layer)];
  return {block_data_.data(), l.keys, layout_.index_row.bytes(), static_cast<int>(l.row_count)};
}

View SequenceState::carry_kv(const StateLayout::Carry& carry) const {
  return View(fixed_.data() + carry.kv, DType::kF32, {carry.capacity, carry.width});
}

View SequenceState::carry_score(const StateLayout::Carry& carry) const {
  return View(fixed_.data() + carry.score, DType::kF32, {carry.capacity, carry.width});
}

}  // namespace hadal
