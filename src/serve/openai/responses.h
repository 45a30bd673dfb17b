// POST /responses (api.md B10).
#pragma once

#include "serve/service.h"

namespace hadal::serve::responses {

Answered create(Service& service, ApiCall& api);

}  // namespace hadal::serve::responses
