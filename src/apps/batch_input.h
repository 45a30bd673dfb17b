// The lines of `hadal batch`: which there are, and each as a request to the engine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "apps/generation.h"
#include "assistant/text_model.h"
#include "base/result.h"
#include "engine/request.h"

namespace hadal::apps {

// One line of the input that is not blank.
struct BatchLine {
  int64_t number = 0;     // from 1
  std::string_view text;  // of the input
  std::string id;         // as JSON; empty when the line has none that can be read
};

// The lines of `text`. Throws Error{kInvalidFile} naming `file` and the line where an id comes again.
std::vector<BatchLine> batch_lines(std::string_view text, const std::string& file);

// What one line asks for.
struct BatchRequest {
  Request request;
  ParserOptions parser;
  bool chat = false;  // the answer is a message; otherwise a text
};

// Reads lines. What a line does not say comes from the command line, and then from the checkpoint.
class BatchReader {
 public:
  // Both must outlive it. Throws Error{kInvalidInput} for options out of range.
  BatchReader(const TextModel& model, const GenerationOptions& options);

  // Problem: the field and what was expected.
  Result<BatchRequest> read(const BatchLine& line) const;

 private:
  const TextModel& model_;
  const GenerationOptions& options_;
  SamplingParams sampling_;
};

}  // namespace hadal::apps
