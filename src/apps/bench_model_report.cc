// What `hadal bench MODEL` prints.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/bench_model.h"
#include "apps/bench_ops.h"

namespace hadal::apps {
namespace {

// Decoding waits for memory, a prompt for multiply-adds.
std::string_view ceiling_name(const ModelRun& run) {
  return run.decode ? "of read" : "of peak";
}

int64_t steps(const ModelRun& run) {
  return run.tokens * static_cast<int64_t>(run.tokens_per_s.size()) / run.batch;
}

}  // namespace

void print_model_text(const ModelBenchResult& result) {
  fmt::print("{} on {} threads; ceilings: read {:.1f} GB/s{}, {:.0f} GFLOP/s\n", result.isa, result.threads,
             result.machine.read_bytes / 1e9,
             result.weights_read_bytes > 0
                 ? fmt::format(" ({:.1f} where the weights lie)", result.weights_read_bytes / 1e9)
                 : "",
             result.machine.flops / 1e9);
  for (const int64_t tokens : result.too_long)
    fmt::print("left out: {} tokens are more than the model has positions for\n", tokens);
  fmt::print("\n  {:<8}{:>8}{:>9}{:>7}{:>11}{:>11}{:>11}{:>12}{:>14}{:>9}\n", "phase", "tokens", "context",
             "batch", "tokens/s", "least", "most", "MB/token", "MFLOP/token", "share");
  for (const ModelRun& run : result.runs)
    fmt::print("  {:<8}{:>8}{:>9}{:>7}{:>11.2f}{:>11.2f}{:>11.2f}{:>12.3f}{:>14.2f}{:>7.1f}% {}\n",
               run.decode ? "decode" : "prefill", run.decode ? "" : std::to_string(run.tokens), run.context,
               run.batch, run.median(), run.tokens_per_s.front(), run.tokens_per_s.back(),
               static_cast<double>(run.work.bytes) / 1e6, static_cast<double>(run.work.flops) / 1e6,
               run.share() * 100, ceiling_name(run));
  for (const ModelRun& run : result.runs)
    print_ops(run.decode ? fmt::format("decode at {}, batch {}, by op", run.context, run.batch)
                         : fmt::format("prefill of {}, by op", run.tokens),
              run.ops, steps(run), run.decode ? "step" : "token", run.machine);
}

void print_model_json(const ModelBenchResult& result) {
  nlohmann::ordered_json out = {{"machine",
                                 {{"read_gbs", result.machine.read_bytes / 1e9},
                                  {"bf16_gflops", result.machine.flops / 1e9},
                                  {"weights_read_gbs", result.weights_read_bytes / 1e9},
                                  {"threads", result.threads},
                                  {"isa", result.isa}}},
                                {"runs", nlohmann::ordered_json::array()}};
  for (const ModelRun& run : result.runs)
    out["runs"].push_back(
        {{"phase", run.decode ? "decode" : "prefill"},
         {"tokens", run.tokens},
         {"context", run.context},
         {"batch", run.batch},
         {"tokens_per_s",
          {{"median", run.median()}, {"min", run.tokens_per_s.front()}, {"max", run.tokens_per_s.back()}}},
         {"share", run.share()},
         {"bytes_per_token", run.work.bytes},
         {"flops_per_token", run.work.flops},
         {"read_gbs", run.machine.read_bytes / 1e9},
         {"bf16_gflops", run.machine.flops / 1e9},
         {"ops", ops_json(run.ops, steps(run), run.machine)}});
  fmt::print("{}\n", out.dump());
}

}  // namespace hadal::apps
