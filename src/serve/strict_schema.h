// What strict tools and formats add to a JSON Schema (api.md B5.2).
#pragma once

#include "base/result.h"
#include "text/json_value.h"

namespace hadal::serve {

// Problem: the path of an object in the schema, and a property of it that is not in its `required`. `where`:
// the schema's own path.
Result<void> check_all_required(const JsonValue& schema, const std::string& where);

// The schema with `additionalProperties: false` wherever an object lists its properties and says nothing of
// others. Objects that are put together from several schemas stay as they are.
JsonValue closed_schema(JsonValue schema);

}  // namespace hadal::serve
