// What the benchmarks of the kernels share.
#pragma once

#include <benchmark/benchmark.h>

#include <string>

namespace hadal::bench {

// A counter of something per second of which every iteration does `once`.
inline void set_rate(benchmark::State& state, const std::string& name, double once) {
  state.counters[name] =
      benchmark::Counter(static_cast<double>(state.iterations()) * once, benchmark::Counter::kIsRate);
}

// Runs the benchmarks that are registered: what main() returns.
inline int run_registered(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace hadal::bench
