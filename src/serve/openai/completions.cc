#include "serve/openai/completions.h"

#include <fmt/format.h>

#include <algorithm>

#include "chat/json_fields.h"
#include "serve/answer_format.h"
#include "serve/completion_prompt.h"
#include "serve/ids.h"
#include "serve/openai/chat.h"
#include "serve/openai/completion_writer.h"
#include "serve/openai/settings.h"

namespace hadal::serve {
namespace {

constexpr int kMostLogprobs = 20;
constexpr std::string_view kPromptForms =
    "expected a string, an array of strings, an array of token ids or an array of arrays of token ids";

Asked<std::vector<int32_t>> read_ids(const JsonValue& array, const std::string& where) {
  if (array.items.empty()) return refuse(where + ": expected at least one token", "prompt");
  std::vector<int32_t> ids;
  ids.reserve(array.items.size());
  for (size_t i = 0; i < array.items.size(); ++i) {
    const auto id = json_whole<int32_t>(array.items[i]);
    if (!id || *id < 0) return refuse(fmt::format("{}[{}]: expected a token id", where, i), "prompt");
    ids.push_back(*id);
  }
  return ids;
}

Asked<std::vector<CompletionAsk::Prompt>> read_prompts(const JsonValue& body) {
  const JsonValue* value = body.find("prompt");
  if (value == nullptr)
    return refuse("Failed to deserialize the JSON body into the target type: missing field `prompt`",
                  "prompt");
  std::vector<CompletionAsk::Prompt> prompts;
  if (value->is_string()) {
    prompts.emplace_back(value->text);
    return prompts;
  }
  if (!value->is_array()) return refuse(fmt::format("prompt: {}", kPromptForms), "prompt");
  if (value->items.empty()) return refuse("prompt: expected at least one prompt", "prompt");
  if (value->items[0].is(JsonValue::Kind::kNumber)) {
    auto ids = read_ids(*value, "prompt");
    if (!ids) return tl::make_unexpected(ids.error());
    prompts.emplace_back(std::move(*ids));
    return prompts;
  }
  if (value->items.size() > kMostPrompts)
    return refuse(
        fmt::format("prompt: expected at most {} prompts, found {}", kMostPrompts, value->items.size()),
        "prompt");
  for (size_t i = 0; i < value->items.size(); ++i) {
    const JsonValue& item = value->items[i];
    if (item.kind != value->items[0].kind || (!item.is_string() && !item.is_array()))
      return refuse(fmt::format("prompt[{}]: {}", i, kPromptForms), "prompt");
    if (item.is_string()) {
      prompts.emplace_back(item.text);
      continue;
    }
    auto ids = read_ids(item, fmt::format("prompt[{}]", i));
    if (!ids) return tl::make_unexpected(ids.error());
    prompts.emplace_back(std::move(*ids));
  }
  return prompts;
}

}  // namespace

Asked<CompletionAsk> read_completion(const BodyRules& rules, const JsonValue& body) {
  CompletionAsk ask;
  ask.settings.chat.mode = Mode::kChat;
  std::string name;
  const Fields fields(body);
  std::optional<int> logprobs, best_of;
  Result<void> types = fields.text("model", name);
  if (types) types = fields.text("suffix", ask.suffix);
  if (types) types = fields.boolean("echo", ask.echo);
  if (types) types = fields.whole("best_of", 1, 1000, best_of);
  if (!types) return refuse_type(types.error());
  auto model = rules.choose_model(name);
  if (!model) return tl::make_unexpected(model.error());
  ask.settings.model = std::move(*model);

  auto prompts = read_prompts(body);
  if (!prompts) return tl::make_unexpected(prompts.error());
  ask.prompts = std::move(*prompts);
  if (!ask.suffix.empty()) {
    if (ask.echo) return refuse("echo: expected no suffix with it", "echo");
    if (!std::holds_alternative<std::string>(ask.prompts[0]))
      return refuse("suffix: expected prompts that are text with it", "suffix");
  }

  if (const auto s = read_settings(rules, body, ask.settings, ask.echo ? 0 : 1); !s)
    return tl::make_unexpected(s.error());
  Asked<void> format;
  if (const JsonValue* value = body.find("response_format"))
    format = read_format(*value, "response_format", ask.settings);
  if (format) format = read_guided(body, ask.settings);
  if (!format) return tl::make_unexpected(format.error());
  if (ask.settings.max_tokens == 0) {
    ask.nothing_new = true;
    ask.settings.max_tokens = 1;  // there is no answer without a token; nobody sees it
  }
  if (const auto s = fields.whole("logprobs", 0, kMostLogprobs, logprobs); !s)
    return refuse(
        fmt::format("Invalid logprobs value, the valid range of logprobs is [0, {}]", kMostLogprobs),
        "logprobs");
  ask.settings.top_logprobs = logprobs.value_or(-1);
  if (best_of && *best_of != ask.settings.n)
    return refuse(
        fmt::format("best_of: expected the same as n, {}: this server returns every answer it makes",
                    ask.settings.n),
        "best_of");
  if (ask.prompts.size() * static_cast<size_t>(ask.settings.n) > kMostPrompts)
    return refuse(fmt::format("n: expected at most {} choices in all, found {} prompts times {}",
                              kMostPrompts, ask.prompts.size(), ask.settings.n),
                  "n");
  ask.include_usage = member_is_true(body, "stream_options", "include_usage");
  return ask;
}

namespace {

// The prompts as ids that fit the context, with the tokens that each may get.
Asked<Ask> prepare_completion(const Service& service, const ApiCall& api, CompletionAsk& asked) {
  const TextModel& text = service.parts().text;
  const ChatRules& rules = service.config().rules;
  auto ask = settings_of(asked.settings, rules);
  if (!ask) return ask;
  for (size_t i = 0; i < asked.prompts.size(); ++i) {
    if (const auto* ids = std::get_if<std::vector<int32_t>>(&asked.prompts[i])) {
      const auto bad =
          std::ranges::find_if_not(*ids, [&](int32_t id) { return text.tokenizer().has_token(id); });
      if (bad != ids->end())
        return refuse(fmt::format("prompt: the token id {} is not in the vocabulary", *bad), "prompt");
      ask->prompts.push_back(*ids);
      continue;
    }
    const std::string& prompt = std::get<std::string>(asked.prompts[i]);
    if (asked.suffix.empty()) {
      ask->prompts.push_back(plain_prompt_ids(text, prompt));
      continue;
    }
    auto ids = fim_prompt_ids(text, prompt, asked.suffix);
    if (!ids) return tl::make_unexpected(ids.error());
    ask->prompts.push_back(std::move(*ids));
  }

  std::optional<int64_t> wanted = asked.settings.max_tokens;
  if (api.request.path.find("/beta/") != std::string::npos)
    wanted = std::min(wanted.value_or(kMostFimTokens), kMostFimTokens);
  ask->max_tokens = 1;
  for (const std::vector<int32_t>& ids : ask->prompts) {
    auto budget =
        token_budget(static_cast<int64_t>(ids.size()), wanted, kMostFimTokens, rules.context_tokens);
    if (!budget) {
      budget.error().param = "prompt";
      return tl::make_unexpected(budget.error());
    }
    ask->max_tokens = std::max(ask->max_tokens, *budget);
  }
  ask->context_tokens = rules.context_tokens;
  ask->plain_text = true;
  ask->end_ids = completion_end_ids(text);
  auto constraint = service.constraint(asked.settings, ParserStart::kContentContinued, ask->end_ids);
  if (!constraint) return tl::make_unexpected(constraint.error());
  ask->constraint = std::move(*constraint);
  ask->prompt_logprobs = asked.echo && ask->top_logprobs >= 0;
  ask->show_end = ask->prompt_logprobs;
  ask->cache_scope = service.cache_scope(api, asked.settings.user);
  if (service.parts().log.wants_prompts()) api.scope->facts.prompt = text.tokenizer().decode(ask->prompts[0]);
  return ask;
}

}  // namespace

Answered completions(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto asked = read_completion(service.body_rules(api), *body);
  if (!asked) return tl::make_unexpected(asked.error());
  auto ask = prepare_completion(service, api, *asked);
  if (!ask) return tl::make_unexpected(ask.error());

  CompletionForm form;
  form.name = service.answer_name(asked->settings.model, random_uuid());
  form.stream = asked->settings.stream;
  form.include_usage = asked->include_usage;
  form.usage_in_own_chunk = service.config().usage_in_own_chunk;
  form.keep_alive_comments = service.config().keep_alive_comments;
  form.logprobs = ask->top_logprobs >= 0;
  form.prompt_only = asked->nothing_new;
  form.headers = service.answer_headers(asked->settings.model, asked->settings.notes);
  form.n = ask->n;
  form.choices = static_cast<int>(ask->prompts.size()) * ask->n;
  form.end_ids = ask->end_ids;
  if (asked->echo) {
    form.unseen = std::holds_alternative<std::string>(asked->prompts[0]) ? 1 : 0;  // BOS
    for (const std::vector<int32_t>& ids : ask->prompts)
      form.echoed.emplace_back(ids.begin() + form.unseen, ids.end());
  }
  return service.generate(api, std::move(*ask),
                          make_completion_writer(std::move(form), service.parts().text.tokenizer()));
}

}  // namespace hadal::serve
