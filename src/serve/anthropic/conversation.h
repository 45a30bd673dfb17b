// The messages of an Anthropic body, block by block, as the conversation of the prompt (api.md B9.1).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "chat/message.h"
#include "serve/api_error.h"
#include "text/json_value.h"

namespace hadal::serve::anthropic {

struct Conversation {
  std::vector<Message> messages;

  // An assistant message whose thinking came back without its text, and the signature that stands for it.
  struct Hidden {
    size_t message = 0;
    std::string signature;
  };
  std::vector<Hidden> hidden;
};

// Every tool_use of it has its tool_result and the other way round: a result that is missing because an agent
// was interrupted is empty, unless strict_tools makes it an error. A last message of the assistant is one to
// be continued. Error: 400 with the place as the original names it ("messages.0.content.1").
Asked<Conversation> read_conversation(const JsonValue& messages, bool strict_tools);

// The text of a `system` field: a string or blocks, without the header by which some clients tell who pays
// (it is another one in every request, and would cost the cached prefix).
Asked<std::string> read_system(const JsonValue& system);

}  // namespace hadal::serve::anthropic
