// The oracle: every op in plain scalar code, in the order of docs/numerics.md. Slow and obvious. Backends are
// compared with it bit for bit; it is itself compared with double arithmetic (tests/ops).
#pragma once

#include "ops/ops.h"

namespace hadal {

class ReferenceOps final : public Ops {
 public:
  Arena& arena() override { return arena_; }
  Storage allocate(int64_t bytes) override { return Storage(bytes); }

  void embed(View out, const Weight& table, View ids) override;
  void matmul(View out, View x, const Weight& w) override;
  void grouped_matmul(View out, View x, const Weight& w) override;
  void rms_norm(View out, View x, View gain, float eps) override;
  void head_norm(View x, float eps) override;
  void rope_angles(View out, View pos, View freqs) override;
  void rope(View x, View angles, Direction direction) override;
  void fake_quant(View out, View x, QuantSim sim) override;
  void hadamard(View x) override;
  void scale(View x, float factor) override;
  void add_broadcast(View out, View a, View b) override;
  void gather_rows(View out, View x, View rows) override;
  void hc_mix(const HcMixArgs& args) override;
  void hc_pre(View out, View streams, View pre) override;
  void hc_post(View out, View o, View residual, View post, View comb) override;
  void compress(const CompressArgs& args) override;
  void pack_rows(std::byte* out, View rows, const RowLayout& layout) override;
  void append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) override;
  void ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) override;
  void index_select(const IndexArgs& args) override;
  void attention(const AttentionArgs& args) override;
  void route(const RouteArgs& args) override;
  void expert_ffn(const ExpertArgs& args) override;

 private:
  Arena arena_;
};

}  // namespace hadal
