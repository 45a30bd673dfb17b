// Kernels of the hyper-connections and the compressor.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

// n values replaced by a function of them.
template <class F>
HADAL_INLINE void for_lanes(float* x, int n, F f) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t left = n - i;
    left >= kLanes ? store(x + i, f(load(x + i))) : store_some(x + i, f(load_some(x + i, left)), left);
  }
}
HADAL_INLINE void sigmoid_some(float* x, int n) {
  for_lanes(x, n, [](f32x16 v) HADAL_LAMBDA_INLINE { return math::sigmoid(v); });
}

// Rows or columns of an n x n matrix divided by their sums.
HADAL_INLINE void normalise(float* c, int n, int outer, int inner, float eps) {
  for (int a = 0; a < n; ++a) {
    float sum = 0;
    for (int b = 0; b < n; ++b) sum += c[a * outer + b * inner];
    sum += eps;
    for (int b = 0; b < n; ++b) c[a * outer + b * inner] /= sum;
  }
}

HADAL_INLINE void sinkhorn(float* c, int n, float eps, int iters) {
  for (int j = 0; j < n; ++j) {
    float* row = c + j * n;
    float top = row[0];
    for (int k = 1; k < n; ++k) top = top < row[k] ? row[k] : top;
    for_lanes(row, n, [&](f32x16 v) HADAL_LAMBDA_INLINE { return math::exp(v - f32x16(top)); });
    float sum = 0;
    for (int k = 0; k < n; ++k) sum += row[k];
    for (int k = 0; k < n; ++k) row[k] = row[k] / sum + eps;
  }
  normalise(c, n, 1, n, eps);
  for (int i = 1; i < iters; ++i) {
    normalise(c, n, n, 1, eps);
    normalise(c, n, 1, n, eps);
  }
}

void hc_mix(const HcMixTile& t) {
  const int m = t.streams;
  float mix[kMaxKernelStreams];
  const auto mixed = [&](int i, float factor)
                         HADAL_LAMBDA_INLINE { return t.dots[i] * t.rho * factor + t.base[i]; };
  for (int j = 0; j < m; ++j) mix[j] = mixed(j, t.scale[0]);
  sigmoid_some(mix, m);
  for (int j = 0; j < m; ++j) t.pre[j] = mix[j] + t.hc_eps;
  if (t.comb == nullptr) return;
  for (int j = 0; j < m; ++j) mix[j] = mixed(m + j, t.scale[1]);
  sigmoid_some(mix, m);
  for (int j = 0; j < m; ++j) t.post[j] = 2.0f * mix[j];
  for (int i = 0; i < m * m; ++i) t.comb[i] = mixed(2 * m + i, t.scale[2]);
  sinkhorn(t.comb, m, t.hc_eps, t.sinkhorn_iters);
}

void weighted_sum(MutRow out, const std::byte* const* x, bool x_bf16, const float* weight, int n,
                  int64_t dim) {
  for (int64_t i = 0; i < dim; i += kLanes) {
    f32x16 acc = f32x16(weight[0]) * load_at({x[0], x_bf16}, i, dim - i);
    for (int j = 1; j < n; ++j) acc = fma(f32x16(weight[j]), load_at({x[j], x_bf16}, i, dim - i), acc);
    store_at(out, i, acc, dim - i);
  }
}

void hc_post(MutRow out, ConstRow o, float post, const std::byte* const* x, bool x_bf16, const float* weight,
             int n, int64_t dim) {
  for (int64_t i = 0; i < dim; i += kLanes) {
    f32x16 acc = f32x16(post) * load_at(o, i, dim - i);
    for (int j = 0; j < n; ++j) acc = fma(f32x16(weight[j]), load_at({x[j], x_bf16}, i, dim - i), acc);
    store_at(out, i, acc, dim - i);
  }
}

void pool(const PoolTile& t) {
  for (int64_t i = 0; i < t.channels; i += kLanes) {
    const int64_t left = t.channels - i;
    const auto at = [&](const float* p)
                        HADAL_LAMBDA_INLINE { return left >= kLanes ? load(p + i) : load_some(p + i, left); };
    const auto score = [&](int64_t item) HADAL_LAMBDA_INLINE {
      const f32x16 s = at(t.score[item]);
      return t.bias[item] != nullptr ? s + at(t.bias[item]) : s;
    };
    f32x16 top = score(0);
    for (int64_t item = 1; item < t.n; ++item) {
      const f32x16 s = score(item);
      top = select_gt(s, top, s, top);
    }
    f32x16 denominator(0.0f), acc(0.0f);
    for (int64_t item = 0; item < t.n; ++item) {
      const f32x16 weight = math::exp(score(item) - top);
      denominator = denominator + weight;
      acc = fma(weight, at(t.kv[item]), acc);
    }
    store_at({reinterpret_cast<std::byte*>(t.out), false}, i, acc / denominator, left);
  }
}

}  // namespace
}  // namespace hadal::HADAL_ISA
