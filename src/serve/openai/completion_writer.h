// Answers of POST /completions (api.md B7): as chunks while they come, and whole.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "serve/answer_writer.h"
#include "serve/openai/chat_json.h"
#include "text/tokenizer.h"

namespace hadal::serve {

struct CompletionForm {
  AnswerName name;
  bool stream = false;
  bool include_usage = false;       // as in ChatForm
  bool usage_in_own_chunk = false;  // as in ChatForm
  bool keep_alive_comments = true;
  bool logprobs = false;
  bool prompt_only = false;  // the answer itself is not wanted, only what is echoed
  std::vector<Header> headers;
  int choices = 1;  // in all
  int n = 1;        // of each prompt, one after the other
  // What comes back before the answer: the ids of each prompt; empty: nothing is echoed.
  std::vector<std::vector<int32_t>> echoed;
  int64_t unseen = 0;            // so many ids stand before every echoed prompt that the client did not send
  std::vector<int32_t> end_ids;  // tokens that have no text when they end an answer
};

// The tokenizer must outlive the writer.
std::unique_ptr<AnswerWriter> make_completion_writer(CompletionForm form, const Tokenizer& tokenizer);

}  // namespace hadal::serve
