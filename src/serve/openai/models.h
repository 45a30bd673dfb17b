// GET /models, /models/{id} and /user/balance (api.md B8), in OpenAI's and Anthropic's form.
#pragma once

#include "serve/service.h"

namespace hadal::serve {

Answered list_models(Service& service, ApiCall& api);
Answered show_model(Service& service, ApiCall& api);
Answered user_balance(Service& service, ApiCall& api);

}  // namespace hadal::serve
