// The tools of an Anthropic body and which of them may be called (api.md B9.1).
#pragma once

#include "serve/api_error.h"
#include "serve/chat_ask.h"
#include "text/json_value.h"

namespace hadal::serve::anthropic {

// Reads `tools` and `tool_choice`. Tools that a server would have to run are left out.
Asked<void> read_tools(const JsonValue& body, ChatAsk& ask);

}  // namespace hadal::serve::anthropic
