// POST /chat/completions (api.md B3).
#pragma once

#include "serve/service.h"

namespace hadal::serve {

Answered chat_completions(Service& service, ApiCall& api);

// The same body as prompt: `{"prompt": "...", "tokens": [...]}` (B12).
Answered apply_template(Service& service, ApiCall& api);

// The fields of a chat body; also for other endpoints that take messages in this form.
Asked<ChatAsk> read_chat(const BodyRules& rules, const JsonValue& body);

}  // namespace hadal::serve
