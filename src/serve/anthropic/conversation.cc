#include "serve/anthropic/conversation.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "chat/python_json.h"
#include "serve/anthropic/blocks.h"

namespace hadal::serve::anthropic {
namespace {

constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";

void cut_billing_header(std::string& text) {
  while (text.starts_with(kBillingHeader)) {
    const size_t line_end = text.find('\n');
    text.erase(0, line_end == std::string::npos ? line_end : text.find_first_not_of("\r\n", line_end));
  }
}

Message make_message(std::string role, std::string content = {}) {
  Message message;
  message.role = std::move(role);
  message.content = std::move(content);
  return message;
}

void join(std::string& text, std::string_view more, bool first) {
  if (!first) text += "\n\n";
  text += more;
}

tl::unexpected<ApiError> misplaced(const Block& block, std::string_view role) {
  return refuse_at(block.where, fmt::format("`{}` blocks can only be in `{}` messages", block.type, role));
}

class Reader {
 public:
  explicit Reader(bool strict_tools) : strict_(strict_tools) {}

  Asked<Conversation> read(const JsonValue& messages) {
    for (size_t i = 0; i < messages.items.size(); ++i)
      if (const auto added = add(messages.items[i], fmt::format("messages.{}", i)); !added)
        return tl::make_unexpected(added.error());
    if (const auto closed = close_calls(); !closed) return tl::make_unexpected(closed.error());
    continue_last();
    return std::move(out_);
  }

 private:
  Asked<void> add(const JsonValue& message, const std::string& where) {
    if (!message.is_object()) return refuse_at(where, "expected an object");
    const JsonValue* role = message.find("role");
    const JsonValue* content = message.find("content");
    if (role == nullptr || !role->is_string()) return refuse_at(where + ".role", "expected a string");
    const bool assistant = role->text == "assistant", system = role->text == "system";
    // Claude Code sends what it says itself under these names.
    if (!assistant && !system && role->text != "user" && role->text != "ctx" && role->text != "msg")
      return refuse_at(where + ".role",
                       fmt::format("expected user, assistant or system, found \"{}\"", role->text));
    if (content == nullptr || (!content->is_string() && !content->is_array()))
      return refuse_at(where + ".content", "expected a string or an array of content blocks");
    if (system) {
      const auto text = read_text(*content, where + ".content");
      if (!text) return tl::make_unexpected(text.error());
      out_.messages.push_back(
          make_message("user", fmt::format("<system-reminder>\n{}\n</system-reminder>", *text)));
      return {};
    }
    if (assistant)
      if (const auto closed = close_calls(); !closed) return closed;
    if (content->is_string()) {
      out_.messages.push_back(make_message(assistant ? "assistant" : "user", content->text));
      return {};
    }
    return assistant ? add_assistant(*content, where) : add_user(*content, where);
  }

  // Texts and results in their order; together they become one turn.
  Asked<void> add_user(const JsonValue& content, const std::string& where) {
    if (content.items.empty()) out_.messages.push_back(make_message("user"));
    for (size_t i = 0; i < content.items.size(); ++i) {
      const auto block = read_block(content.items[i], fmt::format("{}.content.{}", where, i));
      if (!block) return tl::make_unexpected(block.error());
      if (block->type == "tool_use" || block->type == "thinking" || block->type == "redacted_thinking")
        return misplaced(*block, "assistant");
      if (block->type == "tool_result") {
        if (const auto added = add_result(*block); !added) return added;
        continue;
      }
      const auto text = text_of(*block);
      if (!text) return tl::make_unexpected(text.error());
      out_.messages.push_back(make_message("user", *text));
    }
    return {};
  }

  Asked<void> add_result(const Block& block) {
    const JsonValue* id = block.value->find("tool_use_id");
    if (id == nullptr || !id->is_string())
      return refuse_at(block.where + ".tool_use_id", "expected a string");
    const auto call = calls_.find(id->text);
    if (call == calls_.end())
      return refuse(
          fmt::format("unexpected `{}: tool_use_id` found in `tool_result` blocks: {}. Each `tool_result` "
                      "block must have a corresponding `tool_use` block in the previous message.",
                      block.where, id->text),
          block.where);
    if (std::exchange(call->second, true))
      return refuse_at(block.where, fmt::format("each `tool_use` must have a single result. Found multiple "
                                                "`tool_result` blocks with id: {}",
                                                id->text));
    Message result = make_message("tool");
    result.tool_call_id = id->text;
    if (const JsonValue* content = block.value->find("content")) {
      auto text = read_text(*content, block.where + ".content");
      if (!text) return tl::make_unexpected(text.error());
      result.content = std::move(*text);
    }
    out_.messages.push_back(std::move(result));
    return {};
  }

