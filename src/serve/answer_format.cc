#include "serve/answer_format.h"

#include <fmt/format.h>

#include <utility>

#include "chat/python_json.h"
#include "serve/strict_schema.h"

namespace hadal::serve {
namespace {

using Content = AnswerRules::Content;

// One request, one form.
Asked<void> claim(Content content, const std::string& field, ChatAsk& ask) {
  if (ask.answer.content != Content::kText)
    return refuse(fmt::format("{}: {} says already what the answer must be", field, ask.format_field), field);
  ask.answer.content = content;
  ask.format_field = field;
  return {};
}

bool is_schema(const JsonValue& value) {
  return value.is_object() || value.is_bool();
}

Asked<void> read_guided_json(const JsonValue& value, const std::string& field, ChatAsk& ask) {
  JsonValue schema = value;
  if (value.is_string()) {
    auto parsed = parse_json(value.text);
    if (!parsed)
      return refuse(fmt::format("{}: not valid JSON: {}", field, parsed.error().to_string()), field);
    schema = std::move(*parsed);
  }
  if (!is_schema(schema)) return refuse(field + ": expected a JSON schema", field);
  if (const auto s = claim(Content::kJson, field, ask); !s) return s;
  ask.answer.schema = std::move(schema);
  return {};
}

Asked<void> read_guided_text(const JsonValue& value, Content content, const std::string& field,
                             ChatAsk& ask) {
  if (!value.is_string()) return refuse(field + ": expected a string", field);
  if (const auto s = claim(content, field, ask); !s) return s;
  ask.answer.pattern = value.text;
  return {};
}

Asked<void> read_guided_choice(const JsonValue& value, const std::string& field, ChatAsk& ask) {
  if (!value.is_array() || value.items.empty()) return refuse(field + ": expected an array of texts", field);
  if (const auto s = claim(Content::kChoice, field, ask); !s) return s;
  for (const JsonValue& item : value.items) {
    if (!item.is_string() && !item.is(JsonValue::Kind::kNumber))
      return refuse(field + ": expected an array of texts", field);
    ask.answer.choices.push_back(item.text);
  }
  return {};
}

// The fields of `object`, whose names have `prefix` before them.
Asked<void> read_guided_fields(const JsonValue& object, std::string_view prefix, const std::string& where,
                               ChatAsk& ask) {
  const auto field = [&](std::string_view name) { return fmt::format("{}{}{}", where, prefix, name); };
  const auto find = [&](std::string_view name) { return object.find(fmt::format("{}{}", prefix, name)); };
  Asked<void> s;
  if (const JsonValue* value = find("json")) s = read_guided_json(*value, field("json"), ask);
  if (const JsonValue* value = find("regex"); s && value != nullptr)
    s = read_guided_text(*value, Content::kRegex, field("regex"), ask);
  if (const JsonValue* value = find("choice"); s && value != nullptr)
    s = read_guided_choice(*value, field("choice"), ask);
  if (const JsonValue* value = find("grammar"); s && value != nullptr)
    s = read_guided_text(*value, Content::kGrammar, field("grammar"), ask);
  if (const JsonValue* value = find("json_object");
      s && value != nullptr && value->is(JsonValue::Kind::kTrue)) {
    s = claim(Content::kJson, field("json_object"), ask);
    ask.answer.schema = object_schema();
  }
  if (find("structural_tag") != nullptr && s)
    s = refuse(field("structural_tag") + " is not supported by this server", field("structural_tag"));
  return s;
}

}  // namespace

void ask_for_schema(const JsonValue& schema, const std::string& field, ChatAsk& ask) {
  ask.answer.content = Content::kJson;
  ask.answer.schema = schema;
  ask.format_field = field;
  ask.chat.response_format = python_json(schema);
}

void ask_for_object(const std::string& field, ChatAsk& ask) {
  ask_for_schema(object_schema(), field, ask);
  ask.chat.response_format = R"({"type": "json_object"})";
}

Asked<void> read_format(const JsonValue& format, const std::string& field, ChatAsk& ask) {
  const JsonValue* type = format.is_object() ? format.find("type") : nullptr;
  if (type == nullptr || !type->is_string())
    return refuse(field + ".type: expected text, json_object or json_schema", field);
  if (type->text == "text") return {};
  if (type->text != "json_object" && type->text != "json_schema")
    return refuse(field + ": only text, json_object and json_schema are supported", field);
  const JsonValue* inner = format.find("json_schema");
  const JsonValue& holder = inner != nullptr && inner->is_object() ? *inner : format;
  const std::string where = &holder == &format ? field : field + ".json_schema";
  const JsonValue* schema = holder.find("schema");
  if (schema == nullptr && type->text == "json_object") {
    ask_for_object(field, ask);
    return {};
  }
  if (schema == nullptr || !is_schema(*schema))
    return refuse(where + ".schema: expected a JSON schema", field);
  const JsonValue* strict = holder.find("strict");
  ask_for_schema(*schema, where + ".schema", ask);
  if (strict != nullptr && strict->is(JsonValue::Kind::kTrue))
    ask.answer.schema = closed_schema(std::move(ask.answer.schema));
  return {};
}

Asked<void> read_guided(const JsonValue& body, ChatAsk& ask) {
  if (const auto s = read_guided_fields(body, "guided_", "", ask); !s) return s;
  const JsonValue* outputs = body.find("structured_outputs");
  if (outputs == nullptr) return {};
  if (!outputs->is_object()) return refuse("structured_outputs: expected an object", "structured_outputs");
  return read_guided_fields(*outputs, "", "structured_outputs.", ask);
}

}  // namespace hadal::serve
