// JSON Schema as its specification says it, value in hand: an oracle for tests. Of patterns it knows those
// that are
// "^" and plain text.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string>

#include "sample/grammar/json_document.h"
#include "text/json_equal.h"
#include "text/json_value.h"

namespace hadal::grammar::testing {

class PlainValidator {
 public:
  static bool valid(const JsonValue& schema, const JsonValue& value) {
    if (schema.is_bool()) return schema.is(Kind::kTrue);
    for (size_t i = 0; i < schema.keys.size(); ++i)
      if (!keyword(schema, schema.keys[i], schema.items[i], value)) return false;
    return true;
  }

 private:
  using Kind = JsonValue::Kind;

  static size_t size(const JsonValue& value) { return std::strtoul(value.text.c_str(), nullptr, 10); }
  static double number(const JsonValue& value) { return std::strtod(value.text.c_str(), nullptr); }
  static bool is_multiple(double value, double step) {
    return value == step * static_cast<double>(static_cast<int64_t>(value / step));
  }
  static size_t length(const JsonValue& text) {
    return static_cast<size_t>(std::ranges::count_if(text.text, [](char c) { return (c & 0xC0) != 0x80; }));
  }
  static bool has(const JsonValue& object, const std::string& key) { return member(object, key) != nullptr; }
  static bool matches(const std::string& pattern, const std::string& text) {
    return text.starts_with(pattern.substr(1));
  }

  static bool is_type(const std::string& type, const JsonValue& value) {
    if (type == "null") return value.is_null();
    if (type == "boolean") return value.is_bool();
    if (type == "integer") return value.is(Kind::kNumber) && is_multiple(number(value), 1);
    if (type == "number") return value.is(Kind::kNumber);
    if (type == "string") return value.is_string();
    return type == "array" ? value.is_array() : value.is_object();
  }

  static size_t count(const JsonValue& schemas, const JsonValue& value) {
    return static_cast<size_t>(std::ranges::count_if(
        schemas.items, [&value](const JsonValue& schema) { return valid(schema, value); }));
  }

  static bool undeclared_fit(const JsonValue& schema, const JsonValue& rule, const JsonValue& object) {
    const JsonValue *declared = member(schema, "properties"), *patterns = member(schema, "patternProperties");
    for (size_t i = 0; i < object.keys.size(); ++i) {
      if (declared && has(*declared, object.keys[i])) continue;
      if (patterns && std::ranges::any_of(patterns->keys,
                                          [&](const std::string& p) { return matches(p, object.keys[i]); }))
        continue;
      if (!valid(rule, object.items[i])) return false;
    }
    return true;
  }

  static bool keyword(const JsonValue& schema, const std::string& key, const JsonValue& rule,
                      const JsonValue& value) {
    if (key == "type") return is_type(rule.text, value);
    if (key == "enum")
      return std::ranges::any_of(rule.items, [&](const JsonValue& one) { return json_equal(one, value); });
    if (key == "const") return json_equal(rule, value);
    if (key == "allOf") return count(rule, value) == rule.items.size();
    if (key == "anyOf") return count(rule, value) > 0;
    if (key == "oneOf") return count(rule, value) == 1;
    if (key == "not") return !valid(rule, value);
    if (key == "if") {
      const JsonValue* then = member(schema, valid(rule, value) ? "then" : "else");
      return !then || valid(*then, value);
    }
    if (value.is(Kind::kNumber)) {
      if (key == "minimum") return number(value) >= number(rule);
      if (key == "exclusiveMaximum") return number(value) < number(rule);
      if (key == "multipleOf") return is_multiple(number(value), number(rule));
    }
    if (value.is_string()) {
      if (key == "minLength") return length(value) >= size(rule);
      if (key == "maxLength") return length(value) <= size(rule);
      if (key == "pattern") return matches(rule.text, value.text);
    }
    if (value.is_array()) return array_keyword(schema, key, rule, value);
    if (value.is_object()) return object_keyword(schema, key, rule, value);
    return true;
  }

  static bool array_keyword(const JsonValue& schema, const std::string& key, const JsonValue& rule,
                            const JsonValue& value) {
    const JsonValue* prefix = member(schema, "prefixItems");
    const size_t first = prefix ? prefix->items.size() : 0;
    if (key == "items") {
      for (size_t i = first; i < value.items.size(); ++i)
        if (!valid(rule, value.items[i])) return false;
    } else if (key == "prefixItems") {
      for (size_t i = 0; i < std::min(first, value.items.size()); ++i)
        if (!valid(rule.items[i], value.items[i])) return false;
    } else if (key == "minItems") {
      return value.items.size() >= size(rule);
    } else if (key == "maxItems") {
      return value.items.size() <= size(rule);
    } else if (key == "contains") {
      size_t n = 0;
      for (const JsonValue& item : value.items) n += valid(rule, item);
      const JsonValue *min = member(schema, "minContains"), *max = member(schema, "maxContains");
      return n >= (min ? size(*min) : 1) && (!max || n <= size(*max));
    }
    return true;
  }

  static bool object_keyword(const JsonValue& schema, const std::string& key, const JsonValue& rule,
                             const JsonValue& value) {
    if (key == "properties" || key == "patternProperties") {
      for (size_t i = 0; i < value.keys.size(); ++i)
        for (size_t j = 0; j < rule.keys.size(); ++j) {
          const bool applies =
              key == "properties" ? rule.keys[j] == value.keys[i] : matches(rule.keys[j], value.keys[i]);
          if (applies && !valid(rule.items[j], value.items[i])) return false;
        }
    } else if (key == "additionalProperties") {
      return undeclared_fit(schema, rule, value);
    } else if (key == "required") {
      return std::ranges::all_of(rule.items, [&](const JsonValue& name) { return has(value, name.text); });
    } else if (key == "propertyNames") {
      for (const std::string& name : value.keys) {
        JsonValue text;
        text.kind = Kind::kString;
        text.text = name;
        if (!valid(rule, text)) return false;
      }
    } else if (key == "minProperties") {
      return value.keys.size() >= size(rule);
    } else if (key == "maxProperties") {
      return value.keys.size() <= size(rule);
    } else if (key == "dependentRequired") {
      for (size_t i = 0; i < rule.keys.size(); ++i)
        if (has(value, rule.keys[i]) && !std::ranges::all_of(rule.items[i].items, [&](const JsonValue& name) {
              return has(value, name.text);
            }))
          return false;
    }
    return true;
  }
};

}  // namespace hadal::grammar::testing
