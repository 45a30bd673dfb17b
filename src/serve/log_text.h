// Text of anybody's in a line of a log: no byte of it can end the line, the quotes, or move a cursor.
#pragma once

#include <string>
#include <string_view>

namespace hadal::serve {

// Appends the text in double quotes: a valid JSON string of valid UTF-8. Quotes, backslashes, control
// characters (C0, DEL, C1), line separators and the characters that change the direction of text are escaped;
// what is not UTF-8 becomes U+FFFD.
void append_quoted(std::string& out, std::string_view text);

// A finite number as JSON; what is not finite as 0.
void append_number(std::string& out, double value, int digits_after_point);

}  // namespace hadal::serve
