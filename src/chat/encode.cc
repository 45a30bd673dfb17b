#include "chat/encode.h"

#include <fmt/format.h>

#include "chat/python_json.h"
#include "chat/special_tokens.h"
#include "chat/turns.h"
#include "text/json_value.h"

namespace hadal {
namespace {

// One tool as a line of the tools block (A7).
Result<std::string> tool_line(const std::string& definition, Dialect dialect) {
  Result<JsonValue> parsed = parse_json(definition);
  if (!parsed) return problem(parsed.error().where, "not valid JSON: " + parsed.error().what);
  const JsonValue* function = parsed->find("function");
  if (function == nullptr) function = &*parsed;
  if (!function->is_object()) return problem("function", "expected an object");
  const JsonValue* name = function->find("name");
  if (name == nullptr || !name->is_string()) return problem("function.name", "expected a string");
  if (dialect == Dialect::kReference) return python_json(*function);

  const JsonValue* description = function->find("description");
  const JsonValue* parameters = function->find("parameters");
  return fmt::format("{{\"name\": {}, \"description\": {}, \"parameters\": {}}}", python_json(*name),
                     description == nullptr ? "\"\"" : python_json(*description),
                     parameters == nullptr ? "{}" : python_json(*parameters));
}

class Renderer {
 public:
  Renderer(const ChatRequest& request, const PromptTemplate& style, Dialect dialect,
           const Conversation& conversation)
      : thinking_(request.mode == Mode::kThinking),
        request_(request),
        style_(style),
        dialect_(dialect),
        conversation_(conversation) {}

  Result<std::vector<PromptItem>> render() {
    out_.special(special::kBos);
    if (thinking_) style_.write_effort(request_.effort, out_);
    for (int i = 0; i < size(); ++i) {
      if (const auto written = write_turn(i); !written) return tl::make_unexpected(written.error());
      const bool before_answer = i + 1 == size() || turn(i + 1).kind == TurnKind::kAssistant ||
                                 turn(i + 1).kind == TurnKind::kLatestReminder;
      if (before_answer) write_transition(i);
    }
    if (request_.forced_tool) {
      if (thinking_) return problem("forced_tool", "a forced tool call needs mode \"chat\"");
      if (!conversation_.any_tools) return problem("forced_tool", "a forced tool call needs tools");
      out_.text("\n\n");
      style_.write_open(style_.tags().block, out_);
      out_.text(">\n");
    }
    return out_.take();
  }

 private:
  using Status = tl::expected<void, Problem>;

  int size() const { return static_cast<int>(conversation_.turns.size()); }
  const Turn& turn(int i) const { return conversation_.turns[static_cast<size_t>(i)]; }

  Status write_turn(int i) {
    const Turn& t = turn(i);
    switch (t.kind) {
      case TurnKind::kSystem: {
        PromptWriter body;
        if (const Status s = write_instructions(t, body); !s) return s;
        if (!body.empty()) style_.write_system(body.take(), out_);
        return {};
      }
      case TurnKind::kDeveloper:
        out_.special(special::kUser);
        return write_instructions(t, out_);
      case TurnKind::kUser:
        out_.special(special::kUser);
        out_.text(t.text);
        return {};
      case TurnKind::kLatestReminder:
        out_.special(special::kLatestReminder);
        out_.text(t.text);
        return {};
      case TurnKind::kAssistant:
        write_assistant(i);
        return {};
    }
    return {};
  }

  // Text, tools and response format, an empty line between them. The published encoder writes that line even
  // after an empty text; the API does not (A4.3).
  Status write_instructions(const Turn& t, PromptWriter& out) {
    bool first = t.text.empty() && dialect_ == Dialect::kHosted;
    const auto separate = [&] {
      if (!first) out.text("\n\n");
      first = false;
    };
    out.text(t.text);
    if (!t.tools.empty()) {
      std::string lines;
      for (size_t k = 0; k < t.tools.size(); ++k) {
        const Result<std::string> line = tool_line(t.tools[k], dialect_);
        if (!line) return problem(fmt::format("tools[{}].{}", k, line.error().where), line.error().what);
        if (k > 0) lines.push_back('\n');
        lines.append(*line);
      }
      separate();
      style_.write_tools(lines, out);
    }
    for (size_t k = 0; k < t.formats.size(); ++k) {
      const Result<JsonValue> format = parse_json(t.formats[k]);
      if (!format) return problem("response_format", "not valid JSON: " + format.error().to_string());
      separate();
      style_.write_response_format(python_json(*format), out);
    }
    return {};
  }

  bool keeps_reasoning(int i) const {
    const bool after_task = i > 0 && !turn(i - 1).task.empty();
    return thinking_ && !after_task && (!conversation_.drop_reasoning || i > conversation_.last_user);
  }

  // Nobody handed over to this assistant turn: the conversation begins with it (A3.7).
  bool opens_conversation(int i) const {
    for (int k = 0; k < i; ++k)
      if (turn(k).kind != TurnKind::kSystem && turn(k).kind != TurnKind::kLatestReminder) return false;
    return true;
  }

  void write_assistant(int i) {
    const Turn& t = turn(i);
    const bool hosted = dialect_ == Dialect::kHosted;
    const bool reasoning = keeps_reasoning(i);
    if (hosted && opens_conversation(i)) {
      out_.special(special::kAssistant);
      out_.special(reasoning ? special::kThink : special::kEndThink);
    }
    if (reasoning) {
      out_.text(t.reasoning);
      // A continued turn that has only reasoning so far goes on reasoning (A12).
      if (hosted && t.continued && !t.reasoning.empty() && t.text.empty() && t.tool_calls.empty()) return;
      out_.special(special::kEndThink);
    }
    out_.text(t.text);
    if (!t.tool_calls.empty()) style_.write_calls(t.tool_calls, out_);
    if (!t.continued) out_.special(special::kEos);
  }

  void write_answer_prefix(bool think) {
    out_.special(special::kAssistant);
    out_.special(think ? special::kThink : special::kEndThink);
  }

  void write_transition(int i) {
    const Turn& t = turn(i);
    if (t.task == special::kActionTask) {
      write_answer_prefix(thinking_);
      out_.special(*special::task_literal(t.task));
    } else if (!t.task.empty()) {
      out_.special(special::task_literal(t.task).value_or(""));
    } else if (t.kind == TurnKind::kUser || t.kind == TurnKind::kDeveloper) {
      write_answer_prefix(thinking_ && (!conversation_.drop_reasoning || i >= conversation_.last_user));
    } else if (dialect_ == Dialect::kHosted && i + 1 == size() && t.kind != TurnKind::kAssistant) {
      write_answer_prefix(thinking_);  // no user turn at the end; the model is asked all the same (A3.9)
    }
  }

  const bool thinking_;
  const ChatRequest& request_;
  const PromptTemplate& style_;
  const Dialect dialect_;
  const Conversation& conversation_;
  PromptWriter out_;
};

}  // namespace

Result<std::vector<PromptItem>> encode_chat(const ChatRequest& request, const PromptTemplate& style,
                                            const EncodeOptions& options) {
  for (size_t i = 0; i < request.messages.size(); ++i) {
    const std::string& task = request.messages[i].task;
    if (!task.empty() && !special::task_literal(task))
      return problem(fmt::format("messages[{}].task", i), fmt::format("unknown task \"{}\"", task));
  }
  const Result<Conversation> conversation = make_conversation(request, style, options.dialect);
  if (!conversation) return tl::make_unexpected(conversation.error());
  return Renderer(request, style, options.dialect, *conversation).render();
}

}  // namespace hadal
