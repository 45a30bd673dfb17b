// Any bytes as the body of POST /responses, as the arguments of a custom tool, and as what a model says:
// readers accept what can be shown to a model, and the events of an answer add up to it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "../text/small_tokenizer.h"
#include "chat/encode.h"
#include "chat/python_json.h"
#include "serve/openai/patch_input.h"
#include "serve/openai/response_body.h"
#include "serve/openai/response_writer.h"
#include "text/json_value.h"
#include "text/utf8.h"

namespace {

using namespace hadal;
using namespace hadal::serve;
using namespace hadal::serve::responses;

void require(bool condition) {
  if (!condition) std::abort();
}

const Tokenizer& tokenizer() {
  static const Tokenizer small = Tokenizer::parse(hadal::testing::small_tokenizer_json().dump(), "small");
  return small;
}

void check_error(const ApiError& error) {
  require(error.status >= 400 && error.status < 500 && !error.message.empty());
  const auto body = parse_json(error_body(ApiStyle::kOpenAi, error));
  require(body && body->find("error") != nullptr);
}

void check_conversation(const ResponseAsk& ask) {
  const std::vector<Message>& messages = ask.chat.chat.messages;
  require(!messages.empty());
  for (const auto& hidden : ask.hidden) {
    require(hidden.message < messages.size() && !hidden.handle.empty());
    require(messages[hidden.message].role == "assistant");
  }
  // Behind the calls come their results, one for each.
  for (size_t i = 0; i < messages.size(); ++i) {
    std::vector<std::string> wanted;
    for (const ToolCall& call : messages[i].tool_calls) {
      require(!call.id.empty() && !call.name.empty());
      wanted.push_back(call.id);
    }
    for (; !wanted.empty(); ++i) {
      require(i + 1 < messages.size() && messages[i + 1].role == "tool");
      require(std::erase(wanted, messages[i + 1].tool_call_id) == 1);
    }
  }
}

void check_body(ResponseAsk& ask) {
  require(!ask.chat.max_tokens || *ask.chat.max_tokens >= 1);
  check_conversation(ask);
  for (const std::string& tool : ask.tools.shown()) {
    const auto shown = parse_json(tool);
    require(shown && shown->find("name") != nullptr);
    const ToolName name = ask.tools.name_of(shown->find("name")->text);
    require(ask.tools.has(name) && ask.tools.name_of(ask.tools.prompt_name(name)) == name);
  }
  for (const std::string* json : {&ask.instructions, &ask.metadata, &ask.tool_choice})
    require(parse_json(*json).has_value());
  const ChatRules rules;
  if (const auto set = resolve_thinking(ask.chat, rules); !set) return check_error(set.error());
  require(settings_of(ask.chat, rules).has_value());
  const auto items = encode_chat(ask.chat.chat, prompt_template(PromptGeneration::kV4Official));
  if (items) parser_start(*items);
}

// The text of arguments does not depend on how they come.
std::string check_patch(std::string_view json) {
  PatchInput whole, pieces;
  std::string first = whole.push(json);
  first += whole.finish();
  std::string second;
  for (size_t at = 0; at < json.size();) {
    const size_t length = utf8_unit(json.substr(at)).length;
    second += pieces.push(json.substr(at, length));
    at += length;
  }
  second += pieces.finish();
  require(first == second);
  require(utf8_valid_prefix(first) == first.size());
  return first;
}

// Plays the text as an answer, line by line; the first letter says what a line is.
void say(std::string_view text, AnswerWriter& writer) {
  writer.started({1, 0, 0, 0});
  int calls = 0;
  bool in_call = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n', 1), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end);
    if (line[0] == 'p' || line[0] == 'f') {
      writer.call(0, calls++, line[0] == 'p' ? "apply_patch" : line.substr(1), "call");
      in_call = true;
    } else if (line[0] == 'r' || line[0] == 'c') {
      line[0] == 'r' ? writer.reasoning(0, line.substr(1)) : writer.content(0, line.substr(1));
      in_call = false;
    } else if (in_call) {
      writer.arguments(0, calls - 1, line);
    } else {
      writer.content(0, line);
    }
  }
  ChoiceEnd end;
  end.reason = calls % 2 == 1 ? FinishReason::kLength : FinishReason::kToolCalls;
  writer.finished(0, end);
  writer.ended({1, 0, 2, 1});
}

void check_answer(std::string_view text) {
  ResponseForm form;
  form.head.id = "0f";
  form.clock = [] { return int64_t{1}; };
  form.tools = *Tools::read(*parse_json(R"([{"type":"custom","name":"apply_patch"}])"));
  form.stream = true;
  const auto writer = make_response_writer(form, tokenizer());
  say(text, *writer);
  const std::string stream = writer->take();

  std::map<std::string, std::string> deltas;
  std::vector<std::string> items;
  int64_t sequence = 0;
  JsonValue response;
  for (size_t at = 0; at < stream.size();) {
    const size_t data = stream.find("data: ", at), end = stream.find("\n\n", at);
    require(end != std::string::npos && data < end);
    const auto event = parse_json(std::string_view(stream).substr(data + 6, end - data - 6));
    at = end + 2;
    require(event && event->find("sequence_number")->text == std::to_string(sequence++));
    const std::string& type = event->find("type")->text;
    const JsonValue* index = event->find("output_index");
    if (type.ends_with(".delta")) deltas[index->text] += event->find("delta")->text;
    if (type == "response.output_item.done") {
      const JsonValue& item = *event->find("item");
      const JsonValue* content = item.find("content");
      const JsonValue* said = content != nullptr              ? content->items[0].find("text")
                              : item.find("input") != nullptr ? item.find("input")
                                                              : item.find("arguments");
      require(said->text == deltas[index->text]);
      items.push_back(python_json(item));
    }
    if (const JsonValue* state = event->find("response")) {
      const bool over = state->find("status")->text != "in_progress";
      require(over == (at == stream.size()));
      response = *state;
    }
  }
  const std::vector<JsonValue>& output = response.find("output")->items;
  require(output.size() == items.size());
  for (size_t i = 0; i < items.size(); ++i) require(python_json(output[i]) == items[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const ModelNames names("hadal-mini", {});
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  if (const auto body = parse_json(text); body && body->is_object()) {
    if (auto ask = read_response_body(rules, *body))
      check_body(*ask);
    else
      check_error(ask.error());
  }
  if (utf8_valid_prefix(text) == text.size()) {
    check_patch(text);
    check_answer(text);
  }
  return 0;
}
