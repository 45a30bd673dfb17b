// Answers of POST /chat/completions (api.md B3.4, B3.5): as chunks while they come, and whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chat/collect.h"
#include "serve/answer_writer.h"
#include "serve/openai/chat_json.h"

namespace hadal::serve {

struct ChatForm {
  AnswerName name;
  bool thinking = false;
  bool show_reasoning = true;  // otherwise the client does not want to see it
  bool stream = false;
  bool include_usage = false;       // stream_options: every chunk has the key
  bool usage_in_own_chunk = false;  // as OpenAI, with empty choices; otherwise in the last chunk, as DeepSeek
  bool logprobs = false;
  std::vector<Header> headers;  // besides those of the content
  bool keep_alive_comments = true;
};

// The tokenizer must outlive the writer.
std::unique_ptr<AnswerWriter> make_chat_writer(ChatForm form, const Tokenizer& tokenizer, int choices);

}  // namespace hadal::serve
