// Attention over window and compressed rows (spec/model.md section 4.7).
#include <algorithm>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace hadal {
namespace {

// Below this many heads the decoding of the rows would cost more than their use.
constexpr int64_t kFewestHeads = 8;

// Rows of the keys of the query at position `segment.pos + index`, in list order; returns how many.
int64_t list_keys(const AttentionArgs& args, const AttentionSegment& segment, int64_t index,
                  const std::byte** keys) {
  const int64_t t = segment.pos + index, row_bytes = args.layout.bytes();
  int64_t n = 0;
  for (int64_t p = std::max<int64_t>(0, t - args.window + 1); p <= t; ++p)
    keys[n++] = p < segment.pos ? segment.window.row(p) : segment.chunk + (p - segment.pos) * row_bytes;
  if (args.ratio <= 0) return n;
  const int64_t visible = (t + 1) / args.ratio;
  if (args.selected.empty() || visible <= args.selected.dim[1]) {
    for (int64_t j = 0; j < visible; ++j) keys[n++] = segment.compressed.row(j);
    return n;
  }
  const int32_t* selected = args.selected.row<const int32_t>(segment.begin + index);
  for (int64_t s = 0; s < args.selected.dim[1]; ++s) {
    HADAL_CHECK(selected[s] >= 0 && selected[s] < visible, "entry {} of {}", selected[s], visible);
    keys[n++] = segment.compressed.row(selected[s]);
  }
  return n;
}

int64_t most_keys(const AttentionArgs& args, const AttentionSegment& segment) {
  const int64_t end = segment.pos + segment.count;
  int64_t n = std::min<int64_t>(end, args.window);
  if (args.ratio > 0) {
    const int64_t visible = end / args.ratio;
    n += args.selected.empty() ? visible : std::min(visible, args.selected.dim[1]);
  }
  return n;
}

}  // namespace

void CpuOps::attention(const AttentionArgs& args) {
  check_layout(args.layout);
  const int64_t heads = args.q.dim[1], dim = args.q.dim[2];
  HADAL_CHECK(args.q.rank == 3 && args.out.rank == 3 && is_activation(args.q) && is_activation(args.out) &&
              args.out.dim[0] == args.q.dim[0] && args.out.dim[1] == heads && args.out.dim[2] == dim &&
              args.layout.dim == dim && args.window >= 1);
  HADAL_CHECK(args.sink.dtype == DType::kF32 && args.sink.elements() == heads);
  HADAL_CHECK(args.selected.empty() || args.selected.dtype == DType::kI32);
  queries_.clear();
  int64_t keys_bound = 0;
  for (size_t s = 0; s < args.segments.size(); ++s) {
    const AttentionSegment& segment = args.segments[s];
    HADAL_CHECK(segment.pos >= 0 && segment.begin >= 0 && segment.count >= 0 &&
                segment.begin + segment.count <= args.q.dim[0]);
    for (int64_t i = 0; i < segment.count; ++i) queries_.push_back({static_cast<int>(s), i});
    if (segment.count > 0) keys_bound = std::max(keys_bound, most_keys(args, segment));
  }
  if (queries_.empty()) return;

  const Rows q(args.q), out(args.out);
  const int64_t queries = static_cast<int64_t>(queries_.size());
  const int64_t wanted = (int64_t{2} * threads() + queries - 1) / queries;  // head blocks a query should give
  const int64_t block =
      std::clamp<int64_t>((heads + wanted - 1) / wanted, std::min(kFewestHeads, heads), kMaxAttendHeads);
  const int64_t blocks = (heads + block - 1) / block;
  const KernelRowLayout layout = kernel_layout(args.layout);
  const bool small = queries * heads * dim * keys_bound < 1 << 15;
  pool_.parallel_for(
      queries * blocks, small ? queries * blocks : 1, [&](int64_t begin, int64_t end, int worker) {
        Worker& mine = workers_[static_cast<size_t>(worker)];
        auto** keys = mine.slot[0].get<const std::byte*>(keys_bound);
        std::byte* scratch = mine.slot[1].bytes(kernels_.attend_scratch(layout, block, keys_bound));
        for (int64_t task = begin; task < end; ++task) {
          const Query& query = queries_[static_cast<size_t>(task / blocks)];
          const AttentionSegment& segment = args.segments[static_cast<size_t>(query.segment)];
          const int64_t first = task % blocks * block, token = segment.begin + query.index;
          const std::byte* q_rows[kMaxAttendHeads];
          std::byte* out_rows[kMaxAttendHeads];
          AttendTile tile{};
          tile.heads = std::min(block, heads - first);
          for (int64_t h = 0; h < tile.heads; ++h) {
            q_rows[h] = q.at(token * heads + first + h);
            out_rows[h] = out.at(token * heads + first + h);
          }
          tile.q = q_rows;
          tile.out = out_rows;
          tile.sink = args.sink.as<const float>() + first;
          tile.keys = keys;
          tile.n_keys = list_keys(args, segment, query.index, keys);
          tile.q_bf16 = q.bf16();
          tile.out_bf16 = out.bf16();
          tile.scale = args.scale;
          tile.layout = layout;
          tile.scratch = scratch;
          kernels_.attend(tile);
        }
      });
}

}  // namespace hadal
