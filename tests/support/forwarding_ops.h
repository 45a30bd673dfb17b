// A backend for tests that change one thing of another one: everything else goes there.
#pragma once

#include <utility>

#include "ops/ops.h"

namespace hadal::test {

template <class Backend>
class ForwardingOps : public Ops {
 public:
  template <class... Args>
  explicit ForwardingOps(Args&&... args) : ops_(std::forward<Args>(args)...) {}

  Arena& arena() override { return ops_.arena(); }
  Storage allocate(int64_t bytes) override { return ops_.allocate(bytes); }
  void embed(View out, const Weight& table, View ids) override { ops_.embed(out, table, ids); }
  void matmul(View out, View x, const Weight& w) override { ops_.matmul(out, x, w); }
  void grouped_matmul(View out, View x, const Weight& w) override { ops_.grouped_matmul(out, x, w); }
  void rms_norm(View out, View x, View gain, float eps) override { ops_.rms_norm(out, x, gain, eps); }
  void head_norm(View x, float eps) override { ops_.head_norm(x, eps); }
  void rope_angles(View out, View pos, View freqs) override { ops_.rope_angles(out, pos, freqs); }
  void rope(View x, View angles, Direction direction) override { ops_.rope(x, angles, direction); }
  void fake_quant(View out, View x, QuantSim sim) override { ops_.fake_quant(out, x, sim); }
  void hadamard(View x) override { ops_.hadamard(x); }
  void scale(View x, float factor) override { ops_.scale(x, factor); }
  void add_broadcast(View out, View a, View b) override { ops_.add_broadcast(out, a, b); }
  void gather_rows(View out, View x, View rows) override { ops_.gather_rows(out, x, rows); }
  void hc_mix(const HcMixArgs& args) override { ops_.hc_mix(args); }
  void hc_pre(View out, View streams, View pre) override { ops_.hc_pre(out, streams, pre); }
  void hc_post(View out, View o, View residual, View post, View comb) override {
    ops_.hc_post(out, o, residual, post, comb);
  }
  void compress(const CompressArgs& args) override { ops_.compress(args); }
  void pack_rows(std::byte* out, View rows, const RowLayout& layout) override {
    ops_.pack_rows(out, rows, layout);
  }
  void append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) override {
    ops_.append_rows(table, first, rows, layout);
  }
  void ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) override {
    ops_.ring_write(ring, pos, rows, n);
  }
  void index_select(const IndexArgs& args) override { ops_.index_select(args); }
  void attention(const AttentionArgs& args) override { ops_.attention(args); }
  void route(const RouteArgs& args) override { ops_.route(args); }
  void expert_ffn(const ExpertArgs& args) override { ops_.expert_ffn(args); }

 protected:
  Backend ops_;
};

}  // namespace hadal::test
