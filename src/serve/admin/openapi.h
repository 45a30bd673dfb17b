// GET /openapi.json: what every route takes and answers.
#pragma once

#include <string_view>

#include "serve/service.h"

namespace hadal::serve {

// OpenAPI 3.1, from admin/openapi.json.
extern const std::string_view kOpenApiText;

Answered openapi(Service& service, ApiCall& api);

}  // namespace hadal::serve