  Asked<void> add_assistant(const JsonValue& content, const std::string& where) {
    Message message = make_message("assistant");
    std::string signature;
    bool first_text = true;
    for (size_t i = 0; i < content.items.size(); ++i) {
      const auto block = read_block(content.items[i], fmt::format("{}.content.{}", where, i));
      if (!block) return tl::make_unexpected(block.error());
      const std::string& type = block->type;
      if (type == "tool_result") return misplaced(*block, "user");
      // What nobody but its author can read, and what its server did by itself.
      if (type == "redacted_thinking" || type == "server_tool_use" || type == "web_search_tool_result")
        continue;
      Asked<void> added;
      if (type == "thinking") {
        added = add_thinking(*block, message, signature);
      } else if (type == "tool_use") {
        added = add_call(*block, message);
      } else if (const auto text = text_of(*block)) {
        join(message.content, *text, std::exchange(first_text, false));
      } else {
        return tl::make_unexpected(text.error());
      }
      if (!added) return added;
    }
    if (message.reasoning_content.empty() && !signature.empty())
      out_.hidden.push_back({out_.messages.size(), std::move(signature)});
    calls_at_ = out_.messages.size();
    calls_where_ = where;
    out_.messages.push_back(std::move(message));
    return {};
  }

  static Asked<void> add_thinking(const Block& block, Message& message, std::string& signature) {
    std::string text, name;
    Result<void> s = block.fields().text("thinking", text);
    if (s) s = block.fields().text("signature", name);
    if (!s) return refuse(s.error());
    if (!text.empty()) join(message.reasoning_content, text, message.reasoning_content.empty());
    if (text.empty() && signature.empty()) signature = std::move(name);
    return {};
  }

  Asked<void> add_call(const Block& block, Message& message) {
    ToolCall call;
    const JsonValue* input = nullptr;
    Result<void> s = block.fields().text("id", call.id);
    if (s) s = block.fields().text("name", call.name);
    if (s) s = block.fields().object("input", input);
    if (s && call.id.empty()) s = block.fields().expected("id", "a string that is not empty");
    if (s && call.name.empty()) s = block.fields().expected("name", "the name of a tool");
    if (!s) return refuse(s.error());
    call.arguments = input == nullptr ? "{}" : python_json(*input);
    if (!calls_.emplace(call.id, false).second)
      return refuse_at(block.where, fmt::format("`tool_use` ids must be unique, found another {}", call.id));
    message.tool_calls.push_back(std::move(call));
    return {};
  }

  // No more results can come for the calls of the last assistant message.
  Asked<void> close_calls() {
    std::vector<Message> missing;
    std::string ids;
    if (!calls_.empty())
      for (const ToolCall& call : out_.messages[calls_at_].tool_calls) {
        if (calls_.at(call.id)) continue;
        missing.push_back(make_message("tool"));
        missing.back().tool_call_id = call.id;
        join_id(ids, call.id);
      }
    calls_.clear();
    if (missing.empty()) return {};
    if (strict_)
      return refuse(fmt::format("{}: `tool_use` ids were found without `tool_result` blocks immediately "
                                "after: {}. Each `tool_use` block must have a corresponding `tool_result` "
                                "block in the next message.",
                                calls_where_, ids),
                    calls_where_);
    // Before everything else that was said after the calls; among results the prompt has their order anyway.
    out_.messages.insert(out_.messages.begin() + static_cast<std::ptrdiff_t>(calls_at_) + 1, missing.begin(),
                         missing.end());
    return {};
  }
  static void join_id(std::string& ids, const std::string& id) {
    if (!ids.empty()) ids += ", ";
    ids += id;
  }

  // The beginning of the answer, which the model goes on with. One that says nothing is none.
  void continue_last() {
    if (out_.messages.empty() || out_.messages.back().role != "assistant") return;
    Message& last = out_.messages.back();
    const bool hidden = !out_.hidden.empty() && out_.hidden.back().message + 1 == out_.messages.size();
    if (last.content.empty() && last.reasoning_content.empty()) {
      if (hidden) out_.hidden.pop_back();
      out_.messages.pop_back();
    } else {
      last.prefix = true;
    }
  }

  const bool strict_;
  Conversation out_;
  std::map<std::string, bool> calls_;  // of the last assistant message: id, and whether its result has come
  size_t calls_at_ = 0;                // that message in out_
  std::string calls_where_;            // and in the body
};

}  // namespace

Asked<Conversation> read_conversation(const JsonValue& messages, bool strict_tools) {
  if (!messages.is_array()) return refuse_at("messages", "expected an array of messages");
  if (messages.items.empty()) return refuse("messages: at least one message is required", "messages");
  return Reader(strict_tools).read(messages);
}

Asked<std::string> read_system(const JsonValue& system) {
  if (system.is_string()) {
    std::string text = system.text;
    cut_billing_header(text);
    return text;
  }
  if (!system.is_array()) return refuse_at("system", "expected a string or an array of text blocks");
  std::string joined;
  bool first = true;
  for (size_t i = 0; i < system.items.size(); ++i) {
    const auto block = read_block(system.items[i], fmt::format("system.{}", i));
    if (!block) return tl::make_unexpected(block.error());
    auto text = text_of(*block);
    if (!text) return text;
    const size_t size = text->size();
    cut_billing_header(*text);
    if (text->empty() && size > 0) continue;  // it was nothing but that
    join(joined, *text, std::exchange(first, false));
  }
  return joined;
}

}  // namespace hadal::serve::anthropic
