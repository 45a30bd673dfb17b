// Linear layers and attention of the CPU backend at the sizes of V4-Flash. Names: format/tokens/isa. "bytes"
// are weight bytes read, "flops" two per multiply-add. Weights are larger than any cache: many matrices used
// in turn.
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "cpu/cpu_ops.h"
#include "cpu/op_case.h"
#include "cpu/roofline.h"
#include "measure.h"

namespace hadal {
namespace {

constexpr int64_t kIn = 4096, kOut = 2048, kStreamBytes = int64_t{1} << 30;

int64_t weight_bytes(const Weight& w) {
  return w.data.elements() * dtype_bytes(w.data.dtype) + (w.scale.empty() ? 0 : w.scale.elements());
}

const char* format_name(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return "f32";
    case WeightFormat::kBF16:
      return "bf16";
    case WeightFormat::kFP8:
      return "fp8";
    case WeightFormat::kFP4:
      return "fp4";
  }
  return "";
}

// A matrix taller than one layer's, sliced into layers, filled from a few random rows.
struct Layers {
  Storage data, scale;
  std::vector<Weight> layers;

  Layers(WeightFormat format, int64_t bytes, OpCase& inputs) {
    const Weight one = inputs.weight(format, kOut, kIn);
    // Trained weights are hardly ever denormal, and kernels may take their time for those.
    if (format == WeightFormat::kFP8)
      for (int64_t i = 0; i < one.data.elements(); ++i)
        if ((one.data.data[i] & std::byte{0x78}) == std::byte{0}) one.data.data[i] |= std::byte{0x08};
    const int64_t data_bytes = one.data.elements() * dtype_bytes(one.data.dtype);
    const int64_t scale_bytes = one.scale.empty() ? 0 : one.scale.elements();
    const int64_t n = std::max<int64_t>(1, bytes / data_bytes);
    data = Storage(n * data_bytes);
    scale = Storage(n * scale_bytes);
    for (int64_t i = 0; i < n; ++i) {
      Weight w = one;
      w.data.data = data.data() + i * data_bytes;
      std::copy_n(one.data.data, data_bytes, w.data.data);
      if (scale_bytes > 0) {
        w.scale.data = scale.data() + i * scale_bytes;
        std::copy_n(one.scale.data, scale_bytes, w.scale.data);
      }
      layers.push_back(w);
    }
  }
};

void linear(benchmark::State& state, const std::string& isa, int threads, WeightFormat format, int64_t tokens,
            bool cached) {
  CpuOps ops({.threads = threads, .isa = isa});
  OpCase inputs(ops, 1);
  const Layers weights(format, cached ? 1 : kStreamBytes, inputs);
  const DType dtype = format == WeightFormat::kF32 ? DType::kF32 : DType::kBF16;
  const View x = inputs.tensor(dtype, {tokens, kIn}), out = inputs.tensor(dtype, {tokens, kOut});
  if (weights.layers[0].quantised()) ops.fake_quant(x, x, QuantSim::kFp8Block128);  // as the model has them
  size_t at = 0;
  for (auto _ : state) ops.matmul(out, x, weights.layers[at++ % weights.layers.size()]);
  bench::set_rate(state, "bytes", static_cast<double>(weight_bytes(weights.layers[0])));
  bench::set_rate(state, "flops", 2.0 * static_cast<double>(tokens * kIn * kOut));
}

// Heads of 512 over 128 window rows and so many entries: 512 are those that an indexer selects, 8192 what a
// layer of ratio 128 has at a million tokens.
void attention(benchmark::State& state, const std::string& isa, int threads, int64_t heads, int64_t tokens,
               int64_t entries) {
  constexpr int64_t kDim = 512, kWindow = 128;
  CpuOps ops({.threads = threads, .isa = isa});
  OpCase inputs(ops, 1);
  const RowLayout layout{RowFormat::kPackedKv, kDim, 64};
  const auto packed = [&](int64_t rows) {
    std::byte* bytes = inputs.bytes(rows * layout.bytes());
    ops.pack_rows(bytes, inputs.tensor(DType::kBF16, {rows, kDim}), layout);
    return bytes;
  };
  AttentionSegment segment;
  segment.pos = 128 * entries - 1;
  segment.count = tokens;
  segment.window = {packed(kWindow), layout.bytes(), kWindow};
  segment.chunk = packed(tokens);
  std::byte* block = packed(entries + tokens);
  segment.compressed = {&block, 0, layout.bytes(), static_cast<int>(entries + tokens)};
  AttentionArgs args;
  args.q = inputs.tensor(DType::kBF16, {tokens, heads, kDim});
  args.out = inputs.tensor(DType::kBF16, {tokens, heads, kDim});
  args.sink = inputs.tensor(DType::kF32, {heads});
  args.scale = 0.04f;
  args.window = kWindow;
  args.ratio = 128;
  args.layout = layout;
  args.segments = {&segment, 1};
  for (auto _ : state) ops.attention(args);
  bench::set_rate(state, "flops", 4.0 * static_cast<double>(tokens * heads * kDim * (kWindow + entries)));
}

// Scores and selection of a number of tokens at 64 K positions: heads of 128 over 16,384 entries.
void index_select(benchmark::State& state, const std::string& isa, int threads, int64_t heads,
                  int64_t tokens) {
  constexpr int64_t kDim = 128, kEntries = 16384;
  CpuOps ops({.threads = threads, .isa = isa});
  OpCase inputs(ops, 1);
  const RowLayout layout{RowFormat::kPackedIndex, kDim, 0};
  std::byte* block = inputs.bytes((kEntries + tokens) * layout.bytes());
  ops.pack_rows(block, inputs.tensor(DType::kBF16, {kEntries + tokens, kDim}), layout);
  IndexSegment segment;
  segment.pos = 4 * kEntries - 1;
  segment.count = tokens;
  segment.keys = {&block, 0, layout.bytes(), static_cast<int>(kEntries + tokens)};
  IndexArgs args;
  args.q = inputs.tensor(DType::kBF16, {tokens, heads, kDim});
  ops.fake_quant(args.q, args.q, QuantSim::kFp4Block32);
  args.weights = inputs.tensor(DType::kBF16, {tokens, heads});
  args.selected = inputs.integers(DType::kI32, {tokens, 512}, 0, 1);
  args.layout = layout;
  args.segments = {&segment, 1};
  for (auto _ : state) ops.index_select(args);
  bench::set_rate(state, "flops", 2.0 * static_cast<double>(tokens * heads * kDim * kEntries));
  bench::set_rate(state, "bytes", static_cast<double>(kEntries * layout.bytes()));
}

// What the machine can do at most: time has no meaning here, the counters have.
void machine(benchmark::State& state, const std::string& isa, int threads) {
  ThreadPool pool(threads);
  Roofline roofline;
  RooflineMeter meter(kernel_table(isa), pool);
  for (auto _ : state) roofline = meter.measure(0.1);
  state.counters["read"] = roofline.read_bytes;
  state.counters["flops"] = roofline.flops;
  state.counters["integer_flops"] = roofline.integer_flops;
}

// What a parallel loop costs: two pieces of nothing.
void empty_loop(benchmark::State& state, int threads) {
  ThreadPool pool(threads);
  for (auto _ : state) pool.parallel_for(pool.size(), 1, [](int64_t, int64_t, int) {});
}

void register_all() {
  const int all = available_cpus();
  for (const int threads : {1, all}) {
    if (threads == 1 && all == 1) continue;
    const std::string suffix = "/threads:" + std::to_string(threads);
    for (const std::string& isa : available_isas()) {
      for (const WeightFormat format :
           {WeightFormat::kFP8, WeightFormat::kFP4, WeightFormat::kBF16, WeightFormat::kF32})
        for (const int64_t tokens : {1, 2, 4, 8, 16, 64}) {
          const std::string name =
              std::string(format_name(format)) + "/" + std::to_string(tokens) + "/" + isa + suffix;
          benchmark::RegisterBenchmark(("linear/" + name).c_str(), linear, isa, threads, format, tokens,
                                       false)
              ->UseRealTime();
          benchmark::RegisterBenchmark(("linear_cached/" + name).c_str(), linear, isa, threads, format,
                                       tokens, true)
              ->UseRealTime();
        }
      for (const int64_t entries : {512, 8192})
        for (const int64_t heads : {2, 64})
          for (const int64_t tokens : {1, 8}) {
            const std::string name = std::to_string(heads) + "x" + std::to_string(tokens) + "x" +
                                     std::to_string(entries) + "/" + isa + suffix;
            benchmark::RegisterBenchmark(("attention/" + name).c_str(), attention, isa, threads, heads,
                                         tokens, entries)
                ->UseRealTime();
          }
      benchmark::RegisterBenchmark(("machine/" + isa + suffix).c_str(), machine, isa, threads)->Iterations(1);
      for (const int64_t heads : {2, 64})
        for (const int64_t tokens : {1, 16}) {
          const std::string name = std::to_string(heads) + "x" + std::to_string(tokens) + "/" + isa + suffix;
          benchmark::RegisterBenchmark(("index_select/" + name).c_str(), index_select, isa, threads, heads,
                                       tokens)
              ->UseRealTime();
        }
    }
    benchmark::RegisterBenchmark(("empty_loop" + suffix).c_str(), empty_loop, threads)->UseRealTime();
  }
}

}  // namespace
}  // namespace hadal

int main(int argc, char** argv) {
  hadal::register_all();
  return hadal::bench::run_registered(argc, argv);
}
