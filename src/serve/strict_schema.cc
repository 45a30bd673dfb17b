#include "serve/strict_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace hadal::serve {
namespace {

constexpr std::array<std::string_view, 4> kMapsOfSchemas = {"properties", "$defs", "definitions",
                                                            "patternProperties"};
constexpr std::array<std::string_view, 2> kListsOfSchemas = {"anyOf", "oneOf"};
constexpr std::array<std::string_view, 2> kSchemas = {"items", "additionalProperties"};

// Calls visit(schema, path) for the schemas inside that stand for values of their own or are a choice.
template <class Value, class Visit>
void for_each_inner(Value& schema, const std::string& where, Visit&& visit) {
  for (size_t i = 0; i < schema.keys.size(); ++i) {
    const std::string& key = schema.keys[i];
    auto& value = schema.items[i];
    const std::string path = fmt::format("{}.{}", where, key);
    if (std::ranges::count(kMapsOfSchemas, key) > 0 && value.is_object()) {
      for (size_t k = 0; k < value.items.size(); ++k)
        visit(value.items[k], fmt::format("{}.{}", path, value.keys[k]));
    } else if (std::ranges::count(kListsOfSchemas, key) > 0 && value.is_array()) {
      for (size_t k = 0; k < value.items.size(); ++k) visit(value.items[k], fmt::format("{}[{}]", path, k));
    } else if (std::ranges::count(kSchemas, key) > 0 && value.is_object()) {
      visit(value, path);
    }
  }
}

bool has_key(const JsonValue& schema, std::string_view key) {
  return std::ranges::find(schema.keys, key) != schema.keys.end();
}

// Whether objects are described by several schemas together, so that none of them may forbid what another
// allows.
bool is_composed(const JsonValue& value) {
  if (value.is_object())
    for (const std::string_view key : {"allOf", "unevaluatedProperties", "dependentSchemas", "if"})
      if (has_key(value, key)) return true;
  return std::ranges::any_of(value.items, is_composed);
}

void close(JsonValue& schema) {
  if (!schema.is_object()) return;
  for_each_inner(schema, "", [](JsonValue& inner, const std::string&) { close(inner); });
  const JsonValue* properties = schema.find("properties");
  if (properties == nullptr || !properties->is_object()) return;
  for (const std::string_view key :
       {"additionalProperties", "patternProperties", "anyOf", "oneOf", "$ref", "$dynamicRef"})
    if (has_key(schema, key)) return;
  schema.keys.emplace_back("additionalProperties");
  schema.items.emplace_back().kind = JsonValue::Kind::kFalse;
}

}  // namespace

Result<void> check_all_required(const JsonValue& schema, const std::string& where) {
  if (!schema.is_object()) return {};
  const JsonValue* properties = schema.find("properties");
  const JsonValue* required = schema.find("required");
  if (properties != nullptr && properties->is_object())
    for (const std::string& name : properties->keys)
      if (required == nullptr || !required->is_array() ||
          std::ranges::none_of(required->items, [&](const JsonValue& item) { return item.text == name; }))
        return problem(
            where,
            fmt::format("with strict, `required` must list every property, and `{}` is not in it", name));
  Result<void> result;
  for_each_inner(schema, where, [&](const JsonValue& inner, const std::string& path) {
    if (result) result = check_all_required(inner, path);
  });
  return result;
}

JsonValue closed_schema(JsonValue schema) {
  if (!is_composed(schema)) close(schema);
  return schema;
}

}  // namespace hadal::serve
