#include "serve/openai/response_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "chat/json_fields.h"
#include "chat/python_json.h"
#include "serve/answer_format.h"
#include "serve/json_out.h"
#include "serve/openai/settings.h"
#include "serve/openai/tools.h"

namespace hadal::serve::responses {
namespace {

constexpr int kMostLogprobs = 20;

// The conversation is all in the request; there is nothing else to go on from.
Asked<void> refuse_memory(const JsonValue& body) {
  for (const std::string_view field : {"previous_response_id", "conversation"})
    if (const JsonValue* value = body.find(field);
        value != nullptr && !(value->is_string() && value->text.empty()))
      return refuse(fmt::format("{} is not supported; replay full input instead", field), std::string(field));
  return {};
}

Asked<void> read_reasoning(const JsonValue& body, ChatAsk& ask) {
  const Fields fields(body);
  const JsonValue* reasoning = nullptr;
  Result<void> s = fields.object("reasoning", reasoning);
  if (s && reasoning != nullptr) s = Fields(*reasoning, "reasoning").text("effort", ask.effort);
  if (!s) return refuse_type(s.error());
  if (!ask.effort.empty() && !effort_from_name(ask.effort))
    return refuse(
        fmt::format("Invalid reasoning.effort '{}': expected one of none, minimal, low, medium, high, "
                    "xhigh, max",
                    ask.effort),
        "reasoning.effort");
  return {};
}

Asked<void> read_limits(const JsonValue& body, ResponseAsk& ask) {
  const Fields fields(body);
  ChatAsk& chat = ask.chat;
  int top_logprobs = 0;
  std::vector<std::string> include;
  Result<void> s = fields.real("temperature", chat.temperature);
  if (s) s = fields.real("top_p", chat.top_p);
  if (s)
    s = fields.whole("max_output_tokens", std::numeric_limits<int64_t>::min(), int64_t{1} << 40,
                     chat.max_tokens);
  if (s) s = fields.boolean("stream", chat.stream);
  if (s) s = fields.text("user", chat.user);
  if (s) s = fields.texts("include", 64, false, include);
  if (!s) return refuse_type(s.error());
  if (chat.max_tokens && *chat.max_tokens < 1)
    return refuse("max_output_tokens must be greater than zero", "max_output_tokens");
  Asked<void> range = check_range("temperature", chat.temperature, 0, 2);
  if (range) range = check_range("top_p", chat.top_p, 0, 1, true);
  if (range) range = check_user(chat.user);
  if (!range) return range;
  if (const auto count = fields.whole("top_logprobs", 0, kMostLogprobs, top_logprobs); !count)
    return refuse(
        fmt::format("Invalid top_logprobs value, the valid range of top_logprobs is [0, {}]", kMostLogprobs),
        "top_logprobs");
  const auto wants = [&](const char* what) { return std::ranges::count(include, what) > 0; };
  if (top_logprobs > 0 || wants("message.output_text.logprobs")) chat.top_logprobs = top_logprobs;
  ask.encrypted_reasoning = wants("reasoning.encrypted_content");
  return {};
}

Asked<void> read_text_format(const JsonValue& body, ResponseAsk& ask) {
  const JsonValue* text = body.find("text");
  if (text == nullptr) return {};
  if (!text->is_object()) return refuse("text: expected an object", "text");
  const JsonValue* format = text->find("format");
  if (format == nullptr) return {};
  ask.text_format = python_json(*format);
  return read_format(*format, "text.format", ask.chat);
}

// The tools that {"type": "allowed_tools", "tools": [...]} names.
Asked<void> read_allowed_tools(const JsonValue& choice, ResponseAsk& ask) {
  const JsonValue* tools = choice.find("tools");
  if (tools == nullptr || !tools->is_array())
    return refuse("tool_choice.tools: expected an array of tools", "tool_choice");
  std::vector<std::string> names;
  for (const JsonValue& tool : tools->items) {
    if (!tool.is_object()) return refuse("tool_choice.tools: expected an array of tools", "tool_choice");
    ToolName name;
    const Fields fields(tool, "tool_choice.tools");
    Result<void> s = fields.text("name", name.name);
    if (s) s = fields.text("namespace", name.name_space);
    if (!s) return refuse(s.error());
    const JsonValue* type = tool.find("type");
    name.custom = type != nullptr && type->text == "custom";
    names.push_back(ask.tools.prompt_name(name));
  }
  keep_tools(names, ask.chat.chat);
  return {};
}

// Sets what the answer repeats. None: the tools are not shown to the model at all.
Asked<void> read_tool_choice(const JsonValue& body, ResponseAsk& ask) {
  const JsonValue* choice = body.find("tool_choice");
  if (choice == nullptr) return {};
  if (choice->is_string()) {
    if (choice->text != "none" && choice->text != "auto" && choice->text != "required")
      return refuse("tool_choice: expected none, auto, required or a tool", "tool_choice");
    ask.tool_choice = json_string(choice->text);
    if (choice->text == "none") ask.chat.chat.tools.clear();
    if (choice->text != "required") return {};
    ask.chat.must_call = true;
  } else {
    const JsonValue* type = choice->is_object() ? choice->find("type") : nullptr;
    if (type == nullptr || !type->is_string())
      return refuse("tool_choice: expected none, auto, required or a tool", "tool_choice");
    if (type->text.starts_with("web_search")) return {};  // there is none, so the model cannot choose it
    ask.chat.must_call = true;
    if (type->text == "function" || type->text == "custom") {
      ToolName name;
      name.custom = type->text == "custom";
      const Fields fields(*choice, "tool_choice");
      Result<void> s = fields.text("name", name.name);
      if (s) s = fields.text("namespace", name.name_space);
      if (!s) return refuse(s.error());
      if (!ask.tools.has(name))
        return refuse(fmt::format("tool_choice: no tool named '{}' was specified", name.name), "tool_choice");
      keep_tools({ask.tools.prompt_name(name)}, ask.chat.chat);
      ask.chat.answer.parallel = false;
    } else if (type->text == "allowed_tools") {
      if (const auto s = read_allowed_tools(*choice, ask); !s) return s;
      const JsonValue* mode = choice->find("mode");
      ask.chat.must_call = mode != nullptr && mode->text == "required";
    } else {
      return refuse(fmt::format("tool_choice: unknown type '{}'", type->text), "tool_choice");
    }
  }
  if (ask.chat.chat.tools.empty() && ask.chat.must_call)
    return refuse("tool_choice: expected tools to choose from", "tool_choice");
  return {};
}

}  // namespace

Asked<ResponseAsk> read_response_body(const BodyRules& rules, const JsonValue& body) {
  ResponseAsk ask;
  std::string name;
  const Fields fields(body);
  if (const auto s = fields.text("model", name); !s) return refuse_type(s.error());
  auto model = rules.choose_model(name);
  if (!model) return tl::make_unexpected(model.error());
  ask.chat.model = std::move(*model);

  Asked<void> s = refuse_memory(body);
  if (s && body.find("tools") != nullptr) {
    auto tools = Tools::read(*body.find("tools"));
    if (!tools) return tl::make_unexpected(tools.error());
    ask.tools = std::move(*tools);
  }
  if (!s) return tl::make_unexpected(s.error());
  const JsonValue* instructions = body.find("instructions");
  auto conversation = read_input(instructions, body.find("input"), ask.tools);
  if (!conversation) return tl::make_unexpected(conversation.error());
  ask.chat.chat.messages = std::move(conversation->messages);
  ask.chat.paired = true;
  ask.hidden = std::move(conversation->hidden);
  ask.chat.chat.tools = ask.tools.shown();
  ask.chat.strict = ask.tools.strict();
  if (instructions != nullptr) ask.instructions = json_string(instructions->text);

  s = read_reasoning(body, ask.chat);
  if (s) s = read_limits(body, ask);
  if (s) s = read_text_format(body, ask);
  if (const JsonValue* parallel = body.find("parallel_tool_calls"))
    ask.chat.answer.parallel = !parallel->is(JsonValue::Kind::kFalse);
  if (s) s = read_tool_choice(body, ask);
  if (!s) return tl::make_unexpected(s.error());
  if (const JsonValue* metadata = body.find("metadata")) {
    if (!metadata->is_object()) return refuse("metadata: expected an object", "metadata");
    ask.metadata = python_json(*metadata);
  }
  return ask;
}

}  // namespace hadal::serve::responses
