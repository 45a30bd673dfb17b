#include "serve/ollama/models.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "assistant/replay_turn.h"
#include "chat/json_fields.h"
#include "serve/completion_prompt.h"
#include "serve/http/sse.h"
#include "serve/json_out.h"

namespace hadal::serve::ollama {
namespace {

// The version of Ollama whose API this is. Clients compare it with what they need.
constexpr std::string_view kOllamaVersion = "0.18.3";
constexpr std::string_view kFamily = "deepseek4";
constexpr std::string_view kNeverExpires = "2200-01-01T00:00:00Z";

// Names of models have a tag here.
std::string tagged(const std::string& name) {
  return name.find(':') == std::string::npos ? name + ":latest" : name;
}

// 64 digits that are always the same for one model.
std::string digest(const Service& service) {
  const ServiceConfig& config = service.config();
  std::string out;
  for (const std::string_view half : {"first", "second"}) {
    Hasher hasher;
    hasher.add(half);
    hasher.add(service.names().own());
    hasher.add(config.fingerprint);
    hasher.add(fmt::format("{} {}", config.parameters, config.model_bytes));
    out += hasher.digest().hex();
  }
  return out;
}

std::string modified_at(const Service& service) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(service.started())));
}

std::string quantization(const Config& config) {
  if (!config.expert_dtype.empty()) return config.expert_dtype == "fp4" ? "FP4" : "FP8";
  return config.quantization_config ? "FP8" : "BF16";
}

void write_details(JsonOut& json, const Service& service) {
  json.key("details").begin('{').field("parent_model", "").field("format", "safetensors");
  json.field("family", kFamily).key("families").begin('[').value(kFamily).end(']');
  json.field("parameter_size", short_number(service.config().parameters));
  json.field("quantization_level", quantization(service.parts().text.model()->config())).end('}');
}

// Without the closing brace.
void begin_model(JsonOut& json, const Service& service, const std::string& name) {
  json.begin('{').field("name", tagged(name)).field("model", tagged(name));
  json.field("modified_at", modified_at(service)).field("size", service.config().model_bytes);
  json.field("digest", digest(service));
  write_details(json, service);
}

// The name in a body, and whose it is.
struct Named {
  JsonValue body;
  Asked<ModelChoice> choice;
};
Asked<Named> read_name(Service& service, ApiCall& api) {
  auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  std::string name;
  const Fields fields(*body);
  Result<void> types = fields.text("name", name);  // as it was called in old versions
  if (types) types = fields.text("model", name);
  if (!types) return refuse(types.error());
  auto choice = service.choose_model(api, name);
  return Named{std::move(*body), std::move(choice)};
}

std::string key_of(std::string_view member) {
  return fmt::format("{}.{}", kFamily, member);
}

void write_model_info(JsonOut& json, const Service& service) {
  const Config& config = service.parts().text.model()->config();
  json.key("model_info").begin('{').field("general.architecture", kFamily);
  json.field("general.basename", service.names().own());
  json.field("general.parameter_count", service.config().parameters);
  json.field(key_of("context_length"), service.config().rules.context_tokens);
  json.field(key_of("embedding_length"), config.hidden_size);
  json.field(key_of("block_count"), config.num_hidden_layers);
  json.field(key_of("attention.head_count"), config.num_attention_heads);
  json.field(key_of("attention.head_count_kv"), config.num_key_value_heads);
  json.field(key_of("expert_count"), config.n_routed_experts);
  json.field(key_of("expert_used_count"), config.num_experts_per_tok);
  json.field(key_of("vocab_size"), config.vocab_size).end('}');
}

}  // namespace

std::string short_number(int64_t number) {
  double value = static_cast<double>(number);
  const char* unit = "";
  for (const char* next : {"K", "M", "B", "T"}) {
    if (value < 999.5) break;
    value /= 1000;
    unit = next;
  }
  if (*unit == '\0') return fmt::format("{}", number);
  std::string text = fmt::format("{:.1f}", value);
  if (value >= 99.95) text = fmt::format("{:.0f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + unit;
}

Answered list_models(Service& service, ApiCall&) {
  std::string out;
  JsonOut json(out);
  json.begin('{').key("models").begin('[');
  for (const std::string& name : service.names().listed()) {
    begin_model(json, service, name);
    json.end('}');
  }
  json.end(']').end('}');
  return reply(std::move(out));
}

Answered list_running(Service& service, ApiCall&) {
  std::string out;
  JsonOut json(out);
  json.begin('{').key("models").begin('[');
  begin_model(json, service, service.names().own());
  json.field("expires_at", kNeverExpires).field("size_vram", 0);
  json.field("context_length", service.config().rules.context_tokens).end('}');
  json.end(']').end('}');
  return reply(std::move(out));
}

Answered show_model(Service& service, ApiCall& api) {
  const auto named = read_name(service, api);
  if (!named) return tl::make_unexpected(named.error());
  if (!named->choice) return tl::make_unexpected(named->choice.error());
  const SamplingParams& sampling = service.config().rules.sampling;
  std::string out;
  JsonOut json(out);
  json.begin('{').field("license", "MIT").field("modelfile", "");
  json.field("parameters", fmt::format("temperature {}\ntop_p {}", sampling.temperature, sampling.top_p));
  json.field("template", "{{ .Prompt }}");
  write_details(json, service);
  write_model_info(json, service);
  json.key("capabilities").begin('[').value("completion").value("tools").value("thinking");
  if (can_fill_in_middle(service.parts().text)) json.value("insert");
  json.end(']').key("thinking").begin('{').key("values").begin('[').value(false);
  json.value("low").value("high").value("max").end(']').field("default", "high").end('}');
  json.field("modified_at", modified_at(service)).end('}');
  return reply(std::move(out));
}

Answered version(Service&, ApiCall&) {
  std::string out;
  JsonOut(out).begin('{').field("version", kOllamaVersion).end('}');
  return reply(std::move(out));
}

Answered pull(Service& service, ApiCall& api) {
  const auto named = read_name(service, api);
  if (!named) return tl::make_unexpected(named.error());
  if (!named->choice) return not_supported(service, api);
  const JsonValue* stream = named->body.find("stream");
  std::string out;
  JsonOut(out).begin('{').field("status", "success").end('}');
  if (stream != nullptr && stream->is(JsonValue::Kind::kFalse)) return reply(std::move(out));
  std::string line;
  append_ndjson(line, out);
  return reply(std::move(line), ndjson_head());
}

Answered not_supported(Service&, ApiCall&) {
  return tl::make_unexpected(ApiError{.status = 501, .message = "not supported"});
}

}  // namespace hadal::serve::ollama
