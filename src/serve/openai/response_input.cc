#include "serve/openai/response_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "chat/json_fields.h"
#include "chat/python_json.h"

namespace hadal::serve::responses {
namespace {

Message make_message(std::string role, std::string content = {}) {
  Message message;
  message.role = std::move(role);
  message.content = std::move(content);
  return message;
}

void join(std::string& text, std::string_view separator, std::string_view more) {
  if (!text.empty() && !more.empty()) text += separator;
  text += more;
}

// A string or parts of text. Of a tool's result (`any`) the model is told what it cannot see; elsewhere that
// is the client's mistake.
Asked<std::string> read_content(const Fields& item, std::string_view key, bool any) {
  const JsonValue* value = item.find(key);
  if (value == nullptr) return std::string();
  if (value->is_string()) return value->text;
  if (!value->is_array()) return refuse(item.expected(key, "a string or an array of parts").value());
  std::string joined;
  for (size_t i = 0; i < value->items.size(); ++i) {
    const Fields part(value->items[i], item.where(key, i));
    std::string type, text;
    if (!value->items[i].is_object()) return refuse(part.expected("", "an object").value());
    if (const auto s = part.text("type", type); !s) return refuse(s.error());
    Result<void> s;
    if (type == "input_text" || type == "output_text" || type == "text") {
      s = part.text("text", text);
    } else if (type == "refusal") {
      s = part.text("refusal", text);
    } else if (any) {
      text = fmt::format("[Unsupported {}]", type);
    } else {
      for (const std::string_view kind : {"image", "audio", "file", "video"})
        if (type.find(kind) != std::string::npos)
          return refuse(fmt::format("This model does not support {}", kind), "input");
      s = part.expected("type", fmt::format("input_text or output_text, found \"{}\"", type));
    }
    if (!s) return refuse(s.error());
    if (i > 0) joined += "\n\n";
    joined += text;
  }
  return joined;
}

class Reader {
 public:
  explicit Reader(const Tools& tools) : tools_(tools) {}

  void add_instructions(const std::string& text) { out_.messages.push_back(make_message("system", text)); }

  void add_user(const std::string& text) { out_.messages.push_back(make_message("user", text)); }

  Asked<void> add_item(const JsonValue& value, size_t index) {
    where_ = fmt::format("input[{}]", index);
    if (!value.is_object()) return refuse(where_ + ": expected an object", "input");
    const Fields item(value, where_);
    std::string type;
    if (const auto s = item.text("type", type); !s) return refuse(s.error());
    if (type.empty() && item.has("role")) type = "message";
    if (type.empty()) return refuse(where_ + ": expected a type or a role", "input");
    if (type == "message") return add_message(item);
    if (type == "reasoning") return add_reasoning(item);
    if (type == "function_call") return add_call(item, false);
    if (type == "custom_tool_call") return add_call(item, true);
    if (type == "function_call_output" || type == "custom_tool_call_output") return add_output(item);
    if (type == "item_reference")  // what it stands for is not here, and the answer would make no sense
      return refuse(where_ + ": item_reference is not supported; replay full input instead", "input");
    return {};
  }

  Asked<Conversation> finish() {
    if (const auto ended = end_assistant(); !ended) return tl::make_unexpected(ended.error());
    if (out_.messages.empty()) return refuse("input: expected at least one message", "input");
    return std::move(out_);
  }

 private:
  Asked<void> add_message(const Fields& item) {
    std::string role;
    if (const auto s = item.text("role", role); !s) return refuse(s.error());
    if (role != "user" && role != "assistant" && role != "system" && role != "developer")
      return refuse(
          item.expected("role", fmt::format("user, assistant, system or developer, found \"{}\"", role))
              .value());
    auto content = read_content(item, "content", false);
    if (!content) return tl::make_unexpected(content.error());
    if (role == "assistant") {
      if (const auto turn = begin_assistant(true); !turn) return turn;
      join(out_.messages.back().content, "\n\n", *content);
      return {};
    }
    if (const auto ended = end_assistant(); !ended) return ended;
    // What is said before anybody else spoke are instructions.
    leading_ = leading_ && role != "user";
    out_.messages.push_back(make_message(leading_ ? "system" : "user", std::move(*content)));
    return {};
  }

  Asked<void> add_reasoning(const Fields& item) {
    const JsonValue* content = nullptr;
    std::string texts, handle;
    Result<void> s = item.array("content", content);
    if (s) s = item.text("encrypted_content", handle);
    for (size_t i = 0; s && content != nullptr && i < content->items.size(); ++i) {
      const Fields part(content->items[i], item.where("content", i));
      std::string text;
      s = content->items[i].is_object() ? part.text("text", text) : part.expected("", "an object");
      join(texts, "\n", text);
    }
    if (!s) return refuse(s.error());
    if (const auto turn = begin_assistant(false); !turn) return turn;
    std::string& reasoning = out_.messages.back().reasoning_content;
    const bool had_none = reasoning.empty();
    join(reasoning, "\n", texts);
    if (texts.empty() && had_none && !handle.empty())
      out_.hidden.push_back({out_.messages.size() - 1, std::move(handle)});
    return {};
  }

