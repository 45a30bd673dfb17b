// The lightning indexer's scores and selection (spec/model.md sections 6.4, 6.5).
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace hadal {
namespace {

constexpr int64_t kKeyPart = 1024;                 // entries one task scores
constexpr int64_t kScoreLimit = int64_t{1} << 24;  // scores held at a time, unless one query needs more

}  // namespace

// The k highest of n scores, ties to the lower entry, NaN lowest; ascending entries to out.
void CpuOps::select_top(const float* scores, int64_t n, int64_t k, int32_t* out, Worker& worker) {
  const auto order = [&](int64_t j) {
    return scores[j] == scores[j] ? scores[j] : -std::numeric_limits<float>::infinity();
  };
  auto* copy = worker.slot[3].get<float>(n);
  for (int64_t j = 0; j < n; ++j) copy[j] = order(j);
  std::nth_element(copy, copy + (k - 1), copy + n, std::greater<>());
  const float threshold = copy[k - 1];
  int64_t ties = k;
  for (int64_t j = 0; j < k; ++j) ties -= copy[j] > threshold ? 1 : 0;
  int64_t taken = 0;
  for (int64_t j = 0; j < n && taken < k; ++j) {
    const float score = order(j);
    if (score > threshold || (score == threshold && ties-- > 0)) out[taken++] = static_cast<int32_t>(j);
  }
}

void CpuOps::index_select(const IndexArgs& args) {
  check_layout(args.layout);
  const int64_t k = args.selected.dim[1], heads = args.q.dim[1], dim = args.q.dim[2];
  HADAL_CHECK(args.q.rank == 3 && is_activation(args.q) && is_activation(args.weights) &&
              args.layout.dim == dim && args.weights.dim[0] == args.q.dim[0] &&
              args.weights.dim[1] == heads && args.ratio > 0);
  HADAL_CHECK(args.selected.dtype == DType::kI32 && args.selected.dim[0] == args.q.dim[0] && k >= 1);
  const Rows q(args.q), gains(args.weights);
  const KernelRowLayout layout = kernel_layout(args.layout);
  const KernelFormat format =
      layout.format == KernelRowFormat::kF32 ? KernelFormat::kF32 : KernelFormat::kBF16;
  const bool as_is = kernels_.usable_as_is(format, q.bf16(), dim);
  const int64_t q_bytes = kernels_.prepared_bytes(format, q.bf16(), dim);

  const auto run = [&](int64_t scores_needed) {
    auto* scores = shared_.get<float>(scores_needed);
    pool_.parallel_for(static_cast<int64_t>(parts_.size()), 1, [&](int64_t begin, int64_t end, int worker) {
      Worker& mine = workers_[static_cast<size_t>(worker)];
      auto** q_rows = mine.slot[0].get<const std::byte*>(heads);
      auto** keys = mine.slot[1].get<const std::byte*>(kKeyPart);
      auto* weights = mine.slot[2].get<float>(heads);
      std::byte* prepared = mine.slot[3].bytes(heads * q_bytes);
      std::byte* scratch = mine.slot[4].bytes(kernels_.index_scratch(layout));
      for (int64_t task = begin; task < end; ++task) {
        const Part& part = parts_[static_cast<size_t>(task)];
        const Query& query = queries_[static_cast<size_t>(part.query)];
        const IndexSegment& segment = args.segments[static_cast<size_t>(query.segment)];
        const int64_t token = segment.begin + query.index;
        for (int64_t h = 0; h < heads; ++h) {
          q_rows[h] = q.at(token * heads + h);
          if (as_is) continue;
          kernels_.prepare(prepared + h * q_bytes, q.in(token * heads + h), dim, format, nullptr);
          q_rows[h] = prepared + h * q_bytes;
        }
        kernels_.convert({reinterpret_cast<std::byte*>(weights), false}, gains.in(token), heads);
        for (int64_t j = part.from; j < part.to; ++j) keys[j - part.from] = segment.keys.row(j);
        IndexTile tile{};
        tile.out = scores + query.offset + part.from;
        tile.q = q_rows;
        tile.weights = weights;
        tile.keys = keys;
        tile.q_bf16 = q.bf16();
        tile.heads = heads;
        tile.n_keys = part.to - part.from;
        tile.layout = layout;
        tile.scratch = scratch;
        kernels_.index_scores(tile);
      }
    });
    pool_.parallel_for(static_cast<int64_t>(queries_.size()), 1, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t i = begin; i < end; ++i) {
        const Query& query = queries_[static_cast<size_t>(i)];
        const int64_t token = args.segments[static_cast<size_t>(query.segment)].begin + query.index;
        select_top(scores + query.offset, query.visible, k, args.selected.row<int32_t>(token),
                   workers_[static_cast<size_t>(worker)]);
      }
    });
    queries_.clear();
    parts_.clear();
  };

  queries_.clear();
  parts_.clear();
  int64_t used = 0;
  for (size_t s = 0; s < args.segments.size(); ++s) {
    const IndexSegment& segment = args.segments[s];
    HADAL_CHECK(segment.pos >= 0 && segment.begin >= 0 && segment.count >= 0 &&
                segment.begin + segment.count <= args.q.dim[0]);
    for (int64_t i = 0; i < segment.count; ++i) {
      const int64_t visible = (segment.pos + i + 1) / args.ratio;
      if (visible <= k) continue;
      if (used > 0 && used + visible > kScoreLimit) {
        run(used);
        used = 0;
      }
      const int64_t query = static_cast<int64_t>(queries_.size());
      queries_.push_back({static_cast<int>(s), i, visible, used});
      for (int64_t j = 0; j < visible; j += kKeyPart)
        parts_.push_back({query, j, std::min(visible, j + kKeyPart)});
      used += visible;
    }
  }
  if (used > 0) run(used);
}

}  // namespace hadal
