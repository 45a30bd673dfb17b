// Router and experts (spec/model.md section 7).
#include <algorithm>
#include <limits>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace hadal {

// --- Router
// ----------------------------------------------------------------------------------------------------------

void CpuOps::route(const RouteArgs& args) {
  const int64_t tokens = args.ids.dim[0], k = args.ids.dim[1], experts = args.logits.dim[1];
  const bool hashed = !args.tid2eid.empty();
  HADAL_CHECK(args.ids.dtype == DType::kI32 && args.weights.dtype == DType::kF32 &&
              args.logits.dtype == DType::kF32 && args.weights.dim[0] == tokens && args.weights.dim[1] == k &&
              args.logits.dim[0] == tokens && k >= 1);
  HADAL_CHECK(args.bias.empty() || (args.bias.dtype == DType::kF32 && args.bias.elements() == experts));
  if (hashed)
    HADAL_CHECK(args.tid2eid.dtype == DType::kI64 && args.tid2eid.dim[1] == k &&
                args.token_ids.dtype == DType::kI32 && args.token_ids.dim[0] == tokens);
  else
    HADAL_CHECK(k <= experts, "{} of {} experts", k, experts);
  each(tokens, 16 * experts, [&](int64_t begin, int64_t end, int worker) {
    Worker& mine = workers_[static_cast<size_t>(worker)];
    auto* s = mine.slot[0].get<float>(experts);
    auto* best = mine.slot[1].get<float>(k);
    for (int64_t t = begin; t < end; ++t) {
      kernels_.sqrt_softplus(s, args.logits.row<const float>(t), experts);
      auto* ids = args.ids.row<int32_t>(t);
      if (hashed) {
        const int32_t id = args.token_ids.as<const int32_t>()[t];
        HADAL_CHECK(id >= 0 && id < args.tid2eid.dim[0], "token id {} of {}", id, args.tid2eid.dim[0]);
        const int64_t* listed = args.tid2eid.row<const int64_t>(id);
        for (int64_t i = 0; i < k; ++i) {
          HADAL_CHECK(listed[i] >= 0 && listed[i] < experts, "expert {} of {}", listed[i], experts);
          ids[i] = static_cast<int32_t>(listed[i]);
        }
      } else {
        // Insertion into the list of the best so far; an equal score goes behind, so ties go to the lower id.
        int64_t n = 0;
        for (int64_t e = 0; e < experts; ++e) {
          float score = args.bias.empty() ? s[e] : s[e] + args.bias.as<const float>()[e];
          if (score != score) score = -std::numeric_limits<float>::infinity();
          if (n == k && !(score > best[k - 1])) continue;
          int64_t at = n < k ? n++ : k - 1;
          for (; at > 0 && score > best[at - 1]; --at) {
            best[at] = best[at - 1];
            ids[at] = ids[at - 1];
          }
          best[at] = score;
          ids[at] = static_cast<int32_t>(e);
        }
      }
      std::sort(ids, ids + k);
      float total = 0;
      for (int64_t i = 0; i < k; ++i) total += s[ids[i]];
      auto* weights = args.weights.row<float>(t);
      for (int64_t i = 0; i < k; ++i) weights[i] = s[ids[i]] / total * args.scale;
      for (int64_t i = k - 1; i > 0; --i)
        if (ids[i] == ids[i - 1]) {
          ids[i] = -1;
          weights[i] = 0.0f;
        }
    }
  });
}

// --- Experts
// ---------------------------------------------------------------------------------------------------------
//
// Entries (token, weight) are sorted by expert, the shared expert last. A first loop takes 128 rows of w1 and
// w3 of one expert and gives 128 hidden values of all its tokens, rounded to the FP8 grid where w2 wants
// that and in the order that w2 wants: blocks of the grid and steps of the order lie in such tiles. A second
// loop takes some rows of w2 of all experts, so that a token's outputs are added in ascending order of expert
// by one thread.

namespace {

constexpr int64_t kHiddenTile = 128;

}  // namespace

