#include "serve/openai/responses.h"

#include <utility>

#include "serve/ids.h"
#include "serve/openai/response_body.h"
#include "serve/openai/response_writer.h"

namespace hadal::serve::responses {
namespace {

// The effort as the client put it; otherwise what was made of it.
std::string effort_name(const std::string& said, const ChatRequest& chat) {
  if (!said.empty()) return said;
  if (chat.mode == Mode::kChat) return "none";
  return chat.effort == Effort::kLow ? "low" : chat.effort == Effort::kMax ? "max" : "high";
}

}  // namespace

Answered create(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto ask = read_response_body(service.body_rules(api), *body);
  if (!ask) return tl::make_unexpected(ask.error());
  ChatAsk& chat = ask->chat;
  const std::string scope = service.cache_scope(api, chat.user);
  for (const Conversation::Hidden& hidden : ask->hidden)
    if (auto reasoning = service.parts().replay.reasoning(scope, hidden.handle))
      chat.chat.messages[hidden.message].reasoning_content = std::move(*reasoning);
  auto prepared = service.prepare(api, chat);
  if (!prepared) {
    ApiError error = prepared.error();
    if (error.param == "messages") error.param = "input";
    return tl::make_unexpected(std::move(error));
  }

  ResponseForm form;
  form.head.id = random_hex(32);
  form.head.created = unix_seconds();
  form.head.model = chat.model.name;
  form.head.effort = effort_name(chat.effort, *prepared->chat);
  form.head.max_output_tokens = chat.max_tokens;
  form.head.temperature = chat.temperature.value_or(service.config().rules.sampling.temperature);
  form.head.top_p = chat.top_p.value_or(service.config().rules.sampling.top_p);
  form.head.instructions = std::move(ask->instructions);
  form.head.metadata = std::move(ask->metadata);
  form.head.tool_choice = std::move(ask->tool_choice);
  form.head.text_format = std::move(ask->text_format);
  form.tools = std::move(ask->tools);
  form.stream = chat.stream;
  form.encrypted_reasoning = ask->encrypted_reasoning;
  form.keep_alive_comments = service.config().keep_alive_comments;
  form.headers = service.answer_headers(chat.model, chat.notes);
  return service.generate(api, std::move(*prepared),
                          make_response_writer(std::move(form), service.parts().text.tokenizer()));
}

}  // namespace hadal::serve::responses
