#include "serve/openai/models.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "serve/accounts/money.h"
#include "serve/json_out.h"

namespace hadal::serve {
namespace {

void write_openai(JsonOut& json, const Service& service, const std::string& name) {
  const ChatRules& rules = service.config().rules;
  const Config& config = service.parts().text.model()->config();
  json.begin('{').field("id", name).field("object", "model").field("created", service.started());
  json.field("owned_by", "deepseek").field("name", name);
  json.field("context_length", rules.context_tokens).field("max_model_len", rules.context_tokens);
  json.field("max_output_tokens", std::min<int64_t>(rules.context_tokens, kMostAnswerTokens));
  json.key("supported_parameters").begin('[');
  for (const char* parameter :
       {"max_tokens", "temperature", "top_p", "top_k", "min_p", "seed", "stop", "n", "logprobs",
        "top_logprobs", "presence_penalty", "frequency_penalty", "repetition_penalty", "tools", "tool_choice",
        "thinking", "reasoning_effort", "stream", "stream_options"})
    json.value(parameter);
  json.end(']');
  json.key("meta").begin('{').field("n_ctx", rules.context_tokens);
  json.field("n_ctx_train", config.max_position_embeddings).field("n_vocab", config.vocab_size);
  json.field("n_params", service.config().parameters).field("size", service.config().model_bytes);
  json.end('}').end('}');
}

void write_anthropic(JsonOut& json, const Service& service, const std::string& name) {
  json.begin('{').field("type", "model").field("id", name).field("display_name", name);
  json.field("created_at",
             fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(service.started()))));
  json.end('}');
}

}  // namespace

Answered list_models(Service& service, ApiCall& api) {
  const std::vector<std::string>& names = service.names().listed();
  const bool anthropic = api.style == ApiStyle::kAnthropic;
  std::string out;
  JsonOut json(out);
  json.begin('{');
  if (!anthropic) json.field("object", "list");
  json.key("data").begin('[');
  for (const std::string& name : names) (anthropic ? write_anthropic : write_openai)(json, service, name);
  json.end(']');
  if (anthropic)
    json.field("has_more", false).field("first_id", names.front()).field("last_id", names.back());
  json.end('}');
  return reply(std::move(out));
}

Answered show_model(Service& service, ApiCall& api) {
  const auto choice = service.names().resolve(api.tail);
  if (!choice) return tl::make_unexpected(choice.error());
  std::string out;
  JsonOut json(out);
  (api.style == ApiStyle::kAnthropic ? write_anthropic : write_openai)(json, service, api.tail);
  return reply(std::move(out));
}

Answered user_balance(Service& service, ApiCall& api) {
  const Balance balance = service.parts().accounts.balance(api.caller());
  const std::string total = format_money(balance.total);
  std::string out;
  JsonOut json(out);
  json.begin('{').field("is_available", balance.available).key("balance_infos").begin('[').begin('{');
  json.field("currency", balance.currency).field("total_balance", total);
  json.field("granted_balance", "0.00").field("topped_up_balance", total);
  json.end('}').end(']').end('}');
  return reply(std::move(out));
}

}  // namespace hadal::serve
