// The tools of a body in OpenAI's form: {"type": "function", "function": {...}}.
#pragma once

#include <cstddef>
#include <string_view>

#include "serve/api_error.h"
#include "text/json_value.h"

namespace hadal::serve {

inline constexpr size_t kMostToolNameBytes = 128;
// Letters, digits, "_" and "-".
bool is_tool_name(std::string_view text);

// Names, schemas, and that nothing is asked of them that only a grammar could promise. They are read with the
// messages.
Asked<void> check_tools(const JsonValue& body);

}  // namespace hadal::serve
