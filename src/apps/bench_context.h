// hadal bench context: the cost of a step at a length of context, by op, beside what the machine could do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/model_options.h"
#include "cpu/roofline.h"
#include "ops/timed_ops.h"

namespace hadal::apps {

struct ContextBenchOptions : ModelOptions {
  int64_t tokens = 0;   // of the context
  int64_t decode = 16;  // that follow, one by one
  int64_t chunk = 512;
  uint64_t seed = 0;
  bool json = false;
};

// One stretch of the run: how fast it was, and the state at its end.
struct ContextPoint {
  int64_t length = 0;  // at its end
  int64_t tokens = 0;
  bool decode = false;
  double seconds = 0;
  int64_t state_bytes = 0;
  int64_t predicted_bytes = 0;  // rows alone, as model.md section 10.2 counts them; 0 in mode fp32
};

struct ContextBenchResult {
  std::string isa;
  int threads = 0;
  std::vector<ContextPoint> points;
  std::vector<OpTiming> prefill, decode;
  int64_t decode_steps = 0;
  int64_t arena_bytes = 0, scratch_bytes = 0, peak_rss_bytes = 0;
  Roofline machine;
};

// Fills one sequence with seeded random tokens, chunk by chunk, then samples `decode` more. Progress goes to
// standard error. Throws Error.
ContextBenchResult run_context_bench(const ContextBenchOptions& options);

void print_context_text(const ContextBenchResult& result);
void print_context_json(const ContextBenchOptions& options, const ContextBenchResult& result);

}  // namespace hadal::apps
