// POST /chat/completions (api.md B3).
#pragma once

#include "serve/service.h"

namespace hadal::serve {

Answered chat_completions(Service& service, ApiCall& api);

// The same body as prompt: `{"prompt": "...", "tokens": [...]}` (B12).
Answered apply_template(Service& service, ApiCall& api);

// The fields of a chat body; also for other endpoints that take messages in this form.
Asked<ChatAsk> read_chat(Service& service, ApiCall& api, const JsonValue& body);

// What the OpenAI bodies have in common: sampling, seed, stop strings, limits, n, user. Ranges are checked.
Asked<void> read_settings(const Service& service, const JsonValue& body, ChatAsk& ask);

// What would have to be enforced while the model writes is refused as long as nothing enforces it.
ApiError cannot_enforce(std::string_view what, std::string_view param);

}  // namespace hadal::serve
