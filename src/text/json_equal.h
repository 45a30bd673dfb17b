// Whether two JSON values say the same, however they are spelled.
#pragma once

#include "text/json_value.h"

namespace hadal {

// Objects in any order of keys, numbers by their value (1 is 1.0; whole numbers of any size are exact, others
// as doubles), strings byte by byte. O(n log n).
bool json_equal(const JsonValue& a, const JsonValue& b);

}  // namespace hadal
