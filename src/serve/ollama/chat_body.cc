#include "serve/ollama/chat_body.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "chat/json_fields.h"
#include "chat/python_json.h"
#include "serve/openai/tools.h"

namespace hadal::serve::ollama {
namespace {

constexpr std::array<std::string_view, 4> kRoles = {"system", "user", "assistant", "tool"};

class Reader {
 public:
  explicit Reader(std::vector<Message>& out) : out_(out) {}

  Asked<void> add(const JsonValue& value, size_t index) {
    const Fields fields(value, fmt::format("messages[{}]", index));
    if (!value.is_object()) return refuse(fields.expected("", "an object").value());
    Message message;
    Result<void> s = fields.text("role", message.role);
    if (s && std::ranges::count(kRoles, message.role) == 0)
      s = fields.expected("role",
                          fmt::format("one of {}, found \"{}\"", fmt::join(kRoles, ", "), message.role));
    if (s) s = fields.text("content", message.content);
    if (s && message.role == "assistant") s = fields.text("thinking", message.reasoning_content);
    if (s && message.role == "assistant") s = read_calls(fields, message.tool_calls);
    if (!s) return refuse(s.error());
    if (const auto text = refuse_images(value, fields.where("")); !text) return text;
    if (message.role == "tool") {
      if (const auto found = find_call(fields, message.tool_call_id); !found) return found;
    } else {
      open_ = message.tool_calls;
    }
    out_.push_back(std::move(message));
    return {};
  }

 private:
  static Result<void> read_calls(const Fields& fields, std::vector<ToolCall>& out) {
    const JsonValue* calls = nullptr;
    if (const auto s = fields.array("tool_calls", calls); !s || calls == nullptr) return s;
    for (size_t i = 0; i < calls->items.size(); ++i) {
      const Fields call(calls->items[i], fields.where("tool_calls", i));
      if (!calls->items[i].is_object()) return call.expected("", "an object");
      ToolCall& read = out.emplace_back();
      const JsonValue* object = nullptr;
      Result<void> s = call.text("id", read.id);
      if (s) s = call.object("function", object);
      if (s && object == nullptr) s = call.expected("function", "an object");
      if (!s) return s;
      const Fields function(*object, call.where("function"));
      if (s = function.text("name", read.name); !s) return s;
      if (read.name.empty()) return function.expected("name", "the name of a tool");
      // Names of ours for calls without one; nothing that was answered here is called like this.
      if (read.id.empty()) read.id = fmt::format("{}#{}", call.where(""), i);
      const JsonValue* arguments = function.find("arguments");
      if (arguments == nullptr) continue;
      if (!arguments->is_object() && !arguments->is_string())
        return function.expected("arguments", "an object");
      read.arguments = arguments->is_string() ? arguments->text : python_json(*arguments);
    }
    return {};
  }

  // The call that a result answers: that of its id, else the first open one of its tool, else the first.
  Asked<void> find_call(const Fields& fields, std::string& id) {
    std::string given, name;
    Result<void> s = fields.text("tool_call_id", given);
    if (s) s = fields.text("name", name);
    if (s) s = fields.text("tool_name", name);
    if (!s) return refuse(s.error());
    auto call = std::ranges::find(open_, given, &ToolCall::id);
    if (call == open_.end()) call = std::ranges::find(open_, name, &ToolCall::name);
    if (call == open_.end()) call = open_.begin();
    if (call == open_.end())
      return refuse(
          fmt::format("{}: expected a tool call before it that it is the result of", fields.where("")),
          fields.where(""));
    id = call->id;
    open_.erase(call);
    return {};
  }

  std::vector<Message>& out_;
  std::vector<ToolCall> open_;  // calls of the last assistant message that have no result yet
};

Asked<void> read_tools(const JsonValue& body, ChatAsk& ask) {
  const Fields fields(body);
  const JsonValue* tools = nullptr;
  if (const auto s = fields.array("tools", tools); !s) return refuse(s.error());
  if (tools == nullptr) return {};
  for (size_t i = 0; i < tools->items.size(); ++i) {
    if (!tools->items[i].is_object()) return refuse(Problem{fields.where("tools", i), "expected an object"});
    ask.chat.tools.push_back(python_json(tools->items[i]));
  }
  return check_tools(body, ask);
}

}  // namespace

Asked<CommonAsk> read_chat_body(const BodyRules& rules, const JsonValue& body) {
  auto ask = read_common(rules, body);
  if (!ask) return ask;
  ChatRequest& chat = ask->chat.chat;
  const JsonValue* messages = nullptr;
  if (const auto s = Fields(body).array("messages", messages); !s) return refuse(s.error());
  Reader reader(chat.messages);
  for (size_t i = 0; messages != nullptr && i < messages->items.size(); ++i)
    if (const auto added = reader.add(messages->items[i], i); !added)
      return tl::make_unexpected(added.error());
  // A message of the assistant at the end is the beginning of the answer.
  if (!chat.messages.empty()) {
    Message& last = chat.messages.back();
    last.prefix = last.role == "assistant" && last.tool_calls.empty() &&
                  !(last.content.empty() && last.reasoning_content.empty());
  }
  if (const auto s = read_tools(body, ask->chat); !s) return tl::make_unexpected(s.error());
  return ask;
}

}  // namespace hadal::serve::ollama
