#include "serve/strict_schema.h"

#include <gtest/gtest.h>

#include "chat/python_json.h"

namespace hadal::serve {
namespace {

std::string closed(std::string_view schema) {
  return python_json(closed_schema(*parse_json(schema)));
}

std::string missing(std::string_view schema) {
  const auto all = check_all_required(*parse_json(schema), "s");
  return all ? "" : all.error().to_string();
}

TEST(StrictSchema, ObjectsThatListTheirPropertiesHaveNoOthers) {
  EXPECT_EQ(closed(R"({"type": "object", "properties": {"a": {"properties": {}}, "b": {"type": "string"}}})"),
            R"({"type": "object", "properties": {"a": {"properties": {}, "additionalProperties": false}, )"
            R"("b": {"type": "string"}}, "additionalProperties": false})");
  EXPECT_EQ(
      closed(
          R"({"items": {"properties": {}}, "$defs": {"x": {"properties": {}}}, "anyOf": [{"properties": {}}, true]})"),
      R"({"items": {"properties": {}, "additionalProperties": false}, "$defs": {"x": {"properties": {}, )"
      R"("additionalProperties": false}}, "anyOf": [{"properties": {}, "additionalProperties": false}, true]})");
}

TEST(StrictSchema, WhatSaysSomethingOfOthersStays) {
  for (const std::string_view schema :
       {R"({"type": "object"})", R"({"properties": {}, "additionalProperties": true})",
        R"({"properties": {}, "additionalProperties": {"type": "string"}})",
        R"({"properties": {}, "patternProperties": {"^x": {}}})",
        R"({"properties": {}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]})",
        R"({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]})",
        R"({"properties": {"a": {"allOf": [{"$ref": "#/$defs/x"}]}}, "$defs": {"x": {"properties": {}}}})",
        R"({"properties": {}, "unevaluatedProperties": false})", "true", "[]"})
    EXPECT_EQ(closed(schema), schema);
}

TEST(StrictSchema, EveryPropertyIsRequired) {
  EXPECT_EQ(missing(R"({"properties": {"a": {}, "b": {}}, "required": ["b", "a"]})"), "");
  EXPECT_EQ(missing(R"({"type": "string"})"), "");
  EXPECT_EQ(missing("true"), "");
  EXPECT_EQ(missing(R"({"properties": {"a": {}, "b": {}}, "required": ["a"]})"),
            "s: with strict, `required` must list every property, and `b` is not in it");
  EXPECT_EQ(missing(R"({"properties": {"a": {}}})").substr(0, 3), "s: ");
  EXPECT_EQ(
      missing(
          R"({"properties": {"a": {"items": {"anyOf": [{}, {"properties": {"x": {}}}]}}}, "required": ["a"]})"),
      "s.properties.a.items.anyOf[1]: with strict, `required` must list every property, and `x` is not in "
      "it");
}

}  // namespace
}  // namespace hadal::serve
