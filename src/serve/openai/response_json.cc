#include "serve/openai/response_json.h"

namespace hadal::serve::responses {
namespace {

// Always with a point, as the API writes its reals.
std::string real(float value) {
  std::string text = fmt::format("{}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void write_usage(JsonOut& json, const TokenUsage& usage) {
  json.begin('{').field("input_tokens", usage.prompt);
  json.key("input_tokens_details").begin('{').field("cached_tokens", usage.cached).end('}');
  json.field("output_tokens", usage.completion);
  json.key("output_tokens_details").begin('{').field("reasoning_tokens", usage.reasoning).end('}');
  json.field("total_tokens", usage.prompt + usage.completion).end('}');
}

}  // namespace

std::string_view status_name(Status status) {
  switch (status) {
    case Status::kInProgress:
      return "in_progress";
    case Status::kCompleted:
      return "completed";
    case Status::kIncomplete:
      return "incomplete";
    case Status::kFailed:
      return "failed";
  }
  return "failed";
}

void write_part(JsonOut& json, const Item& item, bool empty) {
  const bool reasoning = item.kind == Item::Kind::kReasoning;
  json.begin('{').field("type", reasoning ? "reasoning_text" : "output_text");
  json.field("text", empty ? std::string_view() : item.text);
  if (!reasoning) {
    json.key("annotations").begin('[').end(']');
    json.raw_field("logprobs", empty ? "[]" : "[" + item.logprobs + "]");
  }
  json.end('}');
}

void write_item(JsonOut& json, const Item& item, bool empty) {
  const std::string_view text = empty ? std::string_view() : item.text;
  json.begin('{');
  const auto begin = [&](const char* type) {
    json.field("type", type).field("id", item.id).field("status", status_name(item.status));
  };
  const auto content = [&] {
    json.key("content").begin('[');
    if (!empty) write_part(json, item);
    json.end(']');
  };
  const auto call = [&](const char* type, const char* field) {
    begin(type);
    json.field("call_id", item.call_id).field("name", item.tool.name);
    if (!item.tool.name_space.empty()) json.field("namespace", item.tool.name_space);
    json.field(field, text);
  };
  switch (item.kind) {
    case Item::Kind::kReasoning:
      begin("reasoning");
      content();
      json.key("summary").begin('[').end(']');
      if (!item.handle.empty()) json.field("encrypted_content", item.handle);
      break;
    case Item::Kind::kMessage:
      begin("message");
      json.field("role", "assistant");
      if (!item.phase.empty()) json.field("phase", item.phase);
      content();
      break;
    case Item::Kind::kFunction:
      call("function_call", "arguments");
      break;
    case Item::Kind::kCustom:
      call("custom_tool_call", "input");
      break;
  }
  json.end('}');
}

void write_response(JsonOut& json, const ResponseHead& head, const ResponseState& state) {
  const auto number = [&](const char* name, const std::optional<int64_t>& value) {
    value ? json.field(name, *value) : json.null_field(name);
  };
  json.begin('{').field("id", "resp_" + head.id).field("object", "response");
  json.field("created_at", head.created);
  number("completed_at", state.completed);
  json.field("status", status_name(state.status));
  if (state.status == Status::kFailed)
    json.key("error")
        .begin('{')
        .field("code", state.error_code)
        .field("message", state.error_message)
        .end('}');
  else
    json.null_field("error");
  if (state.status == Status::kIncomplete)
    json.key("incomplete_details").begin('{').field("reason", "max_output_tokens").end('}');
  else
    json.null_field("incomplete_details");
  json.raw_field("instructions", head.instructions);
  number("max_output_tokens", head.max_output_tokens);
  json.field("model", head.model).raw_field("output", "[" + state.output + "]");
  json.field("parallel_tool_calls", true).null_field("previous_response_id");
  json.key("reasoning").begin('{').field("effort", head.effort).null_field("summary").end('}');
  json.field("store", false);
  json.raw_field("temperature", real(head.temperature)).raw_field("top_p", real(head.top_p));
  json.key("text").begin('{').raw_field("format", head.text_format).end('}');
  json.raw_field("tool_choice", head.tool_choice).key("tools").begin('[').end(']');
  json.field("truncation", "disabled").raw_field("metadata", head.metadata);
  if (state.usage) {
    json.key("usage");
    write_usage(json, *state.usage);
  } else {
    json.null_field("usage");
  }
  json.end('}');
}

}  // namespace hadal::serve::responses
