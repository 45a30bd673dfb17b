// chat_request_from_json: field by field, every problem with the path of the field.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "chat/json_fields.h"
#include "chat/message.h"
#include "chat/python_json.h"
#include "chat/special_tokens.h"

namespace hadal {
namespace {

constexpr std::array<std::string_view, 6> kRoles = {"system", "user",      "assistant",
                                                    "tool",   "developer", "latest_reminder"};

Result<void> read_tools(const Fields& fields, std::vector<std::string>& out) {
  const JsonValue* tools = nullptr;
  if (const auto s = fields.array("tools", tools); !s) return fields.expected("tools", "an array of tools");
  if (tools == nullptr) return {};
  for (size_t i = 0; i < tools->items.size(); ++i) {
    if (!tools->items[i].is_object()) return problem(fields.where("tools", i), "expected an object");
    out.push_back(python_json(tools->items[i]));
  }
  return {};
}

void read_response_format(const Fields& fields, std::string& out) {
  if (const JsonValue* value = fields.find("response_format")) out = python_json(*value);
}

// A string, or an array of parts whose texts are joined with an empty line (A3.1). A tool result says which
// parts it cannot show (A9); everywhere else such a part is a problem.
Result<void> read_content(const Fields& fields, Message& message) {
  const JsonValue* value = fields.find("content");
  if (value == nullptr) return {};
  if (value->is_string()) {
    message.content = value->text;
    return {};
  }
  if (!value->is_array()) return fields.expected("content", "a string or an array of parts");
  for (size_t i = 0; i < value->items.size(); ++i) {
    const Fields part(value->items[i], fields.where("content", i));
    if (!value->items[i].is_object()) return part.expected("", "an object");
    std::string type, text;
    if (const auto s = part.text("type", type); !s) return s;
    if (type == "text") {
      if (const auto s = part.text("text", text); !s) return s;
    } else if (message.role == "tool") {
      text = fmt::format("[Unsupported {}]", type);
    } else {
      return part.expected("type", fmt::format("\"text\", found \"{}\"", type));
    }
    if (i > 0) message.content.append("\n\n");
    message.content.append(text);
  }
  return {};
}

Result<void> read_call(const JsonValue& value, const std::string& path, ToolCall& call) {
  const Fields fields(value, path);
  if (!value.is_object()) return fields.expected("", "an object");
  if (const auto s = fields.text("id", call.id); !s) return s;
  const JsonValue* object = fields.find("function");
  if (object == nullptr || !object->is_object()) return fields.expected("function", "an object");
  const Fields function(*object, fields.where("function"));
  if (const auto s = function.text("name", call.name); !s) return s;
  if (call.name.empty()) return function.expected("name", "the name of the function");
  const JsonValue* arguments = function.find("arguments");
  if (arguments == nullptr) return {};
  if (!arguments->is_string() && !arguments->is_object())
    return function.expected("arguments", "a string of JSON or an object");
  call.arguments = arguments->is_string() ? arguments->text : python_json(*arguments);
  return {};
}

Result<void> read_calls(const Fields& fields, std::vector<ToolCall>& out) {
  const JsonValue* calls = nullptr;
  if (const auto s = fields.array("tool_calls", calls); !s) return s;
  if (calls == nullptr) return {};
  for (size_t i = 0; i < calls->items.size(); ++i)
    if (const auto s = read_call(calls->items[i], fields.where("tool_calls", i), out.emplace_back()); !s)
      return s;
  return {};
}

Result<void> read_message(const JsonValue& value, const std::string& path, Message& message) {
  const Fields fields(value, path);
  if (!value.is_object()) return fields.expected("", "an object");
  if (const auto s = fields.text("role", message.role); !s) return s;
  if (std::ranges::count(kRoles, message.role) == 0)
    return fields.expected("role",
                           fmt::format("one of {}, found \"{}\"", fmt::join(kRoles, ", "), message.role));
  Result<void> s = read_content(fields, message);
  if (s) s = fields.text("reasoning", message.reasoning_content);
  if (s) s = fields.text("reasoning_content", message.reasoning_content);
  if (s) s = read_calls(fields, message.tool_calls);
  if (s) s = fields.text("tool_call_id", message.tool_call_id);
  if (s) s = fields.text("task", message.task);
  if (s && !message.task.empty() && !special::task_literal(message.task))
    s = problem(fields.where("task"), fmt::format("unknown task \"{}\"", message.task));
  if (s) s = fields.boolean("wo_eos", message.prefix);  // the published encoder's name
  if (s) s = fields.boolean("prefix", message.prefix);
  if (s) s = read_tools(fields, message.tools);
  read_response_format(fields, message.response_format);
  return s;
}

Result<void> read_messages(const JsonValue& value, std::vector<Message>& out) {
  if (!value.is_array()) return problem("messages", "expected an array of messages");
  for (size_t i = 0; i < value.items.size(); ++i)
    if (const auto s = read_message(value.items[i], fmt::format("messages[{}]", i), out.emplace_back()); !s)
      return s;
  return {};
}

Result<void> read_mode_and_effort(const Fields& fields, EffortMap map, ChatRequest& request) {
  std::string mode = "thinking", effort;
  if (const auto s = fields.text("mode", mode); !s) return s;
  if (mode != "chat" && mode != "thinking")
    return problem("mode", fmt::format("expected \"chat\" or \"thinking\", found \"{}\"", mode));
  request.mode = mode == "chat" ? Mode::kChat : Mode::kThinking;
  if (const auto s = fields.text("reasoning_effort", effort); !s) return s;
  if (effort.empty()) return {};
  const auto level = effort_from_name(effort, map);
  if (!level)
    return problem(
        "reasoning_effort",
        fmt::format("expected none, minimal, low, medium, high, xhigh, ultra or max, found \"{}\"", effort));
  request.effort = *level;
  return {};
}

}  // namespace

std::optional<Effort> effort_from_name(std::string_view name, EffortMap map) {
  const bool preview = map == EffortMap::kPreview;
  if (name == "none") return Effort::kNone;
  if (name == "minimal" || name == "low") return preview ? Effort::kHigh : Effort::kLow;
  if (name == "medium" || name == "high") return Effort::kHigh;
  if (name == "xhigh") return preview ? Effort::kMax : Effort::kHigh;
  if (name == "ultra" || name == "max") return Effort::kMax;
  return std::nullopt;
}

Result<ChatRequest> chat_request_from_json(std::string_view json, EffortMap map) {
  const Result<JsonValue> parsed = parse_json(json);
  if (!parsed) return tl::make_unexpected(parsed.error());
  return chat_request_from_value(*parsed, map);
}

Result<ChatRequest> chat_request_from_value(const JsonValue& root, EffortMap map) {
  const Fields fields(root);
  ChatRequest request;
  Result<void> s;
  if (root.is_array()) {
    s = read_messages(root, request.messages);
    if (!s) return tl::make_unexpected(s.error());
    return request;
  }
  if (!root.is_object()) return problem("", "expected an object with \"messages\", or an array of messages");
  const JsonValue* messages = root.find("messages");
  if (messages == nullptr) return problem("messages", "expected an array of messages, found nothing");
  s = read_messages(*messages, request.messages);
  if (s) s = read_tools(fields, request.tools);
  if (s) s = read_mode_and_effort(fields, map, request);
  if (s) s = fields.boolean("drop_thinking", request.drop_thinking);
  if (s) s = fields.boolean("continue_last", request.continue_last);
  if (s) s = fields.boolean("forced_tool", request.forced_tool);
  if (!s) return tl::make_unexpected(s.error());
  read_response_format(fields, request.response_format);
  return request;
}

}  // namespace hadal
