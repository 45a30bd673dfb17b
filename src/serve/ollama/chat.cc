#include "serve/ollama/chat.h"

#include <utility>

#include "serve/completion_prompt.h"
#include "serve/ollama/answer_lines.h"
#include "serve/ollama/chat_body.h"
#include "serve/ollama/generate_body.h"

namespace hadal::serve::ollama {
namespace {

constexpr int64_t kGapTokens = 4096;  // what a gap gets when its length is left open

LineForm make_form(const Service& service, const ChatAsk& ask, bool chat) {
  LineForm form;
  form.model = ask.model.name;
  form.chat = chat;
  form.stream = ask.stream;
  form.headers = service.answer_headers(ask.model);
  return form;
}

Answered answer_nothing(const LineForm& form, bool unload) {
  HttpHead head;
  head.headers = form.headers;
  return reply(loaded_answer(form, unload), std::move(head));
}

// `prepared` was made of `ask`.
Answered answer(Service& service, ApiCall& api, Asked<Ask> prepared, const ChatAsk& ask, LineForm form) {
  if (!prepared) return tl::make_unexpected(prepared.error());
  form.headers = service.answer_headers(ask.model, ask.notes);
  return service.generate(api, std::move(*prepared),
                          make_line_writer(std::move(form), service.parts().text.tokenizer()));
}

// A prompt without the chat format.
Asked<Ask> prepare_text(const Service& service, const ApiCall& api, GenerateAsk& ask) {
  const TextModel& text = service.parts().text;
  const ChatRules& rules = service.config().rules;
  const bool gap = ask.form == GenerateAsk::Form::kGap;
  auto ids = gap ? fim_prompt_ids(text, ask.prompt, ask.suffix)
                 : Asked<std::vector<int32_t>>(raw_prompt_ids(text, ask.prompt));
  if (!ids) return tl::make_unexpected(ids.error());
  ChatAsk& chat = ask.common.chat;
  chat.chat.mode = Mode::kChat;
  auto settings = settings_of(chat, rules);
  if (!settings) return settings;
  const auto budget = token_budget(static_cast<int64_t>(ids->size()), chat.max_tokens,
                                   gap ? kGapTokens : rules.default_max_tokens, rules.context_tokens);
  if (!budget) return tl::make_unexpected(budget.error());
  settings->plain_text = true;
  settings->max_tokens = *budget;
  settings->prompts.push_back(std::move(*ids));
  settings->end_ids = completion_end_ids(text);
  auto constraint = service.constraint(chat, ParserStart::kContentContinued, settings->end_ids);
  if (!constraint) return tl::make_unexpected(constraint.error());
  settings->constraint = std::move(*constraint);
  settings->cache_scope = service.cache_scope(api, chat.user);
  if (service.parts().log.wants_prompts()) api.scope->facts.prompt = ask.prompt + ask.suffix;
  return settings;
}

}  // namespace

Answered chat(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto ask = read_chat_body(service.body_rules(api), *body);
  if (!ask) return tl::make_unexpected(ask.error());
  LineForm form = make_form(service, ask->chat, true);
  if (ask->chat.chat.messages.empty()) return answer_nothing(form, ask->unload);
  return answer(service, api, service.prepare(api, ask->chat), ask->chat, std::move(form));
}

Answered generate(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto ask = read_generate_body(service.body_rules(api), *body);
  if (!ask) return tl::make_unexpected(ask.error());
  LineForm form = make_form(service, ask->common.chat, false);
  ChatAsk& conversation = ask->common.chat;
  switch (ask->form) {
    case GenerateAsk::Form::kNothing:
      return answer_nothing(form, ask->common.unload);
    case GenerateAsk::Form::kMessage:
      return answer(service, api, service.prepare(api, conversation), conversation, std::move(form));
    default:
      return answer(service, api, prepare_text(service, api, *ask), conversation, std::move(form));
  }
}

}  // namespace hadal::serve::ollama
