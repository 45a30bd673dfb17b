// The body of POST /api/chat as a conversation to be answered (api.md B11).
#pragma once

#include "serve/ollama/settings.h"

namespace hadal::serve::ollama {

// Without messages it asks for nothing but the model. Results of tools have no ids here: they belong to the
// calls before them, by the tool's name and in their order.
Asked<CommonAsk> read_chat_body(const BodyRules& rules, const JsonValue& body);

}  // namespace hadal::serve::ollama
