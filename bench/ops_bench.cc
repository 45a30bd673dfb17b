// All ops of the CPU backend but linear layers, attention and the indexer (kernels_bench.cc) at the sizes of
// V4-Flash. Names: op/tokens/isa. "bytes" are those an op must read and write at least, "flops" two per
// multiply-add where an op has many.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_ops.h"
#include "cpu/op_case.h"
#include "measure.h"

namespace hadal {
namespace {

constexpr int64_t kWidth = 4096, kStreams = 4, kHeads = 64, kHeadDim = 512, kRopeDim = 64;
constexpr int64_t kIndexHeads = 64, kIndexDim = 128;
constexpr int64_t kExperts = 32, kExpertsUsed = 6, kExpertHidden = 2048, kVocab = 129280;

// An op on inputs that are there, and what a call of it costs at least.
struct OpCall {
  std::function<void()> run;
  int64_t bytes = 0;
  int64_t flops = 0;
};
using MakeCall = OpCall (*)(OpCase& c, int64_t tokens);

struct NamedOp {
  const char* name;
  MakeCall make;
};

View activations(OpCase& c, const Shape& shape) {
  return c.tensor(DType::kBF16, shape);
}

int64_t bytes_of(const View& x) {
  return x.elements() * dtype_bytes(x.dtype);
}

OpCall mix(OpCase& c, int64_t tokens) {
  HcMixArgs args;
  args.streams = activations(c, {tokens, kStreams, kWidth});
  args.fn = c.tensor(DType::kF32, {(2 + kStreams) * kStreams, kStreams * kWidth});
  args.base = c.tensor(DType::kF32, {(2 + kStreams) * kStreams});
  args.scale = c.tensor(DType::kF32, {3});
  args.pre = c.tensor(DType::kF32, {tokens, kStreams});
  args.post = c.tensor(DType::kF32, {tokens, kStreams});
  args.comb = c.tensor(DType::kF32, {tokens, kStreams, kStreams});
  return {[&c, args] { c.ops().hc_mix(args); }, bytes_of(args.streams) + bytes_of(args.fn),
          2 * tokens * args.fn.elements()};
}

OpCall pre(OpCase& c, int64_t tokens) {
  const View out = activations(c, {tokens, kWidth}), streams = activations(c, {tokens, kStreams, kWidth});
  const View weights = c.tensor(DType::kF32, {tokens, kStreams});
  return {[=, &c] { c.ops().hc_pre(out, streams, weights); }, bytes_of(out) + bytes_of(streams)};
}

OpCall post(OpCase& c, int64_t tokens) {
  const View out = activations(c, {tokens, kStreams, kWidth}),
             residual = activations(c, {tokens, kStreams, kWidth});
  const View o = activations(c, {tokens, kWidth});
  const View weights = c.tensor(DType::kF32, {tokens, kStreams}),
             comb = c.tensor(DType::kF32, {tokens, kStreams, kStreams});
  return {[=, &c] { c.ops().hc_post(out, o, residual, weights, comb); },
          bytes_of(out) + bytes_of(o) + bytes_of(residual)};
}

OpCall rms_norm(OpCase& c, int64_t tokens) {
  const View out = activations(c, {tokens, kWidth}), x = activations(c, {tokens, kWidth}),
             gain = activations(c, {kWidth});
  return {[=, &c] { c.ops().rms_norm(out, x, gain, 1e-6f); }, bytes_of(out) + bytes_of(x)};
}

OpCall head_norm(OpCase& c, int64_t tokens) {
  const View x = activations(c, {tokens, kHeads, kHeadDim});
  return {[=, &c] { c.ops().head_norm(x, 1e-6f); }, 2 * bytes_of(x)};
}

OpCall rope(OpCase& c, int64_t tokens) {
  const View x = activations(c, {tokens, kHeads, kHeadDim}),
             angles = c.tensor(DType::kF32, {tokens, kRopeDim / 2, 2});
  return {[=, &c] { c.ops().rope(x, angles, Direction::kForward); }, 4 * tokens * kHeads * kRopeDim};
}

OpCall rope_angles(OpCase& c, int64_t tokens) {
  const View out = c.tensor(DType::kF32, {tokens, kRopeDim / 2, 2}),
             positions = c.integers(DType::kI64, {tokens}, 0, 1 << 20),
             freqs = c.tensor(DType::kF32, {kRopeDim / 2});
  return {[=, &c] { c.ops().rope_angles(out, positions, freqs); }, bytes_of(out)};
}

template <QuantSim sim>
OpCall fake_quant(OpCase& c, int64_t tokens) {
  const View x = activations(c, {tokens, kWidth}), out = activations(c, {tokens, kWidth});
  return {[=, &c] { c.ops().fake_quant(out, x, sim); }, 2 * bytes_of(x)};
}

OpCall hadamard(OpCase& c, int64_t tokens) {
  const View x = activations(c, {tokens, kIndexHeads, kIndexDim});
  return {[=, &c] { c.ops().hadamard(x); }, 2 * bytes_of(x)};
}

template <int ratio, int dim>
OpCall compress(OpCase& c, int64_t tokens) {
  constexpr bool kOverlap = ratio == 4;
  constexpr int64_t kRows = kOverlap ? 2 * dim : dim;
  CompressArgs args;
  args.kv = c.tensor(DType::kF32, {tokens, kRows});
  args.score = c.tensor(DType::kF32, {tokens, kRows});
  args.ape = c.tensor(DType::kF32, {ratio, kRows});
  args.ratio = ratio;
  args.dim = dim;
  args.overlap = kOverlap;
  args.pos = int64_t{1 << 20} - 1;  // the last of an entry
  const int64_t capacity = kOverlap ? 2 * ratio : ratio;
  args.carry_kv = c.tensor(DType::kF32, {capacity, kRows});
  args.carry_score = c.tensor(DType::kF32, {capacity, kRows});
  args.out = activations(c, {(args.pos + tokens) / ratio - args.pos / ratio, dim});
  return {[=, &c] { c.ops().compress(args); }, bytes_of(args.kv) + bytes_of(args.score) + bytes_of(args.out)};
}

template <RowFormat format, int dim, int rope_dim>
OpCall pack_rows(OpCase& c, int64_t tokens) {
  const RowLayout layout{format, dim, rope_dim};
  const View x = activations(c, {tokens, dim});
  std::byte* out = c.bytes(tokens * layout.bytes());
  return {[=, &c] { c.ops().pack_rows(out, x, layout); }, bytes_of(x) + tokens * layout.bytes()};
}

OpCall route(OpCase& c, int64_t tokens) {
  RouteArgs args;
  args.logits = c.tensor(DType::kF32, {tokens, 256});
  args.bias = c.tensor(DType::kF32, {256});
  args.scale = 1.5f;
  args.ids = c.integers(DType::kI32, {tokens, kExpertsUsed}, 0, 1);
  args.weights = c.tensor(DType::kF32, {tokens, kExpertsUsed});
  return {[=, &c] { c.ops().route(args); }, bytes_of(args.logits)};
}

OpCall experts(OpCase& c, int64_t tokens) {
  auto list = std::make_shared<std::vector<ExpertWeights>>();
  const auto expert = [&](WeightFormat format) {
    return ExpertWeights{c.weight(format, kExpertHidden, kWidth), c.weight(format, kWidth, kExpertHidden),
                         c.weight(format, kExpertHidden, kWidth)};
  };
  for (int64_t e = 0; e < kExperts; ++e) list->push_back(expert(WeightFormat::kFP4));
  auto shared = std::make_shared<ExpertWeights>(expert(WeightFormat::kFP8));
  ExpertArgs args;
  args.x = activations(c, {tokens, kWidth});
  args.xq = activations(c, {tokens, kWidth});
  c.ops().fake_quant(args.xq, args.x, QuantSim::kFp8Block128);
  args.weights = c.tensor(DType::kF32, {tokens, kExpertsUsed});
  args.ids = c.integers(DType::kI32, {tokens, kExpertsUsed}, 0, 1);
  std::vector<bool> used(kExperts);
  for (int64_t t = 0; t < tokens; ++t)  // every expert as often as another
    for (int64_t i = 0; i < kExpertsUsed; ++i) {
      const int64_t first = t * kExpertsUsed % kExperts, id = (first + i) % kExperts;
      used[static_cast<size_t>(id)] = true;
      args.ids.row<int32_t>(t)[i] = static_cast<int32_t>(id);
    }
  for (int64_t t = 0; t < tokens; ++t)
    std::sort(args.ids.row<int32_t>(t), args.ids.row<int32_t>(t) + kExpertsUsed);
  args.out = activations(c, {tokens, kWidth});
  constexpr int64_t kWeights = 3 * kWidth * kExpertHidden;
  const int64_t distinct = std::count(used.begin(), used.end(), true);
  return {[=, &c]() mutable {
            args.experts = *list;
            args.shared = shared.get();
            c.ops().expert_ffn(args);
          },
          distinct * kWeights * 17 / 32 + kWeights, 2 * tokens * (kExpertsUsed + 1) * kWeights};
}

OpCall grouped(OpCase& c, int64_t tokens) {
  constexpr int64_t kGroups = 8, kRank = 1024, kIn = kHeads * kHeadDim / kGroups;
  const Weight w = c.weight(WeightFormat::kFP8, kGroups * kRank, kIn);
  const View x = activations(c, {tokens, kGroups, kIn}), out = activations(c, {tokens, kGroups, kRank});
  return {[=, &c] { c.ops().grouped_matmul(out, x, w); }, kGroups * kRank * kIn,
          2 * tokens * kGroups * kRank * kIn};
}

OpCall head(OpCase& c, int64_t tokens) {
  const Weight w = c.weight(WeightFormat::kBF16, kVocab, kWidth);
  const View x = activations(c, {tokens, kWidth}), out = c.tensor(DType::kF32, {tokens, kVocab});
  return {[=, &c] { c.ops().matmul(out, x, w); }, 2 * kVocab * kWidth, 2 * tokens * kVocab * kWidth};
}

constexpr NamedOp kOps[] = {
    {"hc_mix", mix},
    {"hc_pre", pre},
    {"hc_post", post},
    {"rms_norm", rms_norm},
    {"head_norm", head_norm},
    {"rope", rope},
    {"rope_angles", rope_angles},
    {"fake_quant_fp8", fake_quant<QuantSim::kFp8Block128>},
    {"fake_quant_fp4", fake_quant<QuantSim::kFp4Block32>},
    {"hadamard", hadamard},
    {"compress_4", compress<4, kHeadDim>},
    {"compress_128", compress<128, kHeadDim>},
    {"pack_kv_rows", pack_rows<RowFormat::kPackedKv, kHeadDim, kRopeDim>},
    {"pack_index_rows", pack_rows<RowFormat::kPackedIndex, kIndexDim, 0>},
    {"route", route},
    {"expert_ffn", experts},
    {"grouped_matmul", grouped},
    {"head", head},
};

void measure(benchmark::State& state, const std::string& isa, int threads, MakeCall make, int64_t tokens) {
  CpuOps ops({.threads = threads, .isa = isa});
  OpCase inputs(ops, 1);
  const OpCall call = make(inputs, tokens);
  for (auto _ : state) call.run();
  bench::set_rate(state, "bytes", static_cast<double>(call.bytes));
  if (call.flops > 0) bench::set_rate(state, "flops", static_cast<double>(call.flops));
}

void register_all() {
  const int all = available_cpus();
  for (const NamedOp& op : kOps)
    for (const std::string& isa : available_isas())
      for (const int64_t tokens : {1, 8, 512}) {
        const std::string name = std::string(op.name) + "/" + std::to_string(tokens) + "/" + isa +
                                 "/threads:" + std::to_string(all);
        benchmark::RegisterBenchmark(name.c_str(), measure, isa, all, op.make, tokens)->UseRealTime();
      }
}

}  // namespace
}  // namespace hadal

int main(int argc, char** argv) {
  hadal::register_all();
  return hadal::bench::run_registered(argc, argv);
}
