// hadal bench MODEL: how fast a model runs here, beside what the machine could do at most.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/model_options.h"
#include "cpu/roofline.h"
#include "ops/timed_ops.h"

namespace hadal::apps {

struct ModelBenchOptions : ModelOptions {
  std::vector<int64_t> prefill = {128, 512, 2048};           // tokens of prompts
  std::vector<int64_t> contexts = {0, 4096, 32768, 131072};  // that one sequence decodes at
  std::vector<int64_t> batches = {1, 2, 4, 8, 16};           // sequences that decode together, at no context
  int64_t chunk = 512;                                       // tokens of one forward pass
  int runs = 5;
  uint64_t seed = 0;
  bool json = false;
  std::string plot;  // SVG file; empty: none
};

// One way to use the model, measured several times. A context beyond some thousand tokens has random rows in
// its middle.
struct ModelRun {
  bool decode = false;
  int64_t tokens = 0;   // a run: of the prompt, or decoded by all sequences
  int64_t context = 0;  // before the first
  int64_t batch = 1;
  std::vector<double> tokens_per_s{};  // of each run, ascending
  OpWork work{};                       // of a token: what the shapes ask for (ops/timed_ops.h)
  std::vector<OpTiming> ops{};         // of all runs together
  // The better of two measurements, before and after.
  Roofline machine{};

  double median() const { return tokens_per_s[tokens_per_s.size() / 2]; }
  // Of what the machine reads when it decodes, of its multiply-adds when it prefills.
  double share() const;
};

struct ModelBenchResult {
  std::string isa;
  int threads = 0;
  Roofline machine;               // the best of all measurements
  double weights_read_bytes = 0;  // per second, where the weights lie; 0: they are too small to tell
  std::vector<ModelRun> runs;
  std::vector<int64_t> too_long;  // contexts that the model has no positions for
};

// Progress goes to standard error. Throws Error.
ModelBenchResult run_model_bench(const ModelBenchOptions& options);

void print_model_text(const ModelBenchResult& result);
void print_model_json(const ModelBenchResult& result);
// SVG: a bar for each run, its share of the ceiling.
std::string plot_model_bench(const ModelBenchOptions& options, const ModelBenchResult& result);

}  // namespace hadal::apps
