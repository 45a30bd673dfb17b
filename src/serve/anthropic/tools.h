// The tools of an Anthropic body and which of them may be called (api.md B9.1).
#pragma once

#include "chat/message.h"
#include "serve/api_error.h"
#include "text/json_value.h"

namespace hadal::serve::anthropic {

// Reads `tools` and `tool_choice` into chat.tools. Tools that a server would have to run are left out. What
// only a grammar could promise is refused.
Asked<void> read_tools(const JsonValue& body, ChatRequest& chat);

}  // namespace hadal::serve::anthropic
