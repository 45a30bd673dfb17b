// A backend that fails in the middle of a forward pass whenever one token is in the batch.
#pragma once

#include <algorithm>

#include "base/error.h"
#include "cpu/cpu_ops.h"

namespace hadal::test {

class FaultyOps : public Ops {
 public:
  explicit FaultyOps(int32_t id) : ops_(CpuOptions{1, ""}), id_(id) {}

  void embed(View out, const Weight& table, View ids) override {
    const auto* begin = reinterpret_cast<const int32_t*>(ids.data);
    faulty_ = std::count(begin, begin + ids.dim[0], id_) > 0;
    layers_ = 0;
    ops_.embed(out, table, ids);
  }
  void expert_ffn(const ExpertArgs& args) override {
    if (faulty_ && ++layers_ == 2) fail(ErrorCode::kInvalidFile, "expert 3 has bad scales");
    ops_.expert_ffn(args);
  }

  Arena& arena() override { return ops_.arena(); }
  Storage allocate(int64_t bytes) override { return ops_.allocate(bytes); }
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

 private:
  CpuOps ops_;
  int32_t id_;
  bool faulty_ = false;
  int layers_ = 0;
};

}  // namespace hadal::test
