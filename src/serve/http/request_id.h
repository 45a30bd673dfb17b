// The name a request has in logs, headers and error bodies.
#pragma once

#include <string>

#include "serve/http/message.h"

namespace hadal::serve {

// The client's x-request-id if it is 1 to 128 printable ASCII characters; a new id
// otherwise.
std::string request_id(const HttpRequest& request);

// "req_" and 24 random hexadecimal digits.
std::string new_request_id();

}  // namespace hadal::serve
