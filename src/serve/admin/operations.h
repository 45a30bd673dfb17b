// What people and machines that run a server ask it (api.md B12, B13): is it there, what is it, how is it.
#pragma once

#include "serve/service.h"

namespace hadal::serve {

Answered root(Service& service, ApiCall& api);    // GET /
Answered health(Service& service, ApiCall& api);  // it answers
Answered ready(Service& service, ApiCall& api);   // it takes requests: 503 when it is about to stop
Answered version(Service& service, ApiCall& api);
Answered metrics(Service& service, ApiCall& api);  // Prometheus
Answered props(Service& service, ApiCall& api);    // llama.cpp
Answered slots(Service& service, ApiCall& api);
Answered tokenize(Service& service, ApiCall& api);
Answered detokenize(Service& service, ApiCall& api);
Answered tokenizer_info(Service& service, ApiCall& api);  // vLLM; lm-evaluation-harness asks before /tokenize
// A route that other servers have and this one has not: 501.
Answered not_supported(Service& service, ApiCall& api);

}  // namespace hadal::serve
