// Random names for things that clients hand back: unguessable, because some of them find stored turns.
#pragma once

#include <string>
#include <string_view>

namespace hadal::serve {

std::string random_hex(int digits);
std::string random_base62(int digits);
std::string random_uuid();           // version 4
std::string new_call_id(int index);  // "call_00_" and 24 letters, as the hosted API has them
// "2026-08-17T10:00:00.123456789Z"; with digits = 0 whole seconds.
std::string utc_time(int digits);
int64_t unix_seconds();

}  // namespace hadal::serve
