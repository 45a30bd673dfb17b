#include "serve/ollama/generate_body.h"

#include <utility>

#include "chat/json_fields.h"

namespace hadal::serve::ollama {
namespace {

Message make_message(std::string role, std::string content) {
  Message message;
  message.role = std::move(role);
  message.content = std::move(content);
  return message;
}

}  // namespace

Asked<GenerateAsk> read_generate_body(const BodyRules& rules, const JsonValue& body) {
  auto common = read_common(rules, body);
  if (!common) return tl::make_unexpected(common.error());
  GenerateAsk ask;
  ask.common = std::move(*common);
  const Fields fields(body);
  std::string system;
  bool raw = false;
  Result<void> types = fields.text("prompt", ask.prompt);
  if (types) types = fields.text("suffix", ask.suffix);
  if (types) types = fields.text("system", system);
  if (types) types = fields.boolean("raw", raw);
  if (!types) return refuse(types.error());
  if (const auto text = refuse_images(body, ""); !text) return tl::make_unexpected(text.error());

  if (!ask.suffix.empty()) {
    ask.form = GenerateAsk::Form::kGap;
  } else if (ask.prompt.empty()) {
    ask.form = GenerateAsk::Form::kNothing;
  } else if (raw) {
    ask.form = GenerateAsk::Form::kRaw;
  } else {
    ask.form = GenerateAsk::Form::kMessage;
    std::vector<Message>& messages = ask.common.chat.chat.messages;
    if (!system.empty()) messages.push_back(make_message("system", std::move(system)));
    messages.push_back(make_message("user", std::exchange(ask.prompt, {})));
  }
  return ask;
}

}  // namespace hadal::serve::ollama
