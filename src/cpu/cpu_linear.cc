// Linear layers: matmul and grouped_matmul.
#include <algorithm>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace hadal {

void CpuOps::matmul(View out, View x, const Weight& w) {
  HADAL_CHECK(x.last() == w.in && out.last() == w.out && out.rows() == x.rows(),
              "matmul [{}, {}] by [{}, {}]", x.rows(), x.last(), w.out, w.in);
  linear(out, x, w, 1);
}

void CpuOps::grouped_matmul(View out, View x, const Weight& w) {
  HADAL_CHECK(x.rank == 3 && out.rank == 3 && x.dim[2] == w.in && out.dim[1] == x.dim[1] &&
              out.dim[0] == x.dim[0] && out.dim[1] * out.dim[2] == w.out);
  linear(out, x, w, x.dim[1]);
}

void CpuOps::run_linear(LinearTile tile, Scratch& scratch) {
  if (tile.format == KernelFormat::kFP8)
    tile.scratch = scratch.bytes(std::min<int64_t>(tile.tokens, kMaxFewTokens) *
                                 kernels_.prepared_bytes(tile.format, tile.input, tile.k));
  kernels_.linear(tile);
}

// Row t * groups + g of x with rows [g * R, (g + 1) * R) of w, R = w.out / groups.
void CpuOps::linear(View out, View x, const Weight& w, int64_t groups) {
  check_weight(w);
  HADAL_CHECK(is_activation(x) && is_activation(out));
  const Rows from(x), to(out);
  const int64_t tokens = from.count() / std::max<int64_t>(groups, 1),
                rows = w.out / std::max<int64_t>(groups, 1);
  if (from.count() == 0) return;
  const KernelFormat format = kernel_format(w.format);
  const KernelInput input = kernel_input(from.bf16(), tokens);
  const int64_t row_bytes = kernels_.prepared_bytes(format, input, w.in);

  // Inputs as the kernel takes them, once for all tasks.
  auto** inputs = pointers_.get<const std::byte*>(from.count());  // [groups][tokens]
  const bool as_is = kernels_.usable_as_is(format, input, w.in);
  std::byte* prepared = as_is ? nullptr : prepared_.bytes(from.count() * row_bytes);
  each(from.count(), as_is ? 1 : 2 * w.in, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const std::byte* row = from.at(i);
      if (!as_is) {
        kernels_.prepare(prepared + i * row_bytes, from.in(i), {0, w.in, w.in}, format, input);
        row = prepared + i * row_bytes;
      }
      inputs[i % groups * tokens + i / groups] = row;
    }
  });

  // Tasks are pieces of rows, cut at multiples of `piece` so that none crosses a border of scales, times
  // tiles of tokens; those of the same rows follow each other.
  const int64_t token_tiles = (tokens + kTokenTile - 1) / kTokenTile;
  int64_t piece = kScaleBlock;
  while (piece > 16 && groups * ((rows + piece - 1) / piece) * token_tiles < int64_t{4} * threads())
    piece /= 2;
  const int64_t pieces = (rows + piece - 1) / piece + 1;
  const int64_t tasks = groups * pieces * token_tiles;
  const bool small = groups * rows * w.in * tokens < int64_t{1} << 15;
  pool_.parallel_for(tasks, small ? tasks : 1, [&](int64_t begin, int64_t end, int worker) {
    Worker& mine = workers_[static_cast<size_t>(worker)];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t token = task % token_tiles * kTokenTile, n_tokens = std::min(kTokenTile, tokens - token);
      const int64_t group = task / token_tiles / pieces;
      const int64_t block = (group * rows / piece + task / token_tiles % pieces) * piece;
      const int64_t first = std::max(block, group * rows), last = std::min(block + piece, (group + 1) * rows);
      if (first >= last) continue;
      auto* y = mine.slot[0].get<float>(n_tokens * kScaleBlock);
      run_linear(linear_tile(w, first, last - first, inputs + group * tokens + token, input, n_tokens, y,
                             kScaleBlock),
                 mine.slot[1]);
      for (int64_t t = 0; t < n_tokens; ++t) {
        const MutRow row = to.row((token + t) * groups + group);
        kernels_.convert({row.data + (first - group * rows) * (row.bf16 ? 2 : 4), row.bf16},
                         {reinterpret_cast<const std::byte*>(y + t * kScaleBlock), false}, last - first);
      }
    }
  });
}

}  // namespace hadal
