#include "serve/openai/settings.h"

#include <fmt/format.h>

#include <limits>

#include "chat/json_fields.h"

namespace hadal::serve {
namespace {

constexpr size_t kMostStops = 16, kMostUserBytes = 512;

}  // namespace

tl::unexpected<ApiError> refuse_type(const Problem& problem) {
  return refuse("Failed to deserialize the JSON body into the target type: " + problem.to_string(),
                problem.where);
}

bool member_is_true(const JsonValue& body, std::string_view object, std::string_view member) {
  const JsonValue* outer = body.find(object);
  const JsonValue* value = outer != nullptr && outer->is_object() ? outer->find(member) : nullptr;
  return value != nullptr && value->is(JsonValue::Kind::kTrue);
}

Asked<void> check_range(std::string_view name, const std::optional<float>& value, float low, float high,
                        bool low_is_out) {
  if (!value || (*value <= high && (low_is_out ? *value > low : *value >= low))) return {};
  return refuse(fmt::format("Invalid {0} value, the valid range of {0} is {1}{2}, {3}]", name,
                            low_is_out ? "(" : "[", low, high),
                std::string(name));
}

Asked<void> check_user(const std::string& user) {
  if (user.size() > kMostUserBytes)
    return refuse(fmt::format("Invalid 'user_id': string too long. Expected a string with maximum length {}, "
                              "but got a string with length {} instead",
                              kMostUserBytes, user.size()),
                  "user_id");
  return {};
}

Asked<void> read_settings(const BodyRules& rules, const JsonValue& body, ChatAsk& ask, int64_t least_tokens) {
  const Fields fields(body);
  constexpr int64_t kMostTokens = int64_t{1} << 40;
  std::optional<int64_t> completion_tokens;
  Result<void> s = fields.real("temperature", ask.temperature);
  if (s) s = fields.real("top_p", ask.top_p);
  if (s) s = fields.real("min_p", ask.min_p);
  if (s) s = fields.real("presence_penalty", ask.presence_penalty);
  if (s) s = fields.real("frequency_penalty", ask.frequency_penalty);
  if (s) s = fields.real("repetition_penalty", ask.repetition_penalty);
  if (s) s = fields.whole("top_k", -1, std::numeric_limits<int32_t>::max(), ask.top_k);
  if (s) s = fields.whole("seed", 0, std::numeric_limits<uint64_t>::max(), ask.seed);
  if (s) s = fields.whole("max_tokens", std::numeric_limits<int64_t>::min(), kMostTokens, ask.max_tokens);
  if (s)
    s = fields.whole("max_completion_tokens", std::numeric_limits<int64_t>::min(), kMostTokens,
                     completion_tokens);
  if (s) s = fields.boolean("stream", ask.stream);
  if (s) s = fields.text("user", ask.user);
  if (s) s = fields.text("user_id", ask.user);
  if (!s) return refuse_type(s.error());
  if (ask.top_k == -1) ask.top_k = 0;  // as vLLM spells "all"
  if (!ask.max_tokens) ask.max_tokens = completion_tokens;
  if (ask.max_tokens && *ask.max_tokens < least_tokens)
    return refuse("max_tokens must be greater than zero", "max_tokens");
  if (const auto user = check_user(ask.user); !user) return user;
  if (const JsonValue* bias = body.find("logit_bias"); bias != nullptr && !bias->keys.empty())
    return refuse("logit_bias is not supported by this server", "logit_bias");

  Asked<void> range = check_range("temperature", ask.temperature, 0, 2);
  if (range) range = check_range("top_p", ask.top_p, 0, 1, true);
  if (range) range = check_range("min_p", ask.min_p, 0, 1);
  if (range) range = check_range("presence_penalty", ask.presence_penalty, -2, 2);
  if (range) range = check_range("frequency_penalty", ask.frequency_penalty, -2, 2);
  if (range) range = check_range("repetition_penalty", ask.repetition_penalty, 0, 10, true);
  if (!range) return range;

  if (const auto stops = fields.texts("stop", kMostStops, true, ask.stops); !stops)
    return refuse(stops.error().to_string(), "stop");
  std::erase(ask.stops, "");
  if (const auto n = fields.whole("n", 1, rules.most_choices, ask.n); !n)
    return refuse(fmt::format("Invalid n value: expected a whole number from 1 to {}", rules.most_choices),
                  "n");
  return {};
}

}  // namespace hadal::serve
