#include "apps/random_state.h"

#include <random>
#include <vector>

#include "base/check.h"
#include "tensor/format.h"
#include "tensor/storage.h"

namespace hadal::apps {
namespace {

// Numbers as large as normalised ones, [rows, layout.dim], on the grid of index rows where they have one.
View random_rows(Arena& arena, Ops& ops, const RowLayout& layout, int64_t rows, std::mt19937_64& random) {
  const DType dtype = layout.format == RowFormat::kF32 ? DType::kF32 : DType::kBF16;
  const View out = arena.alloc({rows, layout.dim}, dtype);
  std::uniform_real_distribution<float> number(-1.7f, 1.7f);
  for (int64_t i = 0; i < out.elements(); ++i) {
    const float x = number(random);
    if (dtype == DType::kF32)
      out.as<float>()[i] = x;
    else
      out.as<bf16>()[i] = to_bf16(x);
  }
  if (layout.format == RowFormat::kPackedIndex) ops.fake_quant(out, out, QuantSim::kFp4Block32);
  return out;
}

}  // namespace

void append_random_rows(SequenceState& state, Ops& ops, int64_t tokens, uint64_t seed) {
  HADAL_CHECK(state.length() % kBlockTokens == 0 && tokens % kBlockTokens == 0, "{} tokens after {}", tokens,
              state.length());
  constexpr int64_t kDistinct = 1024;
  const StateLayout& layout = state.layout();
  std::mt19937_64 random(seed);
  Arena arena;
  const View rows = random_rows(arena, ops, layout.kv_row, kDistinct, random);
  const View keys =
      layout.index_row.dim > 0 ? random_rows(arena, ops, layout.index_row, kDistinct, random) : View{};
  const std::vector<int32_t> ids(kBlockTokens, 0);
  for (int64_t end = state.length() + tokens; state.length() < end;) {
    const int64_t from = state.length();
    state.reserve(kBlockTokens);
    state.advance(ids);
    for (int l = 0; l < static_cast<int>(layout.layers.size()); ++l) {
      const StateLayout::Layer& layer = layout.layers[static_cast<size_t>(l)];
      if (layer.ratio == 0) continue;
      const auto some = [&](const View& of) {
        const auto last = static_cast<uint64_t>(kDistinct - layer.row_count);
        return of.slice(0, static_cast<int64_t>(random() % (last + 1)), layer.row_count);
      };
      ops.append_rows(state.rows(l), from / layer.ratio, some(rows), layout.kv_row);
      if (layer.index.ratio != 0)
        ops.append_rows(state.keys(l), from / layer.ratio, some(keys), layout.index_row);
    }
  }
}

}  // namespace hadal::apps
