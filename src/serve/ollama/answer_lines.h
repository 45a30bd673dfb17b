// Answers of POST /api/chat and /api/generate (api.md B11): as lines of JSON while they come, and whole.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "serve/answer_writer.h"

namespace hadal::serve::ollama {

struct LineForm {
  std::string model;
  bool chat = true;  // a message; otherwise a response
  bool stream = true;
  std::vector<Header> headers;                                    // besides those of the content
  std::function<std::string()> now = [] { return utc_time(9); };  // of every line
};

// For one answer. The tokenizer must outlive the writer.
std::unique_ptr<AnswerWriter> make_line_writer(LineForm form, const Tokenizer& tokenizer);

// The answer to a request for nothing: that the model is there, or (unload) may go.
std::string loaded_answer(const LineForm& form, bool unload);

}  // namespace hadal::serve::ollama
