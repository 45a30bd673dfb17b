// Answers of POST /v1/messages (api.md B9.2, B9.3): as events while they come, and whole.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "serve/answer_writer.h"

namespace hadal::serve::anthropic {

struct MessageForm {
  std::string id;  // "msg_..."
  std::string model;
  bool thinking = false;      // the answer begins with a block of thinking, be it empty
  bool show_thinking = true;  // otherwise the block has a signature only
  bool stream = false;
  std::vector<Header> headers;      // besides those of the content
  bool keep_alive_comments = true;  // where there may be no ping yet
};

// For one answer.
std::unique_ptr<AnswerWriter> make_message_writer(MessageForm form);

}  // namespace hadal::serve::anthropic
