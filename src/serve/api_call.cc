#include "serve/api_call.h"

#include <fmt/format.h>

namespace hadal::serve {

Asked<JsonValue> ApiCall::body() const {
  const auto type = request.header("content-type");
  if (type && type->starts_with("multipart/"))
    return tl::make_unexpected(
        ApiError{.status = 415, .message = "Expected a body of Content-Type: application/json"});
  auto parsed = parse_json(request.body);
  if (!parsed)
    return refuse(fmt::format("Failed to parse the request body as JSON: {}", parsed.error().to_string()));
  if (!parsed->is_object())
    return refuse("Failed to deserialize the JSON body into the target type: expected an object");
  return std::move(*parsed);
}

}  // namespace hadal::serve
