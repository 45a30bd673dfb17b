// What a client of Ollama asks about the models (api.md B11): there is one, under several names.
#pragma once

#include "serve/service.h"

namespace hadal::serve::ollama {

Answered list_models(Service& service, ApiCall& api);   // GET /api/tags
Answered list_running(Service& service, ApiCall& api);  // GET /api/ps
Answered show_model(Service& service, ApiCall& api);    // POST /api/show
Answered version(Service& service, ApiCall& api);       // GET /api/version
// POST /api/pull: what is served is there already. Everything else about files of models is not for this
// server.
Answered pull(Service& service, ApiCall& api);
Answered not_supported(Service& service, ApiCall& api);

// "284B", "8.3M".
std::string short_number(int64_t number);

}  // namespace hadal::serve::ollama
