#include "serve/openai/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hadal::serve {
namespace {

constexpr size_t kMostTools = 128;

}  // namespace

bool is_tool_name(std::string_view text) {
  return !text.empty() && text.size() <= kMostToolNameBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

Asked<void> check_tools(const JsonValue& body) {
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
    const JsonValue* strict = function->find("strict");
    if (strict != nullptr && strict->is(JsonValue::Kind::kTrue))
      return tl::make_unexpected(cannot_enforce("a tool with strict: true", "tools"));
  }
  return {};
}

}  // namespace hadal::serve
