// Router and experts of the reference (spec/model.md section 7).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/float_mode.h"
#include "ops/math.h"
#include "ops/reference_ops.h"
#include "ops/scalar.h"

namespace hadal {

using namespace scalar;

void ReferenceOps::route(const RouteArgs& args) {
  const ScopedFloatMode mode;
  const int64_t k = args.ids.dim[1], experts = args.logits.dim[1];
  for (int64_t t = 0; t < args.ids.dim[0]; ++t) {
    std::vector<float> s(static_cast<size_t>(experts));
    for (int64_t e = 0; e < experts; ++e)
      s[e] = math::sqrt_softplus(F1(args.logits.row<const float>(t)[e])).v;
    std::vector<int32_t> ids;
    if (!args.tid2eid.empty()) {
      const int64_t* listed = args.tid2eid.row<const int64_t>(args.token_ids.as<const int32_t>()[t]);
      for (int64_t i = 0; i < k; ++i) ids.push_back(static_cast<int32_t>(listed[i]));
    } else {
      std::vector<float> score = s;
      for (int64_t e = 0; e < experts && !args.bias.empty(); ++e) score[e] += args.bias.as<const float>()[e];
      for (float& x : score)
        if (x != x) x = -INFINITY;
      ids.resize(score.size());
      std::iota(ids.begin(), ids.end(), 0);
      std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return score[a] > score[b]; });
      ids.resize(static_cast<size_t>(k));
    }
    std::sort(ids.begin(), ids.end());
    float total = 0;
    for (const int32_t id : ids) total += s[id];
    for (int64_t i = 0; i < k; ++i) {
      const bool repeated = i > 0 && ids[i] == ids[i - 1];
      args.ids.row<int32_t>(t)[i] = repeated ? -1 : ids[i];
      args.weights.row<float>(t)[i] = repeated ? 0.0f : s[ids[i]] / total * args.scale;
    }
  }
}

namespace {

std::vector<float> linear(std::span<const float> x, DType dtype, const Weight& w) {
  std::vector<float> y(static_cast<size_t>(w.out));
  for (int64_t r = 0; r < w.out; ++r) y[r] = round_to(dtype, weight_dot(x, dtype, w, r));
  return y;
}

}  // namespace

void ReferenceOps::expert_ffn(const ExpertArgs& args) {
  const ScopedFloatMode mode;
  const DType dtype = args.x.dtype;
  for (int64_t t = 0; t < args.x.dim[0]; ++t) {
    std::vector<float> acc(static_cast<size_t>(args.out.last()));
    const auto add_expert = [&](const ExpertWeights& expert, const float* weight) {
      const std::vector<float> x = row(expert.w1.quantised() ? args.xq : args.x, t);
      const std::vector<float> gate = linear(x, dtype, expert.w1), up = linear(x, dtype, expert.w3);
      std::vector<float> a(gate.size());
      for (size_t i = 0; i < a.size(); ++i) {
        const float g = gate[i] > args.limit ? args.limit : gate[i];
        float u = up[i] > args.limit ? args.limit : up[i];
        u = -args.limit > u ? -args.limit : u;
        a[i] = math::silu(F1(g)).v * u;
        if (weight != nullptr) a[i] = *weight * a[i];
        a[i] = round_to(dtype, a[i]);
      }
      if (args.quantise_activations && expert.w2.quantised()) scalar::fake_quant(a, QuantSim::kFp8Block128);
      const std::vector<float> y = linear(a, dtype, expert.w2);
      for (size_t i = 0; i < acc.size(); ++i) acc[i] += y[i];
    };
    for (int64_t i = 0; i < args.ids.dim[1]; ++i) {
      const int32_t id = args.ids.row<const int32_t>(t)[i];
      if (id >= 0) add_expert(args.experts[static_cast<size_t>(id)], &args.weights.row<const float>(t)[i]);
    }
    if (args.shared != nullptr) add_expert(*args.shared, nullptr);
    set_row(args.out, t, acc);
  }
}

}  // namespace hadal
