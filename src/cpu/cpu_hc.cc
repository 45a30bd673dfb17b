// Hyper-connections (spec/model.md section 3).
#include <algorithm>
#include <cmath>

#include "cpu/cpu_ops.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

namespace hadal {
namespace {

constexpr int64_t kHcTile = 16;  // tokens whose flattened streams a worker holds
constexpr int64_t kHcPiece = 8;  // rows of fn a worker takes when there are few tokens

int64_t rounded_up(int64_t n) {
  return (n + 15) / 16 * 16;
}

}  // namespace

void CpuOps::hc_finish(const HcMixArgs& args, int64_t token, const float* dots, float rho) {
  HcMixTile tile{};
  tile.dots = dots;
  tile.rho = rho;
  tile.base = args.base.as<const float>();
  tile.scale = args.scale.as<const float>();
  tile.hc_eps = args.hc_eps;
  tile.sinkhorn_iters = args.sinkhorn_iters;
  tile.streams = static_cast<int>(args.streams.dim[1]);
  tile.pre = args.pre.row<float>(token);
  tile.post = args.comb.empty() ? nullptr : args.post.row<float>(token);
  tile.comb = args.comb.empty() ? nullptr : args.comb.row<float>(token);
  kernels_.hc_mix(tile);
}

namespace {

// The streams of a token as one row of floats, padded with zeros; returns rho.
float flatten(const KernelTable& kernels, const Rows& streams, const HcMixArgs& args, int64_t token,
              float* out) {
  const int64_t m = args.streams.dim[1], d = args.streams.dim[2];
  for (int64_t j = 0; j < m; ++j)
    kernels.convert({reinterpret_cast<std::byte*>(out + j * d), false}, streams.in(token * m + j), d);
  std::fill(out + m * d, out + rounded_up(m * d), 0.0f);
  const float squares = kernels.sum_squares({reinterpret_cast<const std::byte*>(out), false}, m * d);
  return 1.0f / std::sqrt(squares / static_cast<float>(m * d) + args.norm_eps);
}

LinearTile fn_tile(const HcMixArgs& args, int64_t first, int64_t n, const std::byte* const* x, int64_t tokens,
                   float* out) {
  Weight fn;
  fn.format = WeightFormat::kF32;
  fn.out = args.fn.dim[0];
  fn.in = args.fn.dim[1];
  fn.data = args.fn;
  return linear_tile(fn, first, n, x, KernelInput::kF32, tokens, out + first, fn.out);
}

}  // namespace

// Mixing weights of tokens [begin, end), at most kHcTile.
void CpuOps::hc_mix_tokens(const HcMixArgs& args, int64_t begin, int64_t end, Worker& worker) {
  const Rows streams(args.streams);
  const int64_t width = rounded_up(args.fn.dim[1]), n = end - begin;
  auto* flat = worker.slot[0].get<float>(n * width);
  auto* dots = worker.slot[1].get<float>(n * args.fn.dim[0]);
  float rho[kHcTile];
  const std::byte* rows[kHcTile];
  for (int64_t i = 0; i < n; ++i) {
    rows[i] = reinterpret_cast<const std::byte*>(flat + i * width);
    rho[i] = flatten(kernels_, streams, args, begin + i, flat + i * width);
  }
  kernels_.linear(fn_tile(args, 0, args.fn.dim[0], rows, n, dots));
  for (int64_t i = 0; i < n; ++i) hc_finish(args, begin + i, dots + i * args.fn.dim[0], rho[i]);
}

void CpuOps::hc_mix(const HcMixArgs& args) {
  const int64_t tokens = args.streams.dim[0], m = args.streams.dim[1], d = args.streams.dim[2];
  const int64_t rows = args.fn.dim[0], width = m * d;
  const bool full = !args.comb.empty();
  HADAL_CHECK(args.streams.rank == 3 && is_activation(args.streams) && m >= 1 && m <= kMaxKernelStreams);
  HADAL_CHECK(args.fn.rank == 2 && args.fn.dtype == DType::kF32 && args.fn.dim[1] == width &&
                  rows == (full ? (2 + m) * m : m),
              "fn [{}, {}] for {} streams of {}", rows, args.fn.dim[1], m, d);
  HADAL_CHECK(args.base.dtype == DType::kF32 && args.base.elements() == rows &&
              args.scale.dtype == DType::kF32 && args.scale.elements() == (full ? 3 : 1));
  HADAL_CHECK(args.pre.dtype == DType::kF32 && args.pre.dim[0] == tokens && args.pre.dim[1] == m);
  HADAL_CHECK(full == !args.post.empty() &&
              (!full || (args.post.dim[0] == tokens && args.post.dim[1] == m && args.comb.dim[0] == tokens &&
                         args.comb.dim[1] == m && args.comb.dim[2] == m && args.comb.stride[1] == 4 * m)));
  if (tokens == 0) return;
  if (tokens >= kHcTile || threads() == 1 || rows * width < 1 << 15) {
    pool_.parallel_for(tokens, std::clamp<int64_t>(tokens / (2 * threads()), 1, kHcTile),
                       [&](int64_t begin, int64_t end, int worker) {
                         for (int64_t t = begin; t < end; t += kHcTile)
                           hc_mix_tokens(args, t, std::min(end, t + kHcTile),
                                         workers_[static_cast<size_t>(worker)]);
                       });
    return;
  }
  // Few tokens: over the rows of fn.
  const Rows streams(args.streams);
  const int64_t stride = rounded_up(width);
  auto* flat = prepared_.get<float>(tokens * stride);
  auto* dots = shared_.get<float>(tokens * rows);
  float rho[kHcTile];
  const std::byte* flat_rows[kHcTile];
  for (int64_t t = 0; t < tokens; ++t) flat_rows[t] = reinterpret_cast<const std::byte*>(flat + t * stride);
  each(tokens, 4 * width, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) rho[t] = flatten(kernels_, streams, args, t, flat + t * stride);
  });
  pool_.parallel_for(rows, kHcPiece, [&](int64_t begin, int64_t end, int) {
    kernels_.linear(fn_tile(args, begin, end - begin, flat_rows, tokens, dots));
  });
  each(tokens, 1 << 12, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) hc_finish(args, t, dots + t * rows, rho[t]);
  });
}

