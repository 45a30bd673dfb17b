#include "serve/openai/chat.h"

#include <fmt/format.h>

#include <algorithm>

#include "chat/encode.h"
#include "chat/json_fields.h"
#include "chat/python_json.h"
#include "serve/answer_format.h"
#include "serve/ids.h"
#include "serve/openai/chat_writer.h"
#include "serve/openai/settings.h"
#include "serve/openai/tools.h"

namespace hadal::serve {
namespace {

constexpr int kMostLogprobs = 20;

// Parts that a text model cannot read, before anything else is said about them.
Asked<void> refuse_media(const JsonValue& messages) {
  for (const JsonValue& message : messages.items) {
    const JsonValue* content = message.is_object() ? message.find("content") : nullptr;
    const JsonValue* role = message.is_object() ? message.find("role") : nullptr;
    if (content == nullptr || !content->is_array() || (role != nullptr && role->text == "tool")) continue;
    for (const JsonValue& part : content->items) {
      const JsonValue* type = part.is_object() ? part.find("type") : nullptr;
      if (type == nullptr) continue;
      for (const std::string_view kind : {"image", "audio", "file", "video"})
        if (type->text.find(kind) != std::string::npos)
          return refuse(fmt::format("This model does not support {}", kind), "messages");
    }
  }
  return {};
}

// The name in {"function": {"name": ...}}; nullptr if there is none.
const JsonValue* function_name(const JsonValue& choice) {
  const JsonValue* function = choice.find("function");
  const JsonValue* name = function != nullptr && function->is_object() ? function->find("name") : nullptr;
  return name != nullptr && name->is_string() ? name : nullptr;
}

// Those of the tools that may be called, by the names in a list of functions.
Asked<void> read_allowed_tools(const JsonValue& choice, ChatAsk& ask) {
  const JsonValue* allowed = choice.find("allowed_tools");
  const JsonValue* tools = allowed != nullptr && allowed->is_object() ? allowed->find("tools") : nullptr;
  const JsonValue* mode = allowed != nullptr && allowed->is_object() ? allowed->find("mode") : nullptr;
  if (tools == nullptr || !tools->is_array())
    return refuse("tool_choice.allowed_tools.tools: expected an array of functions", "tool_choice");
  std::vector<std::string> names;
  for (const JsonValue& tool : tools->items) {
    const JsonValue* name = tool.is_object() ? function_name(tool) : nullptr;
    if (name == nullptr)
      return refuse("tool_choice.allowed_tools.tools: expected the names of functions", "tool_choice");
    names.push_back(name->text);
  }
  keep_tools(names, ask.chat);
  ask.must_call = mode != nullptr && mode->text == "required";
  return {};
}

Asked<void> read_tool_choice(const JsonValue& body, ChatAsk& ask) {
  if (const JsonValue* parallel = body.find("parallel_tool_calls"))
    ask.answer.parallel = !parallel->is(JsonValue::Kind::kFalse);
  const JsonValue* choice = body.find("tool_choice");
  if (choice == nullptr || (choice->is_string() && choice->text == "auto")) return {};
  if (choice->is_string() && choice->text == "none") {
    ask.chat.tools.clear();
    return {};
  }
  if (!choice->is_object() && !(choice->is_string() && choice->text == "required"))
    return refuse("tool_choice: expected none, auto, required or a function", "tool_choice");
  ask.must_call = true;
  if (const JsonValue* type = choice->is_object() ? choice->find("type") : nullptr;
      type != nullptr && type->text == "allowed_tools") {
    if (const auto s = read_allowed_tools(*choice, ask); !s) return s;
  } else if (choice->is_object()) {
    const JsonValue* name = function_name(*choice);
    if (name == nullptr)
      return refuse("tool_choice.function.name: expected the name of a tool", "tool_choice");
    keep_tools({name->text}, ask.chat);
    if (ask.chat.tools.empty())
      return refuse(fmt::format("tool_choice: no tool named '{}' was specified", name->text), "tool_choice");
    ask.answer.parallel = false;
  }
  if (ask.chat.tools.empty() && ask.must_call)
    return refuse("tool_choice: expected tools to choose from", "tool_choice");
  return {};
}

// Thinking in the dialects of several clients (B3.1): the later in this list, the more it counts.
Asked<void> read_thinking(const JsonValue& body, ChatAsk& ask) {
  Result<void> s;
  const auto dialect = [&](const char* object, std::initializer_list<const char*> switches,
                           const char* effort) {
    const JsonValue* value = body.find(object);
    if (!s || value == nullptr || !value->is_object()) return;
    const Fields fields(*value, object);
    for (const char* name : switches)
      if (s) s = fields.boolean(name, ask.thinking);
    if (s) s = fields.text(effort, ask.effort);
  };
  dialect("chat_template_kwargs", {"thinking", "enable_thinking"}, "reasoning_effort");
  dialect("reasoning", {"enabled"}, "effort");
  const Fields fields(body);
  if (const JsonValue* think = body.find("think"); s && think != nullptr && think->is_bool())
    s = fields.boolean("think", ask.thinking);
  if (s) s = fields.text("reasoning_effort", ask.effort);
  if (!s) return refuse_type(s.error());
  if (const JsonValue* thinking = body.find("thinking")) {
    const JsonValue* type = thinking->is_object() ? thinking->find("type") : nullptr;
    if (type == nullptr || (type->text != "enabled" && type->text != "disabled" && type->text != "adaptive"))
      return refuse("thinking.type: expected enabled, disabled or adaptive", "thinking");
    ask.thinking = type->text != "disabled";
  }
  return {};
}

}  // namespace

Asked<ChatAsk> read_chat(const BodyRules& rules, const JsonValue& body) {
  ChatAsk ask;
  std::string name;
  const Fields fields(body);
  if (const auto s = fields.text("model", name); !s) return refuse_type(s.error());
  const JsonValue* messages = body.find("messages");
  if (messages == nullptr) return refuse_type({"", "missing field `messages`"});
  if (messages->is_array() && messages->items.empty()) return refuse("Empty input messages", "messages");

  auto model = rules.choose_model(name);
  if (!model) return tl::make_unexpected(model.error());
  ask.model = std::move(*model);
  if (messages->is_array())
    if (const auto text = refuse_media(*messages); !text) return tl::make_unexpected(text.error());
  auto chat = chat_request_from_value(body);
  if (!chat) return refuse_type(chat.error());
  ask.chat = std::move(*chat);
  ask.chat.response_format.clear();
  if (const JsonValue* on = body.find("continue_final_message");
      on != nullptr && on->is(JsonValue::Kind::kTrue))
    ask.chat.continue_last = true;

  Asked<void> s = read_thinking(body, ask);
  if (s) s = read_settings(rules, body, ask);
  bool logprobs = false;
  int top_logprobs = 0;
  if (s)
    if (const auto flag = fields.boolean("logprobs", logprobs); !flag) s = refuse_type(flag.error());
  if (s)
    if (const auto count = fields.whole("top_logprobs", 0, kMostLogprobs, top_logprobs); !count)
      s = refuse(fmt::format("Invalid top_logprobs value, the valid range of top_logprobs is [0, {}]",
                             kMostLogprobs),
                 "top_logprobs");
  if (s && fields.has("top_logprobs") && !logprobs)
    s = refuse("top_logprobs: expected logprobs to be true with it", "top_logprobs");
  if (logprobs) ask.top_logprobs = top_logprobs;
  if (const JsonValue* format = body.find("response_format"); s && format != nullptr)
    s = read_format(*format, "response_format", ask);
  if (s) s = read_guided(body, ask);
  if (s) s = check_tools(body, ask);
  if (s) s = read_tool_choice(body, ask);
  if (!s) return tl::make_unexpected(s.error());
  return ask;
}

Answered chat_completions(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto ask = read_chat(service.body_rules(api), *body);
  if (!ask) return tl::make_unexpected(ask.error());
  auto prepared = service.prepare(api, *ask);
  if (!prepared) return tl::make_unexpected(prepared.error());

  ChatForm form;
  form.name = service.answer_name(ask->model, random_uuid());
  form.thinking = prepared->chat->mode == Mode::kThinking;
  form.show_reasoning = !member_is_true(*body, "reasoning", "exclude");
  form.stream = ask->stream;
  form.include_usage = member_is_true(*body, "stream_options", "include_usage");
  form.usage_in_own_chunk = service.config().usage_in_own_chunk;
  form.keep_alive_comments = service.config().keep_alive_comments;
  form.headers = service.answer_headers(ask->model, ask->notes);
  return service.generate(api, std::move(*prepared),
                          make_chat_writer(std::move(form), service.parts().text.tokenizer(), ask->n));
}

Answered apply_template(Service& service, ApiCall& api) {
  const auto body = api.body();
  if (!body) return tl::make_unexpected(body.error());
  auto ask = read_chat(service.body_rules(api), *body);
  if (!ask) return tl::make_unexpected(ask.error());
  const auto prepared = service.prepare(api, *ask);
  if (!prepared) return tl::make_unexpected(prepared.error());
  std::string flat;
  for (const int32_t id : prepared->prompts[0]) flat += service.parts().text.tokenizer().token_bytes(id);
  std::string out;
  JsonOut json(out);
  json.begin('{').field("prompt", flat).key("tokens").begin('[');
  for (const int32_t id : prepared->prompts[0]) json.value(id);
  json.end(']').end('}');
  return reply(std::move(out));
}

}  // namespace hadal::serve
