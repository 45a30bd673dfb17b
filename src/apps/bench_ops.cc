#include "apps/bench_ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace hadal::apps {

std::vector<OpLine> op_lines(const std::vector<OpTiming>& timings, int64_t steps, const Roofline& machine) {
  double total = 0;
  for (const OpTiming& op : timings) total += op.seconds;
  std::vector<OpLine> lines;
  for (const OpTiming& op : timings) {
    if (op.calls == 0) continue;
    OpLine line{};
    line.name = op.name;
    line.share = ratio(op.seconds, total);
    line.ms = ratio(op.seconds * 1e3, static_cast<double>(steps));
    line.read = ratio(static_cast<double>(op.work.bytes), op.seconds);
    line.flops = ratio(static_cast<double>(op.work.flops), op.seconds);
    line.of_read = ratio(line.read, machine.read_bytes);
    // Index scores are byte dot products where the machine has them.
    const bool integers = op.name == "index_select" && machine.integer_flops > 0;
    line.of_peak = ratio(line.flops, integers ? machine.integer_flops : machine.flops);
    lines.push_back(line);
  }
  std::sort(lines.begin(), lines.end(), [](const OpLine& a, const OpLine& b) { return a.ms > b.ms; });
  return lines;
}

void print_ops(std::string_view what, const std::vector<OpTiming>& timings, int64_t steps,
               std::string_view step, const Roofline& machine) {
  if (steps == 0) return;
  fmt::print("\n{}\n  {:<24} {:>6} {:>11} {:>9} {:>8} {:>10} {:>8}\n", what, "op", "share",
             fmt::format("ms/{}", step), "GB/s", "of read", "GFLOP/s", "of peak");
  for (const OpLine& line : op_lines(timings, steps, machine))
    fmt::print("  {:<24} {:>5.1f}% {:>11.4f} {:>9.2f} {:>7.1f}% {:>10.2f} {:>7.1f}%\n", line.name,
               line.share * 100, line.ms, line.read / 1e9, line.of_read * 100, line.flops / 1e9,
               line.of_peak * 100);
}

nlohmann::ordered_json ops_json(const std::vector<OpTiming>& timings, int64_t steps,
                                const Roofline& machine) {
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const OpLine& line : op_lines(timings, steps, machine))
    out.push_back({{"op", line.name},
                   {"share", line.share},
                   {"ms", line.ms},
                   {"read_bytes_per_second", line.read},
                   {"of_read", line.of_read},
                   {"flops_per_second", line.flops},
                   {"of_peak", line.of_peak}});
  return out;
}

}  // namespace hadal::apps
