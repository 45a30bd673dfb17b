// What `hadal bench context` prints.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "apps/bench_context.h"
#include "apps/bench_ops.h"

namespace hadal::apps {
namespace {

int64_t prefilled(const ContextBenchResult& result) {
  int64_t tokens = 0;
  for (const ContextPoint& point : result.points) tokens += point.decode ? 0 : point.tokens;
  return tokens;
}

}  // namespace

void print_context_text(const ContextBenchResult& result) {
  const Roofline& machine = result.machine;
  fmt::print("{} on {} threads; ceilings: read {:.1f} GB/s, {:.0f} GFLOP/s{}\n\n", result.isa, result.threads,
             machine.read_bytes / 1e9, machine.flops / 1e9,
             machine.integer_flops > 0
                 ? fmt::format(", byte dot products {:.0f} GFLOP/s", machine.integer_flops / 1e9)
                 : "");
  fmt::print("  {:<8} {:>9} {:>9} {:>11} {:>11} {:>14} {:>14}\n", "phase", "to", "tokens", "tokens/s",
             "ms/token", "state bytes", "of rows alone");
  for (const ContextPoint& point : result.points)
    fmt::print("  {:<8} {:>9} {:>9} {:>11.1f} {:>11.4f} {:>14} {:>14}\n", point.decode ? "decode" : "prefill",
               point.length, point.tokens, ratio(static_cast<double>(point.tokens), point.seconds),
               ratio(point.seconds * 1e3, static_cast<double>(point.tokens)), point.state_bytes,
               point.predicted_bytes > 0
                   ? fmt::format("{:.4f}", ratio(static_cast<double>(point.state_bytes),
                                                 static_cast<double>(point.predicted_bytes)))
                   : "-");
  print_ops("prefill, by op", result.prefill, prefilled(result), "token", machine);
  print_ops("decode, by op", result.decode, result.decode_steps, "step", machine);
  fmt::print("\nactivations {} bytes, scratch {} bytes, peak RSS {:.3f} GB\n", result.arena_bytes,
             result.scratch_bytes, static_cast<double>(result.peak_rss_bytes) / 1e9);
}

void print_context_json(const ContextBenchOptions& options, const ContextBenchResult& result) {
  const Roofline& machine = result.machine;
  nlohmann::ordered_json out = {{"model", options.model},
                                {"numerics", options.numerics},
                                {"isa", result.isa},
                                {"threads", result.threads},
                                {"tokens", options.tokens},
                                {"decoded", result.decode_steps},
                                {"chunk", options.chunk},
                                {"machine",
                                 {{"read_bytes_per_second", machine.read_bytes},
                                  {"flops_per_second", machine.flops},
                                  {"integer_flops_per_second", machine.integer_flops}}},
                                {"points", nlohmann::ordered_json::array()}};
  for (const ContextPoint& point : result.points)
    out["points"].push_back({{"phase", point.decode ? "decode" : "prefill"},
                             {"length", point.length},
                             {"tokens", point.tokens},
                             {"seconds", point.seconds},
                             {"state_bytes", point.state_bytes},
                             {"row_bytes", point.predicted_bytes}});
  out["prefill_ops"] = ops_json(result.prefill, prefilled(result), machine);
  out["decode_ops"] = ops_json(result.decode, result.decode_steps, machine);
  out["arena_bytes"] = result.arena_bytes;
  out["scratch_bytes"] = result.scratch_bytes;
  out["peak_rss_bytes"] = result.peak_rss_bytes;
  fmt::print("{}\n", out.dump());
}

}  // namespace hadal::apps