  Asked<std::string> call_id(const Fields& item) {
    std::string id;
    if (const auto s = item.text("call_id", id); !s) return refuse(s.error());
    if (id.empty())
      return refuse(
          fmt::format("Invalid '{}.call_id': empty string. Expected a string with minimum length 1, "
                      "but got an empty string instead.",
                      where_),
          "input");
    return id;
  }

  Asked<void> add_call(const Fields& item, bool custom) {
    auto id = call_id(item);
    if (!id) return tl::make_unexpected(id.error());
    ToolName name;
    name.custom = custom;
    std::string input;
    Result<void> s = item.text("name", name.name);
    if (s && name.name.empty()) s = item.expected("name", "the name of a tool");
    if (s) s = item.text("namespace", name.name_space);
    ToolCall call{*id, {}, {}};
    if (s && custom) {
      s = item.text("input", input);
      call.arguments = custom_arguments(input);
    } else if (const JsonValue* arguments = s ? item.find("arguments") : nullptr) {
      if (arguments->is_object())
        call.arguments = python_json(*arguments);
      else
        s = item.text("arguments", call.arguments);
    }
    if (!s) return refuse(s.error());
    call.name = tools_.prompt_name(name);

    if (const auto turn = begin_assistant(false); !turn) return turn;
    if (!called_.insert(*id).second) return refuse(fmt::format("Duplicate 'call_id': {}.", *id), "input");
    out_.messages.back().tool_calls.push_back(std::move(call));
    return {};
  }

  Asked<void> add_output(const Fields& item) {
    const auto id = call_id(item);
    if (!id) return tl::make_unexpected(id.error());
    auto output = read_content(item, "output", true);
    if (!output) return tl::make_unexpected(output.error());
    if (!called_.contains(*id))
      return refuse(fmt::format("No tool call found for tool output with call_id {}.", *id), "input");
    if (!answered_.insert(*id).second) return refuse(fmt::format("Duplicate 'call_id': {}.", *id), "input");
    results_.push_back(make_message("tool", std::move(*output)));
    results_.back().tool_call_id = *id;
    return {};
  }

  // What the assistant says goes on with the turn under way, until that has results. Only reasoning may stand
  // between calls.
  Asked<void> begin_assistant(bool message) {
    if (!answered_.empty() || (message && !called_.empty()))
      if (const auto ended = end_assistant(); !ended) return ended;
    open_assistant();
    return {};
  }

  Asked<void> end_assistant() {
    if (!std::exchange(open_, false)) return {};
    for (const ToolCall& call : out_.messages.back().tool_calls)
      if (!answered_.contains(call.id))
        return refuse(fmt::format("No tool output found for tool call {}.", call.id), "input");
    std::ranges::move(results_, std::back_inserter(out_.messages));
    results_.clear();
    called_.clear();
    answered_.clear();
    return {};
  }

  void open_assistant() {
    leading_ = false;
    if (std::exchange(open_, true)) return;
    out_.messages.push_back(make_message("assistant"));
  }

  const Tools& tools_;
  Conversation out_;
  std::string where_;
  bool leading_ = true;                      // nobody has spoken yet
  bool open_ = false;                        // the last message is the assistant's and may grow
  std::set<std::string> called_, answered_;  // ids of its calls
  std::vector<Message> results_;
};

}  // namespace

Asked<Conversation> read_input(const JsonValue* instructions, const JsonValue* input, const Tools& tools) {
  Reader reader(tools);
  if (instructions == nullptr && input == nullptr)
    return refuse("Either input or instructions must be provided", "input");
  if (instructions != nullptr) {
    if (!instructions->is_string()) return refuse("instructions: expected a string", "instructions");
    if (!instructions->text.empty() || input == nullptr) reader.add_instructions(instructions->text);
  }
  if (input == nullptr) return reader.finish();
  if (input->is_string()) {
    reader.add_user(input->text);
    return reader.finish();
  }
  if (!input->is_array()) return refuse("input: expected a string or an array of items", "input");
  if (input->items.empty()) return refuse("Input items array must not be empty", "input");
  for (size_t i = 0; i < input->items.size(); ++i)
    if (const auto added = reader.add_item(input->items[i], i); !added)
      return tl::make_unexpected(added.error());
  return reader.finish();
}

}  // namespace hadal::serve::responses
