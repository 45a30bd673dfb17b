// A decorator that says where the time of a forward pass goes: per op the calls, the seconds, and the bytes
// and floating-point operations that its shapes ask for.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ops/ops.h"

namespace hadal {

// What an op has to do at least, from its arguments: weights and rows of the state read once a call, in their
// stored form, and two operations a multiply-add of its dot products and weighted sums. Activations, which
// stay in the caches, and elementwise work are not counted; ops of nothing else have zeros.
struct OpWork {
  int64_t bytes = 0, flops = 0;
};

struct OpTiming {
  std::string_view name;  // as in ops.h
  int64_t calls = 0;
  double seconds = 0;
  OpWork work;
};

OpWork matmul_work(View out, View x, const Weight& w);
OpWork expert_work(const ExpertArgs& args);
// Queries that choose; keys of a sequence are read once for all its queries of a call.
OpWork index_work(const IndexArgs& args);
// Keys of each query; rows without a choice are read once for all queries of a segment, chosen ones for each.
OpWork attention_work(const AttentionArgs& args);

// Borrows the ops it measures; changes no result. Not thread-safe, like any Ops.
class TimedOps final : public Ops {
 public:
  explicit TimedOps(Ops& ops);

  // Every op in the order of ops.h.
  std::vector<OpTiming> timings() const;
  void clear();

  Arena& arena() override { return ops_.arena(); }
  Storage allocate(int64_t bytes) override { return ops_.allocate(bytes); }
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
  enum Op {
    kEmbed,
    kMatmul,
    kGroupedMatmul,
    kRmsNorm,
    kHeadNorm,
    kRopeAngles,
    kRope,
    kFakeQuant,
    kHadamard,
    kScale,
    kAddBroadcast,
    kGatherRows,
    kHcMix,
    kHcPre,
    kHcPost,
    kCompress,
    kPackRows,
    kAppendRows,
    kRingWrite,
    kIndexSelect,
    kAttention,
    kAttentionAll,
    kRoute,
    kExpertFfn,
    kOps
  };
  class Timer;

  Ops& ops_;
  std::array<OpTiming, kOps> timings_;
};

}  // namespace hadal
