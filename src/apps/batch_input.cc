#include "apps/batch_input.h"

#include <fmt/format.h>

#include <limits>
#include <map>
#include <optional>

#include "base/error.h"
#include "chat/json_fields.h"
#include "chat/python_json.h"

namespace hadal::apps {
namespace {

constexpr size_t kMostStops = 16;

Result<void> read_sampling(const Fields& fields, SamplingParams& params) {
  Result<void> s = fields.real("temperature", params.temperature);
  if (s) s = fields.real("top_p", params.top_p);
  if (s) s = fields.real("min_p", params.min_p);
  if (s) s = fields.real("presence_penalty", params.presence_penalty);
  if (s) s = fields.real("frequency_penalty", params.frequency_penalty);
  if (s) s = fields.real("repetition_penalty", params.repetition_penalty);
  if (s) s = fields.whole("top_k", 0, std::numeric_limits<int32_t>::max(), params.top_k);
  if (!s) return s;
  if (const auto valid = validate(params); !valid)
    return problem(fields.where(valid.error().where), valid.error().what);
  return {};
}

// What would change the answer and is not done here is refused rather than ignored.
Result<void> refuse_unsupported(const Fields& fields) {
  int64_t n = 1;
  if (const Result<void> s = fields.whole("n", 1, 1, n); !s)
    return fields.expected("n", "1: write a line for each answer");
  if (const JsonValue* logprobs = fields.find("logprobs");
      logprobs != nullptr && !logprobs->is(JsonValue::Kind::kFalse) && logprobs->text != "0")
    return fields.expected("logprobs", "false: probabilities are not written");
  for (const std::string_view key : {"suffix", "logit_bias"})
    if (const JsonValue* value = fields.find(key);
        value != nullptr && !(value->is_object() && value->keys.empty()))
      return fields.expected(key, "nothing: it is not supported");
  return {};
}

// Thinking or not, and how hard (api.md B3.3): the first of thinking, think, reasoning_effort and mode that
// the line has, or else what the command line says.
Result<void> read_thinking(const Fields& fields, const std::string& fallback, ChatRequest& request) {
  std::optional<bool> on;
  if (const JsonValue* thinking = fields.find("thinking")) {
    const JsonValue* type = thinking->is_object() ? thinking->find("type") : nullptr;
    if (type == nullptr || !type->is_string() ||
        (type->text != "enabled" && type->text != "disabled" && type->text != "adaptive"))
      return fields.expected("thinking", "{\"type\": \"enabled\"} or {\"type\": \"disabled\"}");
    on = type->text != "disabled";
  } else if (const JsonValue* think = fields.find("think")) {
    if (think->is_bool())
      on = think->is(JsonValue::Kind::kTrue);
    else if (think->is_string() && set_thinking(request, think->text))
      return {};
    else
      return fields.expected("think", "true, false, \"off\", \"low\", \"high\" or \"max\"");
  } else if (fields.has("reasoning_effort")) {
    on = request.effort != Effort::kNone;
  } else if (fields.has("mode")) {
    on = request.mode == Mode::kThinking;
  }
  const Effort asked = request.effort;
  if (!on) {
    set_thinking(request, fallback);
    return {};
  }
  if (*on && asked == Effort::kNone && fallback != "off") {
    set_thinking(request, fallback);
    return {};
  }
  request.mode = *on ? Mode::kThinking : Mode::kChat;
  request.effort = !*on ? Effort::kNone : asked == Effort::kNone ? Effort::kHigh : asked;
  return {};
}

Result<void> read_tool_choice(const Fields& fields, ChatRequest& request) {
  const JsonValue* choice = fields.find("tool_choice");
  if (choice == nullptr || (choice->is_string() && choice->text == "auto")) return {};
  if (!choice->is_string() || choice->text != "none")
    return fields.expected("tool_choice", "\"auto\" or \"none\"");
  request.tools.clear();
  return {};
}

// A string after BOS, or ids as they are.
Result<void> read_plain_prompt(const Fields& fields, const TextModel& model, TextModel::Prompt& out) {
  const JsonValue& value = *fields.find("prompt");
  out.start = ParserStart::kContentContinued;
  if (value.is_string()) {
    out = model.plain_prompt(value.text);
    return {};
  }
  if (!value.is_array()) return fields.expected("prompt", "a string or an array of token ids");
  for (const JsonValue& id : value.items) {
    const std::optional<int32_t> number = json_whole<int32_t>(id);
    if (!number || !model.tokenizer().has_token(*number))
      return problem(fields.where("prompt", out.ids.size()), "expected a token id");
    out.ids.push_back(*number);
  }
  return {};
}

// An id is a string or a whole number; null when there is no such thing.
const JsonValue* find_id(const JsonValue& line) {
  const JsonValue* id = line.find("custom_id");
  if (id == nullptr) id = line.find("id");
  if (id == nullptr) return nullptr;
  const bool whole = id->is(JsonValue::Kind::kNumber) && id->text.find_first_of(".eE") == std::string::npos;
  return id->is_string() || whole ? id : nullptr;
}

// The same number for the same id on every machine and in every run.
uint64_t fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::vector<BatchLine> batch_lines(std::string_view text, const std::string& file) {
  std::vector<BatchLine> lines;
  std::map<std::string, int64_t> first;
  int64_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    BatchLine line{++number, text.substr(at, end - at), {}};
    at = end + 1;
    if (line.text.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (const auto value = hadal::parse_json(line.text); value && value->is_object())
      if (const JsonValue* id = find_id(*value)) line.id = python_json(*id);
    if (!line.id.empty())
      if (const auto [entry, fresh] = first.emplace(line.id, line.number); !fresh)
        fail(ErrorCode::kInvalidFile, "{}: line {}: id {} is that of line {} already", file, line.number,
             line.id, entry->second);
    lines.push_back(std::move(line));
  }
  return lines;
}

BatchReader::BatchReader(const TextModel& model, const GenerationOptions& options)
    : model_(model), options_(options), sampling_(sampling_params(options, model.defaults())) {}

Result<BatchRequest> BatchReader::read(const BatchLine& line) const {
  const auto parsed = hadal::parse_json(line.text);
  if (!parsed) return tl::make_unexpected(parsed.error());
  if (!parsed->is_object()) return problem("", "expected a JSON object");
  if (line.id.empty()) return problem("id", "expected a string or a whole number");
  const JsonValue* body = parsed->find("body");
  if (body != nullptr && !body->is_object()) return problem("body", "expected an object");
  const Fields fields(body != nullptr ? *body : *parsed, body != nullptr ? "body" : "");

  BatchRequest out;
  out.request.sampling = sampling_;
  out.request.sequence = fnv1a(line.id);  // one seed for all lines: each still has its own answer
  out.request.end_ids = model_.end_ids();
  out.request.allowed = model_.allowed();
  std::optional<uint64_t> seed;
  std::optional<int64_t> max_tokens, max_completion_tokens;
  constexpr int64_t kMostTokens = int64_t{1} << 40;
  Result<void> s = read_sampling(fields, out.request.sampling);
  if (s) s = fields.whole("seed", 0, std::numeric_limits<uint64_t>::max(), seed);
  if (s) s = fields.whole("max_tokens", 1, kMostTokens, max_tokens);
  if (s) s = fields.whole("max_completion_tokens", 1, kMostTokens, max_completion_tokens);
  if (s) s = fields.whole("priority", -1000, 1000, out.request.priority);
  if (s) s = fields.texts("stop", kMostStops, true, out.parser.stops);
  if (s) s = refuse_unsupported(fields);
  if (!s) return tl::make_unexpected(s.error());
  if (seed) {
    out.request.sampling.seed = *seed;
    out.request.sequence = 0;  // as `hadal generate --seed` would answer
  }
  out.request.max_tokens = max_tokens ? max_tokens : max_completion_tokens;
  if (const int64_t limit = token_limit(options_, model_.defaults()); !out.request.max_tokens && limit > 0)
    out.request.max_tokens = limit;

  out.chat = fields.has("messages");
  TextModel::Prompt prompt;
  if (out.chat && fields.has("prompt")) return fields.expected("prompt", "nothing beside messages");
  if (!out.chat && !fields.has("prompt")) return fields.expected("messages", "messages, or a prompt");
  if (!out.chat) {
    out.parser.tools = false;
    s = read_plain_prompt(fields, model_, prompt);
    if (!s) return tl::make_unexpected(s.error());
  } else {
    auto chat = chat_request_from_json(body != nullptr ? python_json(*body) : line.text);
    if (!chat) return problem(fields.where(chat.error().where), chat.error().what);
    s = read_thinking(fields, options_.think, *chat);
    if (s) s = read_tool_choice(fields, *chat);
    if (!s) return tl::make_unexpected(s.error());
    auto encoded = model_.prompt(*chat);  // problems count the messages of the line
    if (!encoded) return problem(fields.where(encoded.error().where), encoded.error().what);
    if (!options_.system.empty() && chat->messages[0].role != "system") {
      chat->messages.insert(chat->messages.begin(), plain_message("system", options_.system));
      encoded = model_.prompt(*chat);
      if (!encoded) return problem("--system", encoded.error().what);
    }
    prompt = std::move(*encoded);
    out.parser.tools = !chat->tools.empty();
    for (const Message& message : chat->messages)
      out.parser.tools = out.parser.tools || !message.tools.empty();
    out.parser.whole_values = true;
  }
  out.request.prompt = std::move(prompt.ids);
  out.parser.start = prompt.start;
  return out;
}

}  // namespace hadal::apps
