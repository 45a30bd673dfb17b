// `input` and `instructions` of a Responses body (api.md B10.1) as the messages of a conversation.
#pragma once

#include <string>
#include <vector>

#include "chat/message.h"
#include "serve/api_error.h"
#include "serve/openai/response_tools.h"
#include "text/json_value.h"

namespace hadal::serve::responses {

struct Conversation {
  std::vector<Message> messages;  // each call has its result right after the message it is in
  // An assistant message whose reasoning came back as a name only (encrypted_content).
  struct Hidden {
    size_t message = 0;
    std::string handle;
  };
  std::vector<Hidden> hidden;
};

// Either may be null, but not both. `tools` tells how the model knows the tools that were called.
Asked<Conversation> read_input(const JsonValue* instructions, const JsonValue* input, const Tools& tools);

}  // namespace hadal::serve::responses
