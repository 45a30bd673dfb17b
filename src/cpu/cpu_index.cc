// The lightning indexer's scores and selection (spec/model.md sections 6.4, 6.5).
//
// Consecutive queries of a sequence are scored together, so that a key is decoded once for all of them.
// Scores live as long as it takes to offer them to the selection: memory depends on the number of queries and
// on k, not on the number of entries.
#include <algorithm>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"
#include "cpu/top_entries.h"

namespace hadal {
namespace {

constexpr int64_t kGroupQueries = 16;  // at most, that are scored together
constexpr int64_t kKeyPart = TopEntries::kMostOffered;
constexpr int64_t kFewestEntries = 2048;  // worth a task of their own

constexpr KernelInput input_of(bool bf16) {
  return bf16 ? KernelInput::kBF16 : KernelInput::kF32;
}

// What one worker needs for a group.
struct GroupMemory {
  GroupMemory(const KernelTable& kernels, const KernelRowLayout& layout, bool bf16, int64_t heads, int64_t k)
      : prepared_bytes(kernels.prepared_bytes(
            layout.format == KernelRowFormat::kF32 ? KernelFormat::kF32 : KernelFormat::kBF16, input_of(bf16),
            layout.dim)),
        integer_bytes((kernels.index_integer_bytes(layout, bf16, heads) + 63) / 64 * 64),
        item_room(TopEntries::room(k)) {}

