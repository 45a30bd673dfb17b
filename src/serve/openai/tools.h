// The tools of a body in OpenAI's form: {"type": "function", "function": {...}}.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "serve/api_error.h"
#include "serve/chat_ask.h"
#include "text/json_value.h"

namespace hadal::serve {

inline constexpr size_t kMostToolNameBytes = 128;
// Letters, digits, "_" and "-".
bool is_tool_name(std::string_view text);

// Names and schemas; which of them are strict. They are read with the messages.
Asked<void> check_tools(const JsonValue& body, ChatAsk& ask);
// Of one tool in `where`: whether it is strict, and its schema what strict schemas have to be.
Asked<bool> read_strict(const JsonValue& function, const std::string& where);

// Nothing but these tools, of those that are shown.
void keep_tools(const std::vector<std::string>& names, ChatRequest& chat);

}  // namespace hadal::serve
