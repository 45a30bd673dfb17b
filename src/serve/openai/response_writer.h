// Answers of POST /responses (api.md B10.2, B10.3): as events while they come, and whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "serve/answer_writer.h"
#include "serve/ids.h"
#include "serve/openai/response_json.h"
#include "serve/openai/response_tools.h"
#include "text/tokenizer.h"

namespace hadal::serve::responses {

struct ResponseForm {
  ResponseHead head;
  Tools tools;
  bool stream = false;
  bool encrypted_reasoning = false;  // items of reasoning say by which name they may come back
  bool keep_alive_comments = true;
  std::vector<Header> headers;  // besides those of the content
  std::function<int64_t()> clock = unix_seconds;
};

// For one answer. The tokenizer must outlive the writer.
std::unique_ptr<AnswerWriter> make_response_writer(ResponseForm form, const Tokenizer& tokenizer);

}  // namespace hadal::serve::responses
