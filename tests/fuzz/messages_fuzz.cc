// Any bytes as the body of each API that answers messages or prompts: what a reader accepts can be shown to a
// model, and what it refuses is told to the client in the form of its API.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chat/encode.h"
#include "serve/anthropic/message_body.h"
#include "serve/ollama/chat_body.h"
#include "serve/ollama/generate_body.h"
#include "serve/openai/chat.h"
#include "serve/openai/completions.h"
#include "text/json_value.h"

namespace {

using namespace hadal;
using namespace hadal::serve;

void require(bool condition) {
  if (!condition) std::abort();
}

void check_error(const ApiError& error, ApiStyle style) {
  require(error.status >= 400 && error.status < 500 && !error.message.empty());
  const auto body = parse_json(error_body(style, error, "req_1"));
  require(body && body->find("error") != nullptr);
}

// As the service goes on with it.
void check_ask(ChatAsk& ask, const ChatRules& rules, ApiStyle style) {
  require(!ask.model.name.empty() && ask.n >= 1);
  require(!ask.max_tokens || *ask.max_tokens >= 1);
  for (const std::string& stop : ask.stops) require(!stop.empty());
  if (const auto set = resolve_thinking(ask, rules); !set) return check_error(set.error(), style);
  if (!ask.paired)
    if (const auto paired = pair_tool_results(ask.chat.messages, rules); !paired)
      return check_error(paired.error(), style);
  const auto settings = settings_of(ask, rules);
  if (!settings) return check_error(settings.error(), style);
  require(validate(settings->sampling).has_value());
  const auto items = encode_chat(ask.chat, prompt_template(PromptGeneration::kV4Official));
  if (items) parser_start(*items);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ModelNames names("hadal-mini", {"tales:7b"});
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  const auto body = parse_json({reinterpret_cast<const char*>(data), size});
  if (!body || !body->is_object()) return 0;

  for (const bool strict : {false, true}) {
    ChatRules chat_rules;
    chat_rules.strict_tools = strict;
    if (auto ask = anthropic::read_message_body(rules, strict, *body)) {
      for (const auto& hidden : ask->hidden) {
        require(hidden.message < ask->chat.chat.messages.size() && !hidden.signature.empty());
        require(ask->chat.chat.messages[hidden.message].role == "assistant");
      }
      check_ask(ask->chat, chat_rules, ApiStyle::kAnthropic);
    } else {
      check_error(ask.error(), ApiStyle::kAnthropic);
    }
    if (auto ask = ollama::read_chat_body(rules, *body))
      check_ask(ask->chat, chat_rules, ApiStyle::kOllama);
    else
      check_error(ask.error(), ApiStyle::kOllama);
    if (auto ask = read_chat(rules, *body))
      check_ask(*ask, chat_rules, ApiStyle::kOpenAi);
    else
      check_error(ask.error(), ApiStyle::kOpenAi);
  }
  if (auto ask = ollama::read_generate_body(rules, *body))
    check_ask(ask->common.chat, ChatRules{}, ApiStyle::kOllama);
  else
    check_error(ask.error(), ApiStyle::kOllama);
  if (const auto ask = read_completion(rules, *body))
    require(!ask->prompts.empty());
  else
    check_error(ask.error(), ApiStyle::kOpenAi);
  return 0;
}
