// JSON in the spelling the models were trained on: that of Python's json.dumps(value, ensure_ascii=False)
// (A8.3).
#pragma once

#include <string>
#include <string_view>

#include "text/json_value.h"

namespace hadal {

// Separators ", " and ": ", nothing else between the tokens.
std::string python_json(const JsonValue& value);

// The number as Python prints it: integers keep their digits, reals get the shortest digits that read back
// the same and always look like reals. A number beyond double keeps its spelling.
std::string python_number(std::string_view spelling);

}  // namespace hadal
