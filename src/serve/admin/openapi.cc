#include "serve/admin/openapi.h"

#include <string>

namespace hadal::serve {

Answered openapi(Service&, ApiCall&) {
  return reply(std::string(kOpenApiText));
}

}  // namespace hadal::serve
