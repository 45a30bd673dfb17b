// chat_request_from_json: field by field, every problem with the path of the field.
#include <fmt/format.h>

#include <array>

#include "chat/json_value.h"
#include "chat/message.h"
#include "chat/python_json.h"
#include "chat/special_tokens.h"

namespace hadal {
namespace {

constexpr std::array<std::string_view, 6> kRoles = {"system", "user",      "assistant",
                                                    "tool",   "developer", "latest_reminder"};

using Status = tl::expected<void, Problem>;

std::string member(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

Status read_string(const JsonValue& object, const std::string& path, std::string_view key, std::string& out) {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) return problem(member(path, key), "expected a string");
  out = value->text;
  return {};
}

Status read_bool(const JsonValue& object, const std::string& path, std::string_view key, bool& out) {
  const JsonValue* value = object.find(key);
  if (value == nullptr) return {};
  if (!value->is_bool()) return problem(member(path, key), "expected true or false");
  out = value->is(JsonValue::Kind::kTrue);
  return {};
}

Status read_tools(const JsonValue& object, const std::string& path, std::vector<std::string>& out) {
  const JsonValue* value = object.find("tools");
  if (value == nullptr) return {};
  const std::string where = member(path, "tools");
  if (!value->is_array()) return problem(where, "expected an array of tools");
  for (size_t i = 0; i < value->items.size(); ++i) {
    if (!value->items[i].is_object()) return problem(fmt::format("{}[{}]", where, i), "expected an object");
    out.push_back(python_json(value->items[i]));
  }
  return {};
}

void read_response_format(const JsonValue& object, std::string& out) {
  if (const JsonValue* value = object.find("response_format")) out = python_json(*value);
}

// A string, or an array of parts whose texts are joined with an empty line (A3.1). A tool result says which
// parts it cannot show (A9); everywhere else such a part is a problem.
Status read_content(const JsonValue& object, const std::string& path, Message& message) {
  const JsonValue* value = object.find("content");
  if (value == nullptr) return {};
  const std::string where = member(path, "content");
  if (value->is_string()) {
    message.content = value->text;
    return {};
  }
  if (!value->is_array()) return problem(where, "expected a string or an array of parts");
  for (size_t i = 0; i < value->items.size(); ++i) {
    const std::string part_path = fmt::format("{}[{}]", where, i);
    const JsonValue& part = value->items[i];
    if (!part.is_object()) return problem(part_path, "expected an object");
    std::string type, text;
    if (const Status s = read_string(part, part_path, "type", type); !s) return s;
    if (type == "text") {
      if (const Status s = read_string(part, part_path, "text", text); !s) return s;
    } else if (message.role == "tool") {
      text = fmt::format("[Unsupported {}]", type);
    } else {
      return problem(member(part_path, "type"), fmt::format("expected \"text\", found \"{}\"", type));
    }
    if (i > 0) message.content.append("\n\n");
    message.content.append(text);
  }
  return {};
}

Status read_call(const JsonValue& value, const std::string& path, ToolCall& call) {
  if (!value.is_object()) return problem(path, "expected an object");
  if (const Status s = read_string(value, path, "id", call.id); !s) return s;
  const JsonValue* function = value.find("function");
  const std::string where = member(path, "function");
  if (function == nullptr || !function->is_object()) return problem(where, "expected an object");
  if (const Status s = read_string(*function, where, "name", call.name); !s) return s;
  if (call.name.empty()) return problem(member(where, "name"), "expected the name of the function");
  const JsonValue* arguments = function->find("arguments");
  if (arguments == nullptr) return {};
  if (!arguments->is_string() && !arguments->is_object())
    return problem(member(where, "arguments"), "expected a string of JSON or an object");
  call.arguments = arguments->is_string() ? arguments->text : python_json(*arguments);
  return {};
}

Status read_calls(const JsonValue& object, const std::string& path, std::vector<ToolCall>& out) {
  const JsonValue* value = object.find("tool_calls");
  if (value == nullptr) return {};
  const std::string where = member(path, "tool_calls");
  if (!value->is_array()) return problem(where, "expected an array");
  for (size_t i = 0; i < value->items.size(); ++i)
    if (const Status s = read_call(value->items[i], fmt::format("{}[{}]", where, i), out.emplace_back()); !s)
      return s;
  return {};
}

Status read_message(const JsonValue& value, const std::string& path, Message& message) {
  if (!value.is_object()) return problem(path, "expected an object");
  if (const Status s = read_string(value, path, "role", message.role); !s) return s;
  bool known = false;
  for (const std::string_view role : kRoles) known = known || role == message.role;
  if (!known)
    return problem(member(path, "role"),
                   fmt::format("expected one of {}, found \"{}\"", fmt::join(kRoles, ", "), message.role));
  if (const Status s = read_content(value, path, message); !s) return s;
  if (const Status s = read_string(value, path, "reasoning", message.reasoning_content); !s) return s;
  if (const Status s = read_string(value, path, "reasoning_content", message.reasoning_content); !s) return s;
  if (const Status s = read_calls(value, path, message.tool_calls); !s) return s;
  if (const Status s = read_string(value, path, "tool_call_id", message.tool_call_id); !s) return s;
  if (const Status s = read_string(value, path, "task", message.task); !s) return s;
  if (!message.task.empty() && !special::task_literal(message.task))
    return problem(member(path, "task"), fmt::format("unknown task \"{}\"", message.task));
  if (const Status s = read_bool(value, path, "wo_eos", message.prefix); !s)
    return s;  // the published encoder's name
  if (const Status s = read_bool(value, path, "prefix", message.prefix); !s) return s;
  if (const Status s = read_tools(value, path, message.tools); !s) return s;
  read_response_format(value, message.response_format);
  return {};
}

Status read_messages(const JsonValue& value, std::vector<Message>& out) {
  if (!value.is_array()) return problem("messages", "expected an array of messages");
  for (size_t i = 0; i < value.items.size(); ++i)
    if (const Status s = read_message(value.items[i], fmt::format("messages[{}]", i), out.emplace_back()); !s)
      return s;
  return {};
}

Status read_mode_and_effort(const JsonValue& root, EffortMap map, ChatRequest& request) {
  std::string mode = "thinking", effort;
  if (const Status s = read_string(root, "", "mode", mode); !s) return s;
  if (mode != "chat" && mode != "thinking")
    return problem("mode", fmt::format("expected \"chat\" or \"thinking\", found \"{}\"", mode));
  request.mode = mode == "chat" ? Mode::kChat : Mode::kThinking;
  if (const Status s = read_string(root, "", "reasoning_effort", effort); !s) return s;
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
  const JsonValue& root = *parsed;
  ChatRequest request;
  Status s;
  if (root.is_array()) {
    s = read_messages(root, request.messages);
    if (!s) return tl::make_unexpected(s.error());
    return request;
  }
  if (!root.is_object()) return problem("", "expected an object with \"messages\", or an array of messages");
  const JsonValue* messages = root.find("messages");
  if (messages == nullptr) return problem("messages", "expected an array of messages, found nothing");
  s = read_messages(*messages, request.messages);
  if (s) s = read_tools(root, "", request.tools);
  if (s) s = read_mode_and_effort(root, map, request);
  if (s) s = read_bool(root, "", "drop_thinking", request.drop_thinking);
  if (s) s = read_bool(root, "", "continue_last", request.continue_last);
  if (s) s = read_bool(root, "", "forced_tool", request.forced_tool);
  if (!s) return tl::make_unexpected(s.error());
  read_response_format(root, request.response_format);
  return request;
}

}  // namespace hadal
