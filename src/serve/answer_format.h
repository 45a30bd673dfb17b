// What a request says its answer must be, in the spellings of several APIs: JSON, a schema, a regular
// expression, one of some texts, a grammar.
#pragma once

#include <string>
#include <string_view>

#include "serve/api_error.h"
#include "serve/chat_ask.h"
#include "text/json_value.h"

namespace hadal::serve {

// {"type": "text" | "json_object" | "json_schema", ...}; the schema is inside "json_schema" or beside the
// type. field: where it stands in the body. The prompt shows it too.
Asked<void> read_format(const JsonValue& format, const std::string& field, ChatAsk& ask);
// A schema by itself, and any object.
void ask_for_schema(const JsonValue& schema, const std::string& field, ChatAsk& ask);
void ask_for_object(const std::string& field, ChatAsk& ask);

// guided_json, guided_regex, guided_choice, guided_grammar, and structured_outputs, as clients of vLLM send
// them. The prompt does not show them.
Asked<void> read_guided(const JsonValue& body, ChatAsk& ask);

}  // namespace hadal::serve
