// POST /v1/messages and /v1/messages/count_tokens (api.md B9).
#pragma once

#include "serve/service.h"

namespace hadal::serve::anthropic {

Answered messages(Service& service, ApiCall& api);

// How many tokens the prompt of the same body has: what messages would call input_tokens and
// cache_read_input_tokens together. Waits for nobody.
Answered count_tokens(Service& service, ApiCall& api);

}  // namespace hadal::serve::anthropic
