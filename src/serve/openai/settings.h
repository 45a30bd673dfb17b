// What the bodies of the OpenAI APIs have in common: sampling, seed, stop strings, limits, n, user.
#pragma once

#include <cstdint>
#include <string_view>

#include "serve/body_rules.h"
#include "serve/chat_ask.h"
#include "text/json_value.h"

namespace hadal::serve {

// Ranges are checked. least_tokens: what max_tokens must be at least, where it is given.
Asked<void> read_settings(const BodyRules& rules, const JsonValue& body, ChatAsk& ask,
                          int64_t least_tokens = 1);

// A field of the wrong type, in the words of the hosted API.
tl::unexpected<ApiError> refuse_type(const Problem& problem);

// One sampled value and its range, in the words of the hosted API. low_is_out: the range is open there.
Asked<void> check_range(std::string_view name, const std::optional<float>& value, float low, float high,
                        bool low_is_out = false);
// The user that a request names.
Asked<void> check_user(const std::string& user);

// Whether body.object.member is there and true.
bool member_is_true(const JsonValue& body, std::string_view object, std::string_view member);

}  // namespace hadal::serve
