#include "serve/ollama/settings.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "chat/json_fields.h"
#include "serve/answer_format.h"
#include "serve/openai/settings.h"

namespace hadal::serve::ollama {
namespace {

constexpr size_t kMostStops = 16;
constexpr int kMostLogprobs = 20;

Asked<void> read_options(const JsonValue& body, ChatAsk& ask) {
  const JsonValue* options = nullptr;
  if (const auto s = Fields(body).object("options", options); !s) return refuse(s.error());
  if (options == nullptr) return {};
  const Fields fields(*options, "options");
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min(), kMost = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> seed, predict;
  Result<void> s = fields.real("temperature", ask.temperature);
  if (s) s = fields.real("top_p", ask.top_p);
  if (s) s = fields.real("min_p", ask.min_p);
  if (s) s = fields.whole("top_k", -1, std::numeric_limits<int32_t>::max(), ask.top_k);
  if (s) s = fields.whole("seed", kLeast, kMost, seed);
  if (s) s = fields.whole("num_predict", kLeast, kMost, predict);
  if (s) s = fields.texts("stop", kMostStops, true, ask.stops);
  if (!s) return refuse(s.error());
  std::erase(ask.stops, "");
  if (ask.top_k == -1) ask.top_k = 0;
  if (seed && *seed >= 0) ask.seed = static_cast<uint64_t>(*seed);            // below: any
  if (predict) ask.max_tokens = *predict > 0 ? *predict : kMostAnswerTokens;  // -1, -2: as many as fit
  Asked<void> range = check_range("temperature", ask.temperature, 0, 2);
  if (range) range = check_range("top_p", ask.top_p, 0, 1);
  if (range) range = check_range("min_p", ask.min_p, 0, 1);
  // Nothing but the likeliest token.
  if (ask.top_p == 0.0f) ask.top_p = std::numeric_limits<float>::min();
  return range;
}

Asked<void> read_think(const JsonValue& body, ChatAsk& ask) {
  const JsonValue* think = body.find("think");
  if (think == nullptr) return {};
  if (think->is_bool())
    ask.thinking = think->is(JsonValue::Kind::kTrue);
  else if (think->is_string())
    ask.effort = think->text;
  else
    return refuse("think: expected true, false, low, medium, high or max", "think");
  return {};
}

Asked<void> read_format(const JsonValue& body, ChatAsk& ask) {
  const JsonValue* format = body.find("format");
  if (format == nullptr || (format->is_string() && format->text.empty())) return {};
  if (format->is_object()) {
    ask_for_schema(*format, "format", ask);
    return {};
  }
  if (format->is_string() && format->text == "json") {
    ask_for_object("format", ask);
    return {};
  }
  return refuse("format: expected \"json\" or a JSON schema", "format");
}

// A number of seconds or a text such as "5m".
bool is_zero_time(const JsonValue& value) {
  if (const auto seconds = json_real(value)) return *seconds == 0;
  if (!value.is_string() || value.text.find('0') == std::string::npos) return false;
  return value.text.find_first_of("123456789") == std::string::npos;
}

}  // namespace

Asked<CommonAsk> read_common(const BodyRules& rules, const JsonValue& body) {
  CommonAsk ask;
  std::string name;
  bool logprobs = false;
  int top_logprobs = 0;
  ask.chat.stream = true;
  const Fields fields(body);
  Result<void> types = fields.text("model", name);
  if (types) types = fields.boolean("stream", ask.chat.stream);
  if (types) types = fields.boolean("logprobs", logprobs);
  if (types) types = fields.whole("top_logprobs", 0, kMostLogprobs, top_logprobs);
  if (!types) return refuse(types.error());
  auto model = rules.choose_model(name);
  if (!model) return tl::make_unexpected(model.error());
  ask.chat.model = std::move(*model);
  if (logprobs) ask.chat.top_logprobs = top_logprobs;
  if (const JsonValue* keep = fields.find("keep_alive")) ask.unload = is_zero_time(*keep);
  Asked<void> s = read_options(body, ask.chat);
  if (s) s = read_think(body, ask.chat);
  if (s) s = read_format(body, ask.chat);
  if (!s) return tl::make_unexpected(s.error());
  return ask;
}

Asked<void> refuse_images(const JsonValue& object, const std::string& where) {
  const Fields fields(object, where);
  const JsonValue* images = nullptr;
  if (const auto s = fields.array("images", images); !s) return refuse(s.error());
  if (images == nullptr || images->items.empty()) return {};
  return refuse("This model does not support image", fields.where("images"));
}

}  // namespace hadal::serve::ollama
