#include "serve/openai/response_tools.h"

#include <fmt/format.h>

#include <utility>

#include "chat/json_fields.h"
#include "chat/python_json.h"
#include "serve/openai/tools.h"

namespace hadal::serve::responses {
namespace {

constexpr std::string_view kSeparator = "::";

constexpr std::string_view kPatchDescription =
    "Creates, changes, moves and deletes files. The input is one patch in the following format, and nothing "
    "around it.\n"
    "\n"
    "The first line is `*** Begin Patch`, the last line is `*** End Patch`. Between them stands one section "
    "for each file:\n"
    "- `*** Add File: PATH` makes a new file. Every line of its content follows, with `+` before it.\n"
    "- `*** Delete File: PATH` removes a file. Nothing follows.\n"
    "- `*** Update File: PATH` changes a file. `*** Move to: NEW_PATH` may follow, to give it another name. "
    "Then come one or more hunks.\n"
    "\n"
    "A hunk begins with a line `@@`, or `@@ HEADER` where HEADER is the line of the class or function that "
    "the place belongs to. Each of its lines has one character before it: a space for a line that stays, `-` "
    "for one that goes, `+` for one that is new. Give three lines that stay before and after every change. "
    "A hunk that reaches the end of the file may close with the line `*** End of File`.\n"
    "\n"
    "All paths are relative, never absolute. Example:\n"
    "*** Begin Patch\n"
    "*** Add File: notes.txt\n"
    "+first line\n"
    "*** Update File: src/app.py\n"
    "*** Move to: src/main.py\n"
    "@@ def greet():\n"
    "     name = \"you\"\n"
    "-    print(\"Hi\")\n"
    "+    print(\"Hello\", name)\n"
    "     return name\n"
    "*** Delete File: old.txt\n"
    "*** End Patch";

constexpr std::string_view kPatchParameters =
    R"({"type":"object","additionalProperties":false,"properties":{"input":{"type":"string","description":)"
    R"("The entire contents of the apply_patch command (the *** Begin Patch ... *** End Patch envelope)."}},)"
    R"("required":["input"]})";

std::string joined(const ToolName& name) {
  return name.name_space.empty() ? name.name : fmt::format("{}{}{}", name.name_space, kSeparator, name.name);
}

JsonValue make_text(std::string text) {
  JsonValue value;
  value.kind = JsonValue::Kind::kString;
  value.text = std::move(text);
  return value;
}

std::string text_member(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  return value != nullptr && value->is_string() ? value->text : std::string();
}

// A schema of an object; none, or an empty one, takes nothing.
Asked<JsonValue> read_parameters(const JsonValue& tool, const std::string& where) {
  JsonValue none;
  none.kind = JsonValue::Kind::kObject;
  const JsonValue* parameters = tool.find("parameters");
  if (parameters == nullptr) return none;
  const JsonValue* type = parameters->is_object() ? parameters->find("type") : nullptr;
  const bool empty = parameters->is_object() && parameters->keys.empty();
  if (!empty && (type == nullptr || type->text != "object"))
    return refuse(where + ".parameters: expected a JSON schema of type \"object\"", "tools");
  return *parameters;
}

Asked<std::string> read_name(const JsonValue& tool, const std::string& where) {
  const JsonValue* name = tool.find("name");
  if (name == nullptr || !name->is_string() || !is_tool_name(name->text))
    return refuse(
        fmt::format("{}.name: expected 1 to {} letters, digits, _ and -", where, kMostToolNameBytes),
        "tools");
  return name->text;
}

}  // namespace

Asked<Tools> Tools::read(const JsonValue& tools) {
  Tools out;
  if (!tools.is_array()) return refuse("tools: expected an array of tools", "tools");
  for (size_t i = 0; i < tools.items.size(); ++i)
    if (const auto added = out.add(tools.items[i], fmt::format("tools[{}]", i)); !added)
      return tl::make_unexpected(added.error());
  return out;
}

Asked<void> Tools::add(const JsonValue& tool, const std::string& where) {
  const JsonValue* type = tool.is_object() ? tool.find("type") : nullptr;
  if (type == nullptr || !type->is_string())
    return refuse(where + ": expected an object with a type", "tools");
  if (type->text == "function") return add_function(tool, where, nullptr);
  if (type->text == "custom") return add_custom(tool, where);
  if (type->text != "namespace") return {};

  const auto name = read_name(tool, where);
  if (!name) return tl::make_unexpected(name.error());
  const JsonValue* inner = tool.find("tools");
  if (inner == nullptr || !inner->is_array())
    return refuse(where + ".tools: expected an array of functions", "tools");
  for (size_t i = 0; i < inner->items.size(); ++i) {
    const std::string inside = fmt::format("{}.tools[{}]", where, i);
    const JsonValue* kind = inner->items[i].is_object() ? inner->items[i].find("type") : nullptr;
    if (kind == nullptr || !kind->is_string())
      return refuse(inside + ": expected an object with a type", "tools");
    if (kind->text != "function") continue;
    if (const auto added = add_function(inner->items[i], inside, &tool); !added) return added;
  }
  return {};
}

Asked<void> Tools::add_function(const JsonValue& tool, const std::string& where,
                                const JsonValue* name_space) {
  auto name = read_name(tool, where);
  if (!name) return tl::make_unexpected(name.error());
  auto parameters = read_parameters(tool, where);
  if (!parameters) return tl::make_unexpected(parameters.error());
  std::string description;
  if (const auto s = Fields(tool, where).text("description", description); !s) return refuse(s.error());
  const auto strict = read_strict(tool, where);
  if (!strict) return tl::make_unexpected(strict.error());
  ToolName called{std::move(*name), {}, false};
  if (name_space != nullptr) {
    called.name_space = name_space->find("name")->text;
    const std::string about = text_member(*name_space, "description");
    if (!about.empty() && !description.empty()) description.insert(0, "\n");
    description.insert(0, about);
  }
  const auto shown = show(std::move(called), std::move(description), std::move(*parameters), where);
  if (!shown) return tl::make_unexpected(shown.error());
  if (*strict) strict_.push_back(*shown);
  return {};
}

Asked<void> Tools::add_custom(const JsonValue& tool, const std::string& where) {
  const std::string name = text_member(tool, "name");
  if (name != kPatchTool)
    return refuse(fmt::format("Unsupported custom tool: '{}'. Only '{}' is supported", name, kPatchTool),
                  "tools");
  const auto shown =
      show({name, {}, true}, std::string(kPatchDescription), *parse_json(kPatchParameters), where);
  if (!shown) return tl::make_unexpected(shown.error());
  return {};
}

Asked<std::string> Tools::show(ToolName name, std::string description, JsonValue parameters,
                               const std::string& where) {
  if (shown_.size() >= kMostTools)
    return refuse(fmt::format("{}: expected at most {} tools", where, kMostTools), "tools");
  const std::string wanted = joined(name);
  std::string free = wanted;
  while (by_prompt_name_.contains(free)) free = fmt::format("{}_{}", wanted, ++clashes_[wanted]);
  JsonValue function;
  function.kind = JsonValue::Kind::kObject;
  function.keys = {"name", "description", "parameters"};
  function.items = {make_text(free), make_text(std::move(description)), std::move(parameters)};
  shown_.push_back(python_json(function));
  by_name_.emplace(name, free);
  by_prompt_name_.emplace(free, std::move(name));
  return free;
}

ToolName Tools::name_of(std::string_view prompt_name) const {
  const auto found = by_prompt_name_.find(prompt_name);
  if (found != by_prompt_name_.end()) return found->second;
  const size_t at = prompt_name.find(kSeparator);
  if (at == std::string_view::npos) return {std::string(prompt_name), {}, false};
  return {std::string(prompt_name.substr(at + kSeparator.size())), std::string(prompt_name.substr(0, at)),
          false};
}

std::string Tools::prompt_name(const ToolName& name) const {
  const auto found = by_name_.find(name);
  return found != by_name_.end() ? found->second : joined(name);
}

std::string custom_arguments(std::string_view input) {
  return fmt::format("{{\"input\": {}}}", json_quoted(input));
}

}  // namespace hadal::serve::responses
