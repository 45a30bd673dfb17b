#include "model/state_layout.h"

#include <algorithm>

namespace hadal {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + 63) / 64 * 64;
}

int64_t take(int64_t& total, int64_t bytes) {
  const int64_t at = total;
  total += aligned(bytes);
  return at;
}

}  // namespace

std::optional<Numerics> numerics_from_name(std::string_view name) {
  if (name == "release") return Numerics::kRelease;
  if (name == "fp32") return Numerics::kFp32;
  return std::nullopt;
}

std::string_view numerics_name(Numerics numerics) {
  return numerics == Numerics::kRelease ? "release" : "fp32";
}

int64_t StateLayout::Carry::first_needed(int64_t length) const {
  if (ratio == 0) return length;
  // Ratio 4 pools eight tokens an entry: its own window and the one before.
  return ratio * std::max<int64_t>(0, length / ratio - (ratio == 4 ? 1 : 0));
}

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

  const auto carry = [&](int ratio, int64_t dim) {
    Carry c;
    c.ratio = ratio;
    c.width = dim * (ratio == 4 ? 2 : 1);
    c.capacity = ratio * (ratio == 4 ? 2 : 1) + rollback;
    c.kv = take(fixed_bytes, c.capacity * c.row_bytes());
    c.score = take(fixed_bytes, c.capacity * c.row_bytes());
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
  if (has_mtp) {
    stream_row_bytes = config.hc_mult * config.hidden_size * (packed ? 2 : 4);
    stream_capacity = rollback + 1;
    streams = take(fixed_bytes, stream_capacity * stream_row_bytes);
  }
}

int64_t StateLayout::bytes(int64_t length) const {
  return fixed_bytes + (length + kBlockTokens - 1) / kBlockTokens * block_bytes;
}

}  // namespace hadal
