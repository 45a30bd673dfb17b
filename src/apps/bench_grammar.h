// hadal bench grammar: how fast and how exactly schemas are kept to, over a file of schemas with texts that
// fit and texts that do not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hadal::apps {

struct GrammarBenchOptions {
  std::string tokenizer;  // tokenizer.json, or a folder with one
  std::string in;        // JSON lines, .xz or not: {"name", "schema", "tests": [{"valid", "text" or "data"}]}
  std::string verdicts;  // file for one line a schema; empty: none
  int64_t limit = 0;     // schemas at most; 0: all
  bool json = false;
};

// A set of measurements in microseconds (or bytes).
struct Spread {
  double p50 = 0, p90 = 0, p99 = 0, average = 0, max = 0;
};

struct GrammarBenchResult {
  int64_t schemas = 0, passing = 0;
  int64_t compile_error = 0;       // schemas that were refused
  int64_t validation_error = 0;    // schemas with a valid text that was not accepted
  int64_t invalidation_error = 0;  // schemas with an invalid text that was
  int64_t tokens = 0;
  Spread ttfm_us;  // compiling and the first mask
  Spread mask_us;
  Spread bytes;  // of a compiled schema when its texts have been read
};

// Throws Error for files that cannot be read and lines that are not what they should be.
GrammarBenchResult run_grammar_bench(const GrammarBenchOptions& options);

}  // namespace hadal::apps
