// Hyper-connections of the reference (spec/model.md section 3).
#include <algorithm>
#include <cmath>

#include "base/float_mode.h"
#include "ops/math.h"
#include "ops/reference_ops.h"
#include "ops/scalar.h"

namespace hadal {

using namespace scalar;

namespace {

// Row softmax, one column normalisation, then iters - 1 rounds of rows and columns (section 3.4).
void sinkhorn(std::vector<float>& c, size_t n, float eps, int iters) {
  for (size_t j = 0; j < n; ++j) {
    const float top = *std::max_element(c.begin() + j * n, c.begin() + (j + 1) * n);
    float sum = 0;
    for (size_t k = 0; k < n; ++k) {
      c[j * n + k] = math::exp(F1(c[j * n + k] - top)).v;
      sum += c[j * n + k];
    }
    for (size_t k = 0; k < n; ++k) c[j * n + k] = c[j * n + k] / sum + eps;
  }
  const auto normalise = [&](size_t outer, size_t inner) {
    for (size_t a = 0; a < n; ++a) {
      float sum = 0;
      for (size_t b = 0; b < n; ++b) sum += c[a * outer + b * inner];
      for (size_t b = 0; b < n; ++b) c[a * outer + b * inner] /= sum + eps;
    }
  };
  normalise(1, n);  // columns
  for (int i = 1; i < iters; ++i) {
    normalise(n, 1);
    normalise(1, n);
  }
}

}  // namespace

void ReferenceOps::hc_mix(const HcMixArgs& args) {
  const ScopedFloatMode mode;
  const int64_t tokens = args.streams.dim[0];
  const size_t m = static_cast<size_t>(args.streams.dim[1]);
  const bool full = !args.comb.empty();
  HADAL_CHECK(args.fn.dim[0] == static_cast<int64_t>(full ? (2 + m) * m : m));
  const float* base = args.base.as<const float>();
  const float* scale = args.scale.as<const float>();
  for (int64_t t = 0; t < tokens; ++t) {
    std::vector<float> f;
    for (size_t j = 0; j < m; ++j) {
      const std::vector<float> stream =
          row(args.streams, t * static_cast<int64_t>(m) + static_cast<int64_t>(j));
      f.insert(f.end(), stream.begin(), stream.end());
    }
    const float rho = 1.0f / std::sqrt(sum_squares(f) / static_cast<float>(f.size()) + args.norm_eps);
    const auto mix = [&](size_t i, float factor) {
      return dot(f, row(args.fn, static_cast<int64_t>(i)), DotOrder::kContiguous) * rho * factor + base[i];
    };
    for (size_t j = 0; j < m; ++j)
      args.pre.row<float>(t)[j] = math::sigmoid(F1(mix(j, scale[0]))).v + args.hc_eps;
    if (!full) continue;
    for (size_t j = 0; j < m; ++j)
      args.post.row<float>(t)[j] = 2.0f * math::sigmoid(F1(mix(m + j, scale[1]))).v;
    std::vector<float> comb(m * m);
    for (size_t i = 0; i < m * m; ++i) comb[i] = mix(2 * m + i, scale[2]);
    sinkhorn(comb, m, args.hc_eps, args.sinkhorn_iters);
    std::copy(comb.begin(), comb.end(), args.comb.row<float>(t));
  }
}

void ReferenceOps::hc_pre(View out, View streams, View pre) {
  const ScopedFloatMode mode;
  const int64_t m = streams.dim[1];
  for (int64_t t = 0; t < streams.dim[0]; ++t) {
    std::vector<float> acc(static_cast<size_t>(streams.dim[2]));
    for (int64_t j = 0; j < m; ++j) {
      const float weight = pre.row<const float>(t)[j];
      const std::vector<float> x = row(streams, t * m + j);
      for (size_t d = 0; d < acc.size(); ++d)
        acc[d] = j == 0 ? weight * x[d] : std::fma(weight, x[d], acc[d]);
    }
    set_row(out, t, acc);
  }
}

void ReferenceOps::hc_post(View out, View o, View residual, View post, View comb) {
  const ScopedFloatMode mode;
  const int64_t m = residual.dim[1];
  for (int64_t t = 0; t < residual.dim[0]; ++t) {
    const std::vector<float> u = row(o, t);
    std::vector<std::vector<float>> x;
    for (int64_t j = 0; j < m; ++j) x.push_back(row(residual, t * m + j));
    for (int64_t k = 0; k < m; ++k) {
      std::vector<float> acc(u.size());
      for (size_t d = 0; d < u.size(); ++d) {
        acc[d] = post.row<const float>(t)[k] * u[d];
        for (int64_t j = 0; j < m; ++j)
          acc[d] = std::fma(comb.row<const float>(t)[j * m + k], x[static_cast<size_t>(j)][d], acc[d]);
      }
      set_row(out, t * m + k, acc);
    }
  }
}

}  // namespace hadal
