// One draw from a row of logits: the whole vocabulary, and with each filter that has to order it.
#include <benchmark/benchmark.h>

#include <vector>

#include "sample/philox.h"
#include "sample/sampler.h"

namespace hadal {
namespace {

// Logits of a plausible spread: sums of four uniforms, 2.3 wide.
std::vector<float> logits_of(int64_t vocab) {
  std::vector<float> logits(vocab);
  for (int64_t id = 0; id < vocab; ++id)
    for (uint64_t part = 0; part < 4; ++part) logits[id] += static_cast<float>(4 * uniform_at(1, part, id));
  return logits;
}

void draw(benchmark::State& state, SamplingParams params) {
  const auto logits = logits_of(state.range(0));
  Sampler sampler(params, static_cast<int32_t>(logits.size()));
  int64_t position = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sampler.sample(logits, position++));
}

BENCHMARK_CAPTURE(draw, greedy, SamplingParams{.temperature = 0})->Arg(2048)->Arg(129280);
BENCHMARK_CAPTURE(draw, plain, SamplingParams{})->Arg(2048)->Arg(129280);
BENCHMARK_CAPTURE(draw, top_k_40, SamplingParams{.top_k = 40})->Arg(2048)->Arg(129280);
BENCHMARK_CAPTURE(draw, top_p_0_95, SamplingParams{.top_p = 0.95f})->Arg(2048)->Arg(129280);
BENCHMARK_CAPTURE(draw, min_p_0_05, SamplingParams{.min_p = 0.05f})->Arg(2048)->Arg(129280);

}  // namespace
}  // namespace hadal

BENCHMARK_MAIN();