void CpuOps::hc_pre(View out, View streams, View pre) {
  const int64_t m = streams.dim[1], d = streams.dim[2];
  HADAL_CHECK(streams.rank == 3 && is_activation(streams) && is_activation(out) && m >= 1 &&
              m <= kMaxKernelStreams && out.rows() == streams.dim[0] && out.last() == d &&
              pre.dtype == DType::kF32 && pre.dim[0] == streams.dim[0] && pre.dim[1] == m);
  const Rows to(out), from(streams);
  each(streams.dim[0], 2 * m * d, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const std::byte* x[kMaxKernelStreams];
      for (int64_t j = 0; j < m; ++j) x[j] = from.at(t * m + j);
      kernels_.weighted_sum(to.row(t), x, from.bf16(), pre.row<const float>(t), static_cast<int>(m), d);
    }
  });
}

void CpuOps::hc_post(View out, View o, View residual, View post, View comb) {
  const int64_t m = residual.dim[1], d = residual.dim[2];
  HADAL_CHECK(residual.rank == 3 && out.rank == 3 && is_activation(residual) && is_activation(out) &&
              is_activation(o) && m >= 1 && m <= kMaxKernelStreams && out.rows() == residual.rows() &&
              out.last() == d && o.rows() == residual.dim[0] && o.last() == d);
  HADAL_CHECK(post.dtype == DType::kF32 && post.dim[1] == m && comb.dtype == DType::kF32 &&
              comb.dim[1] == m && comb.dim[2] == m && comb.stride[1] == 4 * m);
  const Rows to(out), from(residual), add(o);
  each(residual.dim[0], 2 * m * (m + 1) * d, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      const std::byte* x[kMaxKernelStreams];
      for (int64_t j = 0; j < m; ++j) x[j] = from.at(t * m + j);
      for (int64_t k = 0; k < m; ++k) {
        float weight[kMaxKernelStreams];
        for (int64_t j = 0; j < m; ++j) weight[j] = comb.row<const float>(t)[j * m + k];
        kernels_.hc_post(to.row(t * m + k), add.in(t), post.row<const float>(t)[k], x, from.bf16(), weight,
                         static_cast<int>(m), d);
      }
    }
  });
}

}  // namespace hadal
