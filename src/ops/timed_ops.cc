#include "ops/timed_ops.h"

#include <algorithm>
#include <chrono>

namespace hadal {
namespace {

using Clock = std::chrono::steady_clock;

int64_t view_bytes(const View& view) {
  return view.empty() ? 0 : view.elements() * dtype_bytes(view.dtype);
}

int64_t weight_bytes(const Weight& w) {
  return view_bytes(w.data) + view_bytes(w.scale);
}

int64_t expert_bytes(const ExpertWeights& expert) {
  return weight_bytes(expert.w1) + weight_bytes(expert.w2) + weight_bytes(expert.w3);
}

int64_t expert_weights(const ExpertWeights& expert) {
  return expert.w1.in * expert.w1.out + expert.w2.in * expert.w2.out + expert.w3.in * expert.w3.out;
}

// Attention that reads every compressed entry is worth a line of its own: it grows with the context.
bool reads_all_entries(const AttentionArgs& args) {
  return args.ratio > 0 && args.selected.empty();
}

}  // namespace

OpWork matmul_work(View out, View x, const Weight& w) {
  // Of a grouped matmul each row of w meets the inputs of its group.
  return {weight_bytes(w), 2 * out.elements() * x.last()};
}

OpWork expert_work(const ExpertArgs& args) {
  OpWork work;
  std::vector<bool> used(args.experts.size());
  for (int64_t t = 0; t < args.ids.dim[0]; ++t)
    for (int64_t i = 0; i < args.ids.dim[1]; ++i) {
      const int32_t id = args.ids.row<const int32_t>(t)[i];
      if (id < 0) continue;
      const auto at = static_cast<size_t>(id);
      work.flops += 2 * expert_weights(args.experts[at]);
      if (!used[at]) work.bytes += expert_bytes(args.experts[at]);
      used[at] = true;
    }
  if (args.shared != nullptr) {
    work.bytes += expert_bytes(*args.shared);
    work.flops += 2 * args.ids.dim[0] * expert_weights(*args.shared);
  }
  return work;
}

OpWork index_work(const IndexArgs& args) {
  OpWork work;
  const int64_t pair = 2 * args.q.dim[1] * args.q.dim[2];
  for (const IndexSegment& segment : args.segments) {
    int64_t most = 0;
    for (int64_t i = 0; i < segment.count; ++i) {
      const int64_t visible = (segment.pos + i + 1) / args.ratio;
      if (visible <= args.selected.dim[1]) continue;
      work.flops += pair * visible;
      most = visible;
    }
    work.bytes += most * args.layout.bytes();
  }
  return work;
}

OpWork attention_work(const AttentionArgs& args) {
  int64_t pairs = 0, rows = 0;
  for (const AttentionSegment& segment : args.segments) {
    const int64_t end = segment.pos + segment.count;
    if (segment.count == 0) continue;
    rows += std::min<int64_t>(end, args.window + segment.count - 1);
    int64_t shared = 0;  // entries that are read for all queries
    for (int64_t i = 0; i < segment.count; ++i) {
      const int64_t t = segment.pos + i;
      pairs += std::min<int64_t>(t + 1, args.window);
      if (args.ratio == 0) continue;
      const int64_t visible = (t + 1) / args.ratio;
      const bool chosen = !args.selected.empty() && visible > args.selected.dim[1];
      pairs += chosen ? args.selected.dim[1] : visible;
      if (chosen)
        rows += args.selected.dim[1];
      else
        shared = visible;
    }
    rows += shared;
  }
  // Scores, then weighted sums.
  return {rows * args.layout.bytes(), 4 * pairs * args.q.dim[1] * args.q.dim[2]};
}

// From construction to the end of the scope.
class TimedOps::Timer {
 public:
  Timer(TimedOps& owner, Op op, OpWork work = {}) : timing_(owner.timings_[op]), start_(Clock::now()) {
    timing_.calls += 1;
    timing_.work.bytes += work.bytes;
    timing_.work.flops += work.flops;
  }
  ~Timer() { timing_.seconds += std::chrono::duration<double>(Clock::now() - start_).count(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  OpTiming& timing_;
  Clock::time_point start_;
};

TimedOps::TimedOps(Ops& ops) : ops_(ops) {
  clear();
}

std::vector<OpTiming> TimedOps::timings() const {
  return {timings_.begin(), timings_.end()};
}

void TimedOps::clear() {
  constexpr std::string_view kNames[kOps] = {"embed",          "matmul",
                                             "grouped_matmul", "rms_norm",
                                             "head_norm",      "rope_angles",
                                             "rope",           "fake_quant",
                                             "hadamard",       "scale",
                                             "add_broadcast",  "gather_rows",
                                             "hc_mix",         "hc_pre",
                                             "hc_post",        "compress",
                                             "pack_rows",      "append_rows",
                                             "ring_write",     "index_select",
                                             "attention",      "attention (all entries)",
                                             "route",          "expert_ffn"};
  for (size_t i = 0; i < timings_.size(); ++i) timings_[i] = {kNames[i], 0, 0, {}};
}

void TimedOps::embed(View out, const Weight& table, View ids) {
  const int64_t row = table.in * dtype_bytes(table.data.dtype);
  const Timer timer(*this, kEmbed, {ids.elements() * row, 0});
  ops_.embed(out, table, ids);
}
void TimedOps::matmul(View out, View x, const Weight& w) {
  const Timer timer(*this, kMatmul, matmul_work(out, x, w));
  ops_.matmul(out, x, w);
}
void TimedOps::grouped_matmul(View out, View x, const Weight& w) {
  const Timer timer(*this, kGroupedMatmul, matmul_work(out, x, w));
  ops_.grouped_matmul(out, x, w);
}
void TimedOps::rms_norm(View out, View x, View gain, float eps) {
  const Timer timer(*this, kRmsNorm);
  ops_.rms_norm(out, x, gain, eps);
}
void TimedOps::head_norm(View x, float eps) {
  const Timer timer(*this, kHeadNorm);
  ops_.head_norm(x, eps);
}
void TimedOps::rope_angles(View out, View pos, View freqs) {
  const Timer timer(*this, kRopeAngles);
  ops_.rope_angles(out, pos, freqs);
}
void TimedOps::rope(View x, View angles, Direction direction) {
  const Timer timer(*this, kRope);
  ops_.rope(x, angles, direction);
}
void TimedOps::fake_quant(View out, View x, QuantSim sim) {
  const Timer timer(*this, kFakeQuant);
  ops_.fake_quant(out, x, sim);
}
void TimedOps::hadamard(View x) {
  const Timer timer(*this, kHadamard);
  ops_.hadamard(x);
}
void TimedOps::scale(View x, float factor) {
  const Timer timer(*this, kScale);
  ops_.scale(x, factor);
}
void TimedOps::add_broadcast(View out, View a, View b) {
  const Timer timer(*this, kAddBroadcast);
  ops_.add_broadcast(out, a, b);
}
void TimedOps::gather_rows(View out, View x, View rows) {
  const Timer timer(*this, kGatherRows);
  ops_.gather_rows(out, x, rows);
}
void TimedOps::hc_mix(const HcMixArgs& args) {
  const int64_t tokens = args.streams.dim[0];
  const Timer timer(*this, kHcMix, {view_bytes(args.fn), 2 * tokens * args.fn.elements()});
  ops_.hc_mix(args);
}
void TimedOps::hc_pre(View out, View streams, View pre) {
  const Timer timer(*this, kHcPre, {0, 2 * streams.elements()});
  ops_.hc_pre(out, streams, pre);
}
void TimedOps::hc_post(View out, View o, View residual, View post, View comb) {
  const Timer timer(*this, kHcPost, {0, 2 * out.elements() * (1 + residual.dim[1])});
  ops_.hc_post(out, o, residual, post, comb);
}
void TimedOps::compress(const CompressArgs& args) {
  const Timer timer(*this, kCompress);
  ops_.compress(args);
}
void TimedOps::pack_rows(std::byte* out, View rows, const RowLayout& layout) {
  const Timer timer(*this, kPackRows);
  ops_.pack_rows(out, rows, layout);
}
void TimedOps::append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) {
  const Timer timer(*this, kAppendRows);
  ops_.append_rows(table, first, rows, layout);
}
void TimedOps::ring_write(const RowRing& ring, int64_t pos, const std::byte* rows, int64_t n) {
  const Timer timer(*this, kRingWrite);
  ops_.ring_write(ring, pos, rows, n);
}
void TimedOps::index_select(const IndexArgs& args) {
  const Timer timer(*this, kIndexSelect, index_work(args));
  ops_.index_select(args);
}
void TimedOps::attention(const AttentionArgs& args) {
  const Timer timer(*this, reads_all_entries(args) ? kAttentionAll : kAttention, attention_work(args));
  ops_.attention(args);
}
void TimedOps::route(const RouteArgs& args) {
  const Timer timer(*this, kRoute);
  ops_.route(args);
}
void TimedOps::expert_ffn(const ExpertArgs& args) {
  const Timer timer(*this, kExpertFfn, expert_work(args));
  ops_.expert_ffn(args);
}

}  // namespace hadal
