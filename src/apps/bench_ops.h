// Where the time of a measurement went, op by op, beside the machine's ceilings.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "cpu/roofline.h"
#include "ops/timed_ops.h"

namespace hadal::apps {

inline double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

// An op's line: what it took and how near it came to the ceilings.
struct OpLine {
  std::string_view name;
  double share, ms, read, flops;  // of all ops; a step; a second
  double of_read, of_peak;
};

// The ops that were called, the costliest first.
std::vector<OpLine> op_lines(const std::vector<OpTiming>& timings, int64_t steps, const Roofline& machine);
// A table of them; `step` is what `steps` counts.
void print_ops(std::string_view what, const std::vector<OpTiming>& timings, int64_t steps,
               std::string_view step, const Roofline& machine);
nlohmann::ordered_json ops_json(const std::vector<OpTiming>& timings, int64_t steps, const Roofline& machine);

}  // namespace hadal::apps
