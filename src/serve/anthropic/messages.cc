#include "serve/anthropic/messages.h"

#include <utility>

#include "serve/anthropic/message_body.h"
#include "serve/anthropic/message_writer.h"
#include "serve/ids.h"
#include "serve/json_out.h"

namespace hadal::serve::anthropic {
namespace {

Asked<MessageAsk> read(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto ask = read_message_body(service.body_rules(api), service.config().rules.strict_tools, *body);
  if (!ask) return ask;
  const std::string scope = service.cache_scope(api, ask->chat.user);
  for (const Conversation::Hidden& hidden : ask->hidden)
    if (auto text = service.parts().replay.reasoning(scope, hidden.signature))
      ask->chat.chat.messages[hidden.message].reasoning_content = std::move(*text);
  return ask;
}

}  // namespace

Answered messages(Service& service, ApiCall& api) {
  auto ask = read(service, api);
  if (!ask) return tl::make_unexpected(ask.error());
  auto prepared = service.prepare(api, ask->chat);
  if (!prepared) return tl::make_unexpected(prepared.error());

  MessageForm form;
  form.id = "msg_" + random_hex(24);
  form.model = ask->chat.model.name;
  const ParserStart start = prepared->parser.start;
  form.thinking = start == ParserStart::kReasoning || start == ParserStart::kReasoningContinued;
  form.show_thinking = ask->show_thinking;
  form.stream = ask->chat.stream;
  form.headers = service.answer_headers(ask->chat.model, ask->chat.notes);
  form.keep_alive_comments = service.config().keep_alive_comments;
  return service.generate(api, std::move(*prepared), make_message_writer(std::move(form)));
}

Answered count_tokens(Service& service, ApiCall& api) {
  auto ask = read(service, api);
  if (!ask) return tl::make_unexpected(ask.error());
  const auto prompt = service.render(api, ask->chat);
  if (!prompt) return tl::make_unexpected(prompt.error());
  std::string out;
  JsonOut(out).begin('{').field("input_tokens", prompt->ids.size()).end('}');
  return reply(std::move(out));
}

}  // namespace hadal::serve::anthropic
