// POST /api/chat and /api/generate (api.md B11).
#pragma once

#include "serve/service.h"

namespace hadal::serve::ollama {

Answered chat(Service& service, ApiCall& api);
Answered generate(Service& service, ApiCall& api);

}  // namespace hadal::serve::ollama