  int64_t prepared_bytes, integer_bytes;  // of a head; of a query
  int64_t item_room;
};

}  // namespace

// Scores of the queries [first, first + count) for entries [from, to), and the best k of those.
void CpuOps::index_group(const IndexArgs& args, const IndexGroup& group, int64_t from, int64_t to,
                         int64_t part, Worker& worker) {
  const IndexSegment& segment = args.segments[static_cast<size_t>(group.segment)];
  const int64_t k = args.selected.dim[1], heads = args.q.dim[1], dim = args.q.dim[2];
  const Rows q(args.q), gains(args.weights);
  const KernelRowLayout layout = kernel_layout(args.layout);
  const GroupMemory sizes(kernels_, layout, q.bf16(), heads, k);
  const KernelFormat format =
      layout.format == KernelRowFormat::kF32 ? KernelFormat::kF32 : KernelFormat::kBF16;
  const bool as_is = kernels_.usable_as_is(format, input_of(q.bf16()), dim);

  auto** rows = worker.slot[0].get<const std::byte*>(group.count * heads + kKeyPart);
  const std::byte** keys = rows + group.count * heads;
  auto* weights = worker.slot[1].get<float>(group.count * (heads + kKeyPart));
  float* scores = weights + group.count * heads;
  std::byte* prepared =
      worker.slot[2].bytes(group.count * (heads * sizes.prepared_bytes + sizes.integer_bytes));
  std::byte* integers = prepared + group.count * heads * sizes.prepared_bytes;
  auto* items = worker.slot[3].get<uint64_t>((group.count + 1) * sizes.item_room + kKeyPart / 2);
  uint64_t* spare = items + group.count * sizes.item_room;
  auto* places = reinterpret_cast<int32_t*>(spare + sizes.item_room);
  std::byte* scratch = worker.slot[4].bytes(kernels_.index_scratch(layout));

  IndexQuery queries[kGroupQueries];
  for (int64_t i = 0; i < group.count; ++i) {
    const int64_t token = segment.begin + group.first + i;
    const std::byte** row = rows + i * heads;
    float* gain = weights + i * heads;
    kernels_.convert({reinterpret_cast<std::byte*>(gain), false}, gains.in(token), heads);
    for (int64_t h = 0; h < heads; ++h) row[h] = q.at(token * heads + h);
    const bool exact = sizes.integer_bytes > 0 &&
                       kernels_.index_integers(integers + i * sizes.integer_bytes, row, gain, heads, dim);
    for (int64_t h = 0; h < heads && !as_is; ++h) {
      std::byte* out = prepared + (i * heads + h) * sizes.prepared_bytes;
      kernels_.prepare(out, q.in(token * heads + h), {0, dim, dim}, format, input_of(q.bf16()));
      row[h] = out;
    }
    queries[i] = {row, gain, exact ? integers + i * sizes.integer_bytes : nullptr, scores + i * kKeyPart};
  }

  TopEntries best[kGroupQueries] = {};
  for (int64_t i = 0; i < group.count; ++i)
    best[i] = TopEntries(k, items + i * sizes.item_room, spare, places);
  const auto visible = [&](int64_t i) { return (segment.pos + group.first + i + 1) / args.ratio; };
  for (int64_t entry = from; entry < to; entry += kKeyPart) {
    const int64_t n = std::min(kKeyPart, to - entry);
    for (int64_t j = 0; j < n; ++j) keys[j] = segment.keys.row(entry + j);
    kernels_.index_scores({queries, group.count, keys, n, q.bf16(), heads, layout, scratch});
    for (int64_t i = 0; i < group.count; ++i)
      best[i].offer(kernels_, queries[i].out, std::clamp<int64_t>(visible(i) - entry, 0, n), entry);
  }
  for (int64_t i = 0; i < group.count; ++i) {
    const int64_t found = best[i].finish();
    if (group.parts == 1) {
      int32_t* out = args.selected.row<int32_t>(segment.begin + group.first + i);
      std::transform(best[i].items(), best[i].items() + k, out, item_entry);
      continue;
    }
    const int64_t slot = group.slot + i * group.parts + part;
    std::copy_n(best[i].items(), found, shared_.get<uint64_t>(0) + slot * k);
    part_counts_[static_cast<size_t>(slot)] = found;
  }
}

void CpuOps::index_select(const IndexArgs& args) {
  check_layout(args.layout);
  const int64_t k = args.selected.dim[1], heads = args.q.dim[1];
  HADAL_CHECK(args.q.rank == 3 && is_activation(args.q) && is_activation(args.weights) &&
              args.layout.dim == args.q.dim[2] && args.weights.dim[0] == args.q.dim[0] &&
              args.weights.dim[1] == heads && args.ratio > 0);
  HADAL_CHECK(args.selected.dtype == DType::kI32 && args.selected.dim[0] == args.q.dim[0] && k >= 1);

  index_groups_.clear();
  for (size_t s = 0; s < args.segments.size(); ++s) {
    const IndexSegment& segment = args.segments[s];
    HADAL_CHECK(segment.pos >= 0 && segment.begin >= 0 && segment.count >= 0 &&
                segment.begin + segment.count <= args.q.dim[0]);
    // The first token that sees more than k entries.
    const int64_t chosen = std::max<int64_t>(0, (k + 1) * args.ratio - 1 - segment.pos);
    for (int64_t i = chosen; i < segment.count; i += kGroupQueries) {
      const int64_t count = std::min(kGroupQueries, segment.count - i);
      index_groups_.push_back({static_cast<int>(s), i, count, (segment.pos + i + count) / args.ratio, 1, 0});
    }
  }
  if (index_groups_.empty()) return;

  // Few groups: their entries are divided as well, and the best of the parts merged.
  const int64_t groups = static_cast<int64_t>(index_groups_.size());
  const int64_t wanted = (int64_t{4} * threads() + groups - 1) / groups;
  int64_t slots = 0;
  index_tasks_.clear();
  for (int64_t g = 0; g < groups; ++g) {
    IndexGroup& group = index_groups_[static_cast<size_t>(g)];
    group.parts = threads() == 1 ? 1 : std::clamp<int64_t>(group.entries / kFewestEntries, 1, wanted);
    group.slot = slots;
    if (group.parts > 1) slots += group.count * group.parts;
    for (int64_t p = 0; p < group.parts; ++p) index_tasks_.push_back({g, p});
  }
  shared_.get<uint64_t>(slots * k);
  part_counts_.resize(static_cast<size_t>(slots));
  pool_.parallel_for(
      static_cast<int64_t>(index_tasks_.size()), 1, [&](int64_t begin, int64_t end, int worker) {
        for (int64_t t = begin; t < end; ++t) {
          const auto [g, part] = index_tasks_[static_cast<size_t>(t)];
          const IndexGroup& group = index_groups_[static_cast<size_t>(g)];
          index_group(args, group, group.entries * part / group.parts,
                      group.entries * (part + 1) / group.parts, part, workers_[static_cast<size_t>(worker)]);
        }
      });
  if (slots == 0) return;
  auto* items = shared_.get<uint64_t>(slots * k);
  pool_.parallel_for(groups, 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t g = begin; g < end; ++g) {
      const IndexGroup& group = index_groups_[static_cast<size_t>(g)];
      if (group.parts == 1) continue;
      auto* spare = workers_[static_cast<size_t>(worker)].slot[3].get<uint64_t>(group.parts * k);
      const int64_t token = args.segments[static_cast<size_t>(group.segment)].begin + group.first;
      for (int64_t i = 0; i < group.count; ++i) {
        const int64_t first = group.slot + i * group.parts;
        uint64_t* merged = items + first * k;
        int64_t n = 0;
        for (int64_t p = 0; p < group.parts; ++p) {
          const int64_t found = part_counts_[static_cast<size_t>(first + p)];
          std::copy_n(merged + p * k, found, merged + n);
          n += found;
        }
        keep_best(merged, n, k, spare);
        std::transform(merged, merged + k, args.selected.row<int32_t>(token + i), item_entry);
      }
    }
  });
}

}  // namespace hadal