void CpuOps::group_experts(const ExpertArgs& args) {
  const int64_t tokens = args.x.dim[0], k = args.ids.dim[1],
                experts = static_cast<int64_t>(args.experts.size());
  counts_.assign(static_cast<size_t>(experts) + 1, 0);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t i = 0; i < k; ++i) {
      const int32_t id = args.ids.row<const int32_t>(t)[i];
      HADAL_CHECK(id < experts, "expert {} of {}", id, experts);
      if (id >= 0) ++counts_[static_cast<size_t>(id) + 1];
    }
  groups_.clear();
  for (int64_t e = 0; e < experts; ++e) {
    const int64_t begin = counts_[static_cast<size_t>(e)], count = counts_[static_cast<size_t>(e) + 1];
    counts_[static_cast<size_t>(e) + 1] += begin;
    if (count > 0)
      groups_.push_back({&args.experts[static_cast<size_t>(e)], begin, begin + count, 0, 0, 0, false});
  }
  const int64_t routed = counts_[static_cast<size_t>(experts)];
  entries_.resize(static_cast<size_t>(routed + (args.shared != nullptr ? tokens : 0)));
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t i = 0; i < k; ++i) {
      const int32_t id = args.ids.row<const int32_t>(t)[i];
      if (id >= 0)
        entries_[static_cast<size_t>(counts_[static_cast<size_t>(id)]++)] = {
            t, args.weights.row<const float>(t) + i};
    }
  if (args.shared != nullptr) {
    groups_.push_back({args.shared, routed, routed + tokens, 0, 0, 0, false});
    for (int64_t t = 0; t < tokens; ++t) entries_[static_cast<size_t>(routed + t)] = {t, nullptr};
  }
  int64_t tiles = 0;
  const bool x_bf16 = args.x.dtype == DType::kBF16;
  const KernelInput input = kernel_input(x_bf16, tokens);
  for (ExpertGroup& group : groups_) {
    const ExpertWeights& e = *group.expert;
    check_weight(e.w1);
    check_weight(e.w2);
    check_weight(e.w3);
    HADAL_CHECK(e.w1.in == args.x.last() && e.w3.in == e.w1.in && e.w3.out == e.w1.out &&
                e.w2.in == e.w1.out && e.w2.out == args.out.last());
    tiles += (e.w1.out + kHiddenTile - 1) / kHiddenTile;
    group.tiles = tiles;
    const KernelFormat format = kernel_format(e.w2.format);
    group.raw_hidden = kernels_.usable_as_is(format, input, e.w2.in);
    group.hidden_row = kernels_.prepared_bytes(format, input, e.w2.in);
  }
}

// Inputs in the orders the experts' formats want, once for all experts.
void CpuOps::prepare_expert_inputs(const ExpertArgs& args) {
  for (auto& by_source : expert_inputs_used_)
    for (bool& used : by_source) used = false;
  const int64_t k = args.x.last();
  const KernelInput input = kernel_input(args.x.dtype == DType::kBF16, args.x.dim[0]);
  for (const ExpertGroup& group : groups_)
    for (const Weight* w : {&group.expert->w1, &group.expert->w3})
      expert_inputs_used_[group.expert->w1.quantised()][static_cast<int>(w->format)] = true;
  for (int quantised = 0; quantised < 2; ++quantised)
    for (int order = 0; order < kKernelFormats; ++order) {
      const auto format = static_cast<KernelFormat>(order);
      if (!expert_inputs_used_[quantised][order] || kernels_.usable_as_is(format, input, k)) continue;
      const Rows from(quantised != 0 ? args.xq : args.x);
      const int64_t bytes = kernels_.prepared_bytes(format, input, k);
      std::byte* out = expert_inputs_[quantised][order].bytes(from.count() * bytes);
      each(from.count(), 2 * k, [&](int64_t begin, int64_t end, int) {
        for (int64_t t = begin; t < end; ++t)
          kernels_.prepare(out + t * bytes, from.in(t), {0, k, k}, format, input);
      });
    }
}

void CpuOps::expert_hidden_tile(const ExpertArgs& args, const ExpertGroup& group, int64_t tile,
                                Worker& worker) {
  const ExpertWeights& e = *group.expert;
  const int64_t first = tile * kHiddenTile, n = std::min(kHiddenTile, e.w1.out - first), k = e.w1.in;
  const bool x_bf16 = args.x.dtype == DType::kBF16;
  const KernelInput input = kernel_input(x_bf16, args.x.dim[0]);
  const Rows from(e.w1.quantised() ? args.xq : args.x);
  const KernelFormat hidden_format = kernel_format(e.w2.format);
  const bool quantise = args.quantise_activations && e.w2.quantised();
  for (int64_t begin = group.begin; begin < group.end; begin += kTokenTile) {
    const int64_t count = std::min(kTokenTile, group.end - begin);
    auto** x = worker.slot[0].get<const std::byte*>(kTokenTile);
    auto* dots = worker.slot[1].get<float>(2 * kTokenTile * kHiddenTile);
    int which = 0;
    for (const Weight* w : {&e.w1, &e.w3}) {
      const KernelFormat format = kernel_format(w->format);
      const int64_t row_bytes = kernels_.prepared_bytes(format, input, k);
      const bool as_is = kernels_.usable_as_is(format, input, k);
      const Scratch& ready = expert_inputs_[e.w1.quantised()][static_cast<int>(w->format)];
      for (int64_t i = 0; i < count; ++i) {
        const int64_t token = entries_[static_cast<size_t>(begin + i)].token;
        x[i] = as_is ? from.at(token) : ready.data() + token * row_bytes;
      }
      run_linear(
          linear_tile(*w, first, n, x, input, count, dots + which++ * kTokenTile * kHiddenTile, kHiddenTile),
          worker.slot[2]);
    }
    for (int64_t i = 0; i < count; ++i) {
      alignas(64) std::byte a[kHiddenTile * sizeof(float)];
      SwigluTile t{};
      t.out = {a, x_bf16};
      t.gate = dots + i * kHiddenTile;
      t.up = dots + (kTokenTile + i) * kHiddenTile;
      t.n = n;
      t.limit = args.limit;
      t.weight = entries_[static_cast<size_t>(begin + i)].weight;
      kernels_.swiglu(t);
      if (quantise) kernels_.fake_quant({a, x_bf16}, {a, x_bf16}, n, KernelQuant::kFp8Block128);
      std::byte* row = shared_.data() + group.hidden_offset + (begin + i - group.begin) * group.hidden_row;
      if (group.raw_hidden)
        std::copy_n(a, n * (x_bf16 ? 2 : 4), row + first * (x_bf16 ? 2 : 4));
      else
        kernels_.prepare(row, {a, x_bf16}, {first, n, e.w2.in}, hidden_format, input);
    }
  }
}

