#include "serve/openai/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "serve/strict_schema.h"

namespace hadal::serve {
namespace {

constexpr size_t kMostTools = 128;

}  // namespace

bool is_tool_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostToolNameBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Asked<bool> read_strict(const JsonValue& function, const std::string& where) {
  const JsonValue* strict = function.find("strict");
  if (strict == nullptr || !strict->is(JsonValue::Kind::kTrue)) return false;
  if (const JsonValue* parameters = function.find("parameters"))
    if (const auto all = check_all_required(*parameters, where + ".parameters"); !all)
      return refuse(all.error().to_string(), "tools");
  return true;
}

void keep_tools(const std::vector<std::string>& names, ChatRequest& chat) {
  std::erase_if(chat.tools, [&](const std::string& tool) {
    const auto value = parse_json(tool);
    const JsonValue* wrapped = value ? value->find("function") : nullptr;
    const JsonValue* name = !value ? nullptr : (wrapped != nullptr ? wrapped : &*value)->find("name");
    return name == nullptr || std::ranges::count(names, name->text) == 0;
  });
}

Asked<void> check_tools(const JsonValue& body, ChatAsk& ask) {
  const JsonValue* tools = body.find("tools");
  if (tools == nullptr) return {};
  if (tools->items.size() > kMostTools)
    return refuse(fmt::format("tools: expected at most {}, found {}", kMostTools, tools->items.size()),
                  "tools");
  std::set<std::string> names;
  for (size_t i = 0; i < tools->items.size(); ++i) {
    const std::string where = fmt::format("tools[{}].function", i);
    const JsonValue* function = tools->items[i].find("function");
    if (function == nullptr || !function->is_object()) return refuse(where + ": expected an object", "tools");
    const JsonValue* name = function->find("name");
    if (name == nullptr || !name->is_string() || !is_tool_name(name->text))
      return refuse(
          fmt::format("{}.name: expected 1 to {} letters, digits, _ and -", where, kMostToolNameBytes),
          "tools");
    if (!names.insert(name->text).second)
      return refuse(fmt::format("{}.name: there is another tool called {}", where, name->text), "tools");
    const JsonValue* parameters = function->find("parameters");
    if (parameters != nullptr) {
      const JsonValue* type = parameters->is_object() ? parameters->find("type") : nullptr;
      const bool empty = parameters->is_object() && parameters->keys.empty();
      if (!empty && (type == nullptr || type->text != "object"))
        return refuse(where + ".parameters: expected a JSON schema of type \"object\"", "tools");
    }
    const auto strict = read_strict(*function, where);
    if (!strict) return tl::make_unexpected(strict.error());
    if (*strict) ask.strict.push_back(name->text);
  }
  return {};
}

}  // namespace hadal::serve
