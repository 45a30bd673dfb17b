// The arithmetic of the model as about twenty coarse operations. One virtual class: backends (ReferenceOps,
// CpuOps, CudaOps) and decorators (checks, traces) are classes over it.
//
// Conventions
// * Outputs are arguments; an op allocates nothing that outlives it.
// * Activations are bf16 (numerics `release`) or f32 (numerics `fp32`); an op sees which from its views and
// rounds its
//   result once, to the dtype of its output. Inside, everything is fp32.
// * Every sum has one order (docs/numerics.md), so results are the same bits on every backend of one machine
// family,
//   for any number of threads and any split of the tokens.
// * Views are [tokens, ...] with a dense last dimension; outputs do not overlap inputs unless it says "in
// place".
// * Not thread-safe: one caller at a time. Wrong shapes and types are bugs of the caller and are CHECKed.
#pragma once

#include "ops/args.h"
#include "tensor/storage.h"

namespace hadal {

enum class Direction { kForward, kInverse };

class Ops {
 public:
  virtual ~Ops() = default;

  // Scratch for activations of the caller.
  virtual Arena& arena() = 0;
  // Memory for state that outlives a forward pass, zero-filled.
  virtual Storage allocate(int64_t bytes) = 0;

  // out [tokens, M, D] <- M copies of row ids[t] of table [vocab, D] (sections 3.1). ids i32, in range.
  virtual void embed(View out, const Weight& table, View ids) = 0;

  // out [tokens, w.out] <- x [tokens, w.in] . w^T. Quantised weights are used exactly; x is not quantised
  // here.
  virtual void matmul(View out, View x, const Weight& w) = 0;
  // out [tokens, groups, R] <- x [tokens, groups, K]: group g uses rows g*R ... g*R + R - 1 of w [groups*R,
  // K] (4.9).
  virtual void grouped_matmul(View out, View x, const Weight& w) = 0;

  // Rows of the last dimension: out = gain * (x * rsqrt(mean(x^2) + eps)); gain bf16 | f32 [last]. In place
  // allowed.
  virtual void rms_norm(View out, View x, View gain, float eps) = 0;
  // In place, x [tokens, heads, dim], no gain: for bf16 the published chain of roundings (section 4.2).
  virtual void head_norm(View x, float eps) = 0;

  // out [n, pairs, 2] f32: cosine and sine of fp32(pos) * freqs[i]; pos [n] i64, freqs [pairs] f32
  // (section 4.3).
  virtual void rope_angles(View out, View pos, View freqs) = 0;
  // In place: rotates the trailing 2 * pairs values of x [tokens, ..., dim]; angles [tokens, pairs, 2].
  virtual void rope(View x, View angles, Direction direction) = 0;

  // Rounds rows of the last dimension to a quantised grid and back. In place allowed. bf16 or f32.
  virtual void fake_quant(View out, View x, QuantSim sim) = 0;
  // In place: rows of the last dimension (a power of two) times H / sqrt(dim) (section 6.2).
  virtual void hadamard(View x) = 0;
  // In place: x * factor.
  virtual void scale(View x, float factor) = 0;
  // out [tokens, M, D] <- a [tokens, M, D] + b [tokens, D].
  virtual void add_broadcast(View out, View a, View b) = 0;
  // out [n, ...] <- rows[i] of x [tokens, ...]; rows i32 [n]. Same dtype.
  virtual void gather_rows(View out, View x, View rows) = 0;

  virtual void hc_mix(const HcMixArgs& args) = 0;
  // out [tokens, D] <- sum_j pre[j] * streams[j].
  virtual void hc_pre(View out, View streams, View pre) = 0;
  // out [tokens, M, D]: out[k] <- post[k] * o + sum_j comb[j][k] * residual[j] (section 3.5).
  virtual void hc_post(View out, View o, View residual, View post, View comb) = 0;

  virtual void compress(const CompressArgs& args) = 0;
  // Packs rows [n, dim] to n places `row_bytes` apart (a chunk's own rows).
  virtual void pack_rows(std::byte* out, View rows, const RowLayout& layout) = 0;
  // Packs rows [n, dim] into entries first ... first + n - 1 of a table.
  virtual void append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) = 0;
  // Copies packed rows of positions pos ... pos + n - 1 into the ring (the last `capacity` of them remain).
  virtual void ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) = 0;

  virtual void index_select(const IndexArgs& args) = 0;
  virtual void attention(const AttentionArgs& args) = 0;
  virtual void route(const RouteArgs& args) = 0;
  virtual void expert_ffn(const ExpertArgs& args) = 0;
};

}  // namespace hadal