void CpuOps::expert_output_tile(const ExpertArgs& args, int64_t first, int64_t n, Worker& worker) {
  const int64_t tokens = args.x.dim[0];
  const bool x_bf16 = args.x.dtype == DType::kBF16;
  const KernelInput input = kernel_input(x_bf16, tokens);
  auto** x = worker.slot[0].get<const std::byte*>(kTokenTile);
  auto* y = worker.slot[1].get<float>(kTokenTile * n);
  auto* acc = worker.slot[3].get<float>(tokens * n);
  std::fill(acc, acc + tokens * n, 0.0f);
  for (const ExpertGroup& group : groups_) {
    const Weight& w = group.expert->w2;
    for (int64_t begin = group.begin; begin < group.end; begin += kTokenTile) {
      const int64_t count = std::min(kTokenTile, group.end - begin);
      for (int64_t i = 0; i < count; ++i)
        x[i] = shared_.data() + group.hidden_offset + (begin + i - group.begin) * group.hidden_row;
      run_linear(linear_tile(w, first, n, x, input, count, y, n), worker.slot[2]);
      for (int64_t i = 0; i < count; ++i)
        kernels_.accumulate(acc + entries_[static_cast<size_t>(begin + i)].token * n, y + i * n, n, x_bf16);
    }
  }
  const Rows out(args.out);
  for (int64_t t = 0; t < tokens; ++t) {
    const MutRow row = out.row(t);
    kernels_.convert({row.data + first * (row.bf16 ? 2 : 4), row.bf16},
                     {reinterpret_cast<const std::byte*>(acc + t * n), false}, n);
  }
}

void CpuOps::expert_ffn(const ExpertArgs& args) {
  const int64_t tokens = args.x.dim[0], width = args.out.last();
  HADAL_CHECK(args.x.rank == 2 && args.xq.rank == 2 && args.out.rank == 2 && is_activation(args.x) &&
              is_activation(args.out) && args.xq.dtype == args.x.dtype && args.xq.dim[0] == tokens &&
              args.xq.dim[1] == args.x.dim[1] && args.out.dim[0] == tokens);
  HADAL_CHECK(args.ids.dtype == DType::kI32 && args.weights.dtype == DType::kF32 &&
              args.ids.dim[0] == tokens && args.weights.dim[0] == tokens &&
              args.weights.dim[1] == args.ids.dim[1]);
  if (tokens == 0) return;
  group_experts(args);
  prepare_expert_inputs(args);
  int64_t hidden_bytes = 0, work = 0;
  for (ExpertGroup& group : groups_) {
    group.hidden_offset = hidden_bytes;
    hidden_bytes += (group.end - group.begin) * group.hidden_row;
    work += (group.end - group.begin) * group.expert->w1.in * group.expert->w1.out;
  }
  shared_.bytes(hidden_bytes);
  const bool small = work < 1 << 14;
  const int64_t tiles = groups_.empty() ? 0 : groups_.back().tiles;
  if (tiles > 0)
    pool_.parallel_for(tiles, small ? tiles : 1, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t tile = begin; tile < end; ++tile) {
        const auto group = std::upper_bound(groups_.begin(), groups_.end(), tile,
                                            [](int64_t at, const ExpertGroup& g) { return at < g.tiles; });
        const int64_t earlier = group == groups_.begin() ? 0 : (group - 1)->tiles;
        expert_hidden_tile(args, *group, tile - earlier, workers_[static_cast<size_t>(worker)]);
      }
    });
  int64_t piece = kScaleBlock;
  while (piece > 32 && (width + piece - 1) / piece < int64_t{4} * threads()) piece /= 2;
  const int64_t pieces = (width + piece - 1) / piece;
  pool_.parallel_for(pieces, small ? pieces : 1, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t i = begin; i < end; ++i)
      expert_output_tile(args, i * piece, std::min(piece, width - i * piece),
                         workers_[static_cast<size_t>(worker)]);
  });
}

}  // namespace hadal
