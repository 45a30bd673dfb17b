#include "serve/anthropic/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "chat/json_fields.h"
#include "chat/python_json.h"
#include "serve/anthropic/blocks.h"
#include "serve/openai/tools.h"

namespace hadal::serve::anthropic {
namespace {

JsonValue make_text(std::string text) {
  JsonValue value;
  value.kind = JsonValue::Kind::kString;
  value.text = std::move(text);
  return value;
}

void add_member(JsonValue& object, std::string key, JsonValue value) {
  object.keys.push_back(std::move(key));
  object.items.push_back(std::move(value));
}

// A JSON schema of an object; one that does not say so is one all the same.
Asked<JsonValue> read_schema(const JsonValue& value, const std::string& where) {
  if (!value.is_object()) return refuse_at(where, "expected a JSON schema of type \"object\"");
  JsonValue schema = value;
  if (const JsonValue* type = schema.find("type")) {
    if (type->text != "object") return refuse_at(where, "expected a JSON schema of type \"object\"");
    return schema;
  }
  if (const auto at = std::ranges::find(schema.keys, "type"); at != schema.keys.end())
    schema.items[static_cast<size_t>(at - schema.keys.begin())] = make_text("object");  // it was null
  else
    add_member(schema, "type", make_text("object"));
  return schema;
}

// One tool as the prompt shows it.
Asked<std::string> read_tool(const Fields& fields, const std::string& name, const std::string& where) {
  std::string description;
  if (const auto s = fields.text("description", description); !s) return refuse(s.error());
  const JsonValue* given = fields.find("input_schema");
  if (given == nullptr) return refuse_at(where + ".input_schema", "expected a JSON schema");
  auto schema = read_schema(*given, where + ".input_schema");
  if (!schema) return tl::make_unexpected(schema.error());
  JsonValue tool;
  tool.kind = JsonValue::Kind::kObject;
  add_member(tool, "name", make_text(name));
  add_member(tool, "description", make_text(std::move(description)));
  add_member(tool, "parameters", std::move(*schema));
  return python_json(tool);
}

Asked<void> read_choice(const JsonValue& body, const std::set<std::string>& names, ChatAsk& ask) {
  const JsonValue* choice = body.find("tool_choice");
  if (choice == nullptr) return {};
  const JsonValue* type = choice->is_object() ? choice->find("type") : nullptr;
  const std::string kind = type != nullptr ? type->text : "";
  if (choice->is_object())
    if (const JsonValue* one = choice->find("disable_parallel_tool_use"))
      ask.answer.parallel = !one->is(JsonValue::Kind::kTrue);
  if (kind == "auto") return {};
  if (kind == "none") {
    ask.chat.tools.clear();
    return {};
  }
  if (kind == "tool") {
    const JsonValue* name = choice->find("name");
    if (name == nullptr || !name->is_string())
      return refuse_at("tool_choice.name", "expected the name of a tool");
    if (!names.contains(name->text))
      return refuse(fmt::format("tool_choice: no tool named '{}' was specified", name->text), "tool_choice");
    keep_tools({name->text}, ask.chat);
    ask.answer.parallel = false;
  } else if (kind != "any") {
    return refuse_at("tool_choice.type", "expected auto, any, tool or none");
  }
  if (names.empty()) return refuse_at("tool_choice", "expected tools to choose from");
  ask.must_call = true;
  return {};
}

}  // namespace

Asked<void> read_tools(const JsonValue& body, ChatAsk& ask) {
  const Fields top(body);
  const JsonValue* tools = nullptr;
  if (const auto s = top.array("tools", tools); !s) return refuse(s.error());
  std::set<std::string> names;
  for (size_t i = 0; tools != nullptr && i < tools->items.size(); ++i) {
    const std::string where = fmt::format("tools.{}", i);
    if (!tools->items[i].is_object()) return refuse_at(where, "expected an object");
    const Fields fields(tools->items[i], where);
    std::string type, name;
    Result<void> s = fields.text("type", type);
    if (s) s = fields.text("name", name);
    if (!s) return refuse(s.error());
    const bool own = type.empty() || type == "custom";
    if (!own && !fields.has("input_schema")) continue;
    if (!is_tool_name(name))
      return refuse_at(where + ".name",
                       fmt::format("expected 1 to {} letters, digits, _ and -", kMostToolNameBytes));
    if (!names.insert(name).second)
      return refuse_at(where + ".name", fmt::format("there is another tool called {}", name));
    auto tool = read_tool(fields, name, where);
    if (!tool) return tl::make_unexpected(tool.error());
    ask.chat.tools.push_back(std::move(*tool));
    if (const JsonValue* strict = fields.find("strict");
        strict != nullptr && strict->is(JsonValue::Kind::kTrue))
      ask.strict.push_back(name);
  }
  return read_choice(body, names, ask);
}

}  // namespace hadal::serve::anthropic
