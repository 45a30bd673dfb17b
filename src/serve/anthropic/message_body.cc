#include "serve/anthropic/message_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "chat/json_fields.h"
#include "serve/answer_format.h"
#include "serve/anthropic/blocks.h"
#include "serve/anthropic/tools.h"
#include "serve/openai/settings.h"

namespace hadal::serve::anthropic {
namespace {

constexpr size_t kMostStops = 16;

Asked<void> read_thinking(const JsonValue& body, MessageAsk& ask) {
  const JsonValue* thinking = body.find("thinking");
  if (thinking == nullptr) return {};
  const JsonValue* type = thinking->is_object() ? thinking->find("type") : nullptr;
  if (type == nullptr || (type->text != "enabled" && type->text != "disabled" && type->text != "adaptive"))
    return refuse_at("thinking.type", "expected enabled, disabled or adaptive");
  ask.chat.thinking = type->text != "disabled";
  const JsonValue* display = thinking->find("display");
  ask.show_thinking = display == nullptr || display->text != "omitted";
  return {};
}

Asked<void> read_output(const JsonValue& body, ChatAsk& ask) {
  const JsonValue* output = nullptr;
  const Fields fields(body);
  if (const auto s = fields.object("output_config", output); !s) return refuse(s.error());
  if (output != nullptr) {
    const Fields config(*output, "output_config");
    if (const auto s = config.text("effort", ask.effort); !s) return refuse(s.error());
    if (const JsonValue* format = config.find("format"))
      return read_format(*format, "output_config.format", ask);
  }
  if (const JsonValue* format = fields.find("output_format"))
    return read_format(*format, "output_format", ask);
  return {};
}

Asked<void> read_stops(const Fields& fields, ChatAsk& ask) {
  const auto read = fields.texts("stop_sequences", kMostStops, false, ask.stops);
  if (!read || std::ranges::count(ask.stops, "") > 0)
    return refuse("stop_sequences must contain at most 16 non-empty strings", "stop_sequences");
  return {};
}

Asked<void> read_settings(const JsonValue& body, MessageAsk& ask) {
  const Fields fields(body);
  ChatAsk& chat = ask.chat;
  const JsonValue* metadata = nullptr;
  Result<void> s = fields.real("temperature", chat.temperature);
  if (s) s = fields.real("top_p", chat.top_p);
  if (s)
    s = fields.whole("max_tokens", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max(),
                     chat.max_tokens);
  if (s) s = fields.boolean("stream", chat.stream);
  if (s) s = fields.object("metadata", metadata);
  if (s && metadata != nullptr) s = Fields(*metadata, "metadata").text("user_id", chat.user);
  if (!s) return refuse(s.error());
  if (chat.max_tokens && *chat.max_tokens < 1)
    return refuse("max_tokens must be greater than zero", "max_tokens");

  Asked<void> checked = check_range("temperature", chat.temperature, 0, 2);
  if (checked) checked = check_range("top_p", chat.top_p, 0, 1, true);
  if (checked) checked = check_user(chat.user);
  if (checked) checked = read_stops(fields, chat);
  if (checked) checked = read_thinking(body, ask);
  if (checked) checked = read_output(body, chat);
  return checked;
}

}  // namespace

Asked<MessageAsk> read_message_body(const BodyRules& rules, bool strict_tools, const JsonValue& body) {
  MessageAsk ask;
  ChatAsk& chat = ask.chat;
  std::string name;
  if (const auto s = Fields(body).text("model", name); !s) return refuse(s.error());
  const JsonValue* messages = body.find("messages");
  if (messages == nullptr) return refuse_type({"", "missing field `messages`"});
  auto model = rules.choose_model(name);
  if (!model) return tl::make_unexpected(model.error());
  chat.model = std::move(*model);

  if (const JsonValue* system = body.find("system")) {
    auto text = read_system(*system);
    if (!text) return tl::make_unexpected(text.error());
    Message message;
    message.role = "system";
    message.content = std::move(*text);
    if (!message.content.empty()) chat.chat.messages.push_back(std::move(message));
  }
  auto conversation = read_conversation(*messages, strict_tools);
  if (!conversation) return tl::make_unexpected(conversation.error());
  ask.hidden = std::move(conversation->hidden);
  for (Conversation::Hidden& hidden : ask.hidden) hidden.message += chat.chat.messages.size();
  std::ranges::move(conversation->messages, std::back_inserter(chat.chat.messages));
  chat.paired = true;

  Asked<void> s = read_settings(body, ask);
  if (s) s = read_tools(body, chat);
  if (!s) return tl::make_unexpected(s.error());
  return ask;
}

}  // namespace hadal::serve::anthropic
