// Attention over window and compressed rows (spec/model.md section 4.7).
#include <algorithm>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace hadal {
namespace {

// Below this many heads the decoding of the rows would cost more than their use.
constexpr int64_t kFewestHeads = 8;
// Scores of one task, which are all there until the last of them: beyond so many, fewer heads at a time.
constexpr int64_t kMostScores = int64_t{1} << 20;

// The rows of the window of the query at t, oldest first; returns how many.
int64_t list_window(const AttentionArgs& args, const AttentionSegment& segment, int64_t t,
                    const std::byte** keys) {
  const int64_t row_bytes = args.layout.bytes();
  int64_t n = 0;
  for (int64_t p = std::max<int64_t>(0, t - args.window + 1); p <= t; ++p)
    keys[n++] = p < segment.pos ? segment.window.row(p) : segment.chunk + (p - segment.pos) * row_bytes;
  return n;
}

// The compressed rows of the query at t, ascending; returns how many.
int64_t list_entries(const AttentionArgs& args, const AttentionSegment& segment, int64_t t,
                     const std::byte** keys) {
  if (args.ratio <= 0) return 0;
  const int64_t visible = (t + 1) / args.ratio;
  if (args.selected.empty() || visible <= args.selected.dim[1]) {
    for (int64_t j = 0; j < visible; ++j) keys[j] = segment.compressed.row(j);
    return visible;
  }
  const int32_t* selected = args.selected.row<const int32_t>(segment.begin + t - segment.pos);
  for (int64_t s = 0; s < args.selected.dim[1]; ++s) {
    HADAL_CHECK(selected[s] >= 0 && selected[s] < visible, "entry {} of {}", selected[s], visible);
    keys[s] = segment.compressed.row(selected[s]);
  }
  return args.selected.dim[1];
}

// How many queries from the one at t on, at most `most`, have whole windows and see all of the same entries.
int64_t alike(const AttentionArgs& args, const AttentionSegment& segment, int64_t t, int64_t most) {
  if (args.ratio <= 0 || !args.selected.empty() || t + 1 < args.window) return 1;
  const int64_t next_entry = ((t + 1) / args.ratio + 1) * args.ratio - 1;  // the first query that sees more
  return std::min({most, next_entry - t, segment.pos + segment.count - t});
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
  int64_t queries = 0, keys_bound = 0;
  for (const AttentionSegment& segment : args.segments) {
    HADAL_CHECK(segment.pos >= 0 && segment.begin >= 0 && segment.count >= 0 &&
                segment.begin + segment.count <= args.q.dim[0]);
    queries += segment.count;
    if (segment.count > 0) keys_bound = std::max(keys_bound, most_keys(args, segment));
  }
  if (queries == 0) return;
  // Few heads do not pay for the decoding of their rows: several queries share them.
  const int64_t most_heads = std::clamp<int64_t>(kMostScores / keys_bound, 1, kMaxAttendHeads);
  const int64_t most_alike =
      std::clamp<int64_t>(most_heads / heads, 1, std::max<int64_t>(1, queries / (int64_t{4} * threads())));
  query_groups_.clear();
  for (size_t s = 0; s < args.segments.size(); ++s) {
    const AttentionSegment& segment = args.segments[s];
    for (int64_t i = 0; i < segment.count;) {
      const int64_t n = alike(args, segment, segment.pos + i, most_alike);
      query_groups_.push_back({static_cast<int>(s), i, n});
      i += n;
    }
  }

  const Rows q(args.q), out(args.out);
  const int64_t wanted = (int64_t{2} * threads() + queries - 1) / queries;  // head blocks a query should give
  const int64_t block =
      std::min(most_heads, std::max<int64_t>((heads + wanted - 1) / wanted, std::min(kFewestHeads, heads)));
  const int64_t blocks = (heads + block - 1) / block;
  const KernelRowLayout layout = kernel_layout(args.layout);
  const bool small = queries * heads * dim * keys_bound < 1 << 15;
  const int64_t groups = static_cast<int64_t>(query_groups_.size()), tasks = groups * blocks;
  pool_.parallel_for(tasks, small ? tasks : 1, [&](int64_t begin, int64_t end, int worker) {
    Worker& mine = workers_[static_cast<size_t>(worker)];
    const int64_t own_bound = most_alike * std::min<int64_t>(args.window, keys_bound);
    auto** keys = mine.slot[0].get<const std::byte*>(own_bound + keys_bound);
    std::byte* scratch = mine.slot[1].bytes(kernels_.attend_scratch(layout, most_alike * block, keys_bound));
    for (int64_t task = begin; task < end; ++task) {
      const QueryGroup& group = query_groups_[static_cast<size_t>(task / blocks)];
      const AttentionSegment& segment = args.segments[static_cast<size_t>(group.segment)];
      const int64_t first = task % blocks * block;
      const std::byte* q_rows[kMaxAttendHeads];
      std::byte* out_rows[kMaxAttendHeads];
      AttendTile tile{};
      tile.queries = group.count;
      tile.heads = std::min(block, heads - first);
      tile.keys = keys;
      const std::byte** at = keys;
      for (int64_t i = 0; i < group.count; ++i) {
        const int64_t token = segment.begin + group.first + i;
        for (int64_t h = 0; h < tile.heads; ++h) {
          q_rows[i * tile.heads + h] = q.at(token * heads + first + h);
          out_rows[i * tile.heads + h] = out.at(token * heads + first + h);
        }
        tile.own_keys = list_window(args, segment, segment.pos + group.first + i, at);
        at += tile.own_keys;
      }
      const int64_t entries = list_entries(args, segment, segment.pos + group.first, at);
      if (group.count == 1) {
        tile.own_keys += entries;
      } else {
        tile.shared = at;
        tile.shared_keys = entries;
      }
      tile.q = q_rows;
      tile.out = out_rows;
      tile.sink = args.sink.as<const float>() + first;
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
