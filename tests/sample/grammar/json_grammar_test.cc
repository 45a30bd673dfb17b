#include "sample/grammar/json_grammar.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "sample/grammar/json_support.h"

namespace hadal::grammar {
namespace {

TEST(JsonGrammar, TakesAnyValueForAnEmptySchema) {
  for (const char* schema : {"{}", "true"})
    expect(schema,
           {"null", "true", "false", "0", "-1.5e+3", R"("a\"b\u00e9")", "[]", "[1, [2], {}]",
            R"({"a": {"b": [null]}})", " { \"a\" :\n1 }", "1 "},
           {"", "nul", "01", "1.", "+1", "\"a", "[1,]", "{a:1}", R"({"a"})", R"({"a":1,})", "\"\n\"",
            R"("\x")"});
}

TEST(JsonGrammar, WritesCompactlyInTheOrderOfTheSchemaUnlessTold) {
  const char* schema =
      R"({"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}})";
  expect(schema, {"{}", R"({"b":1})", R"({"a":1})", R"({"b":1,"a":2})", R"({"b":1,"a":2,"c":{}})"},
         {R"({"a":1,"b":2})", R"({"b": 1})", " {}", R"({"c":1,"a":1})", R"({"b":1,"b":2})", R"({"b":1.0})"},
         {});
  expect(schema, {R"({"b": 1, "a": 2})", "{}"}, {R"({"b":1,"a":2})", R"({"b": 1,"a": 2})"},
         {.space = JsonStyle::Space::kPython});
  expect(schema, {R"({"a":1,"b":2})", R"({"c":1,"a":1})", R"({"b":1.0})", R"({"b":1e2})"},
         {R"({"b":1,"b":2})", R"({"b":1.5})", R"({"b":1e-2})"});
}

TEST(JsonGrammar, KeepsToTypesAndConstants) {
  expect(R"({"type": ["null", "boolean"]})", {"null", "true", "false"}, {"0", "\"\"", "[]", "{}"});
  expect(R"({"enum": [1, "a", null, [1, {"k": "v"}], {"x": 2}]})",
         {"1", "1.0", "\"a\"", R"("\u0061")", "null", R"([1, {"k": "v"}])", R"({"x": 2})"},
         {"2", "\"b\"", "[1]", R"({"x": 3})", R"({"x": 2, "y": 1})", "\"\""});
  expect(R"({"const": -0.50})", {"-0.5", "-0.500"}, {"0.5", "-0.51", "-0.05"});
  expect(R"({"const": 1e2})", {"100", "100.0"}, {"10", "1000"});
}

TEST(JsonGrammar, ComparesNumbersAsDigits) {
  expect(R"({"type": "integer", "minimum": -12, "exclusiveMaximum": 105})",
         {"-12", "-9", "-1", "0", "7", "99", "100", "104", "104.0"},
         {"-13", "105", "200", "1000", "-100", "104.5"});
  expect(R"({"minimum": 0.25, "maximum": 1.5})",
         {"0.25", "0.250", "0.3", "1", "1.0", "1.5", "1.49999", "1.500"},
         {"0.2", "0.2499", "0", "-1", "1.51", "1.5001", "2", "10"});
  expect(R"({"exclusiveMinimum": 0})", {"0.0001", "1"}, {"0", "0.0", "-0", "-1"});
  expect(R"({"maximum": 0})", {"0", "-0", "-1", "-0.5", "0.00"}, {"0.1", "1"});
  expect(R"({"maximum": -3, "exclusiveMinimum": -10.5})", {"-3", "-10.49", "-10"},
         {"-10.5", "-2.9", "-11", "3"});
  expect(R"({"minimum": 5, "exclusiveMinimum": true})", {"5.1", "6"}, {"5", "4"});
  expect(R"({"minimum": 123456789012345678901234567890})",
         {"123456789012345678901234567890", "1234567890123456789012345678900"},
         {"123456789012345678901234567889", "99999999999999999999999999999"});
  expect(R"({"type": "number", "multipleOf": 7})", {"0", "7", "-14", "7.0", "21", "1001"},
         {"1", "6", "8", "7.5", "70.7"});
  expect(R"({"multipleOf": 0.05})", {"0.05", "1", "1.1", "1.15", "1.150", "-3.25"},
         {"0.01", "1.12", "1.151"});
}

TEST(JsonGrammar, CountsAndMatchesCharacters) {
  expect(R"({"type": "string", "minLength": 2, "maxLength": 3})",
         {R"("ab")", R"("äöü")", R"("\n\u00e4")", R"("😀😀")", R"("\ud83d\ude00a")"},
         {R"("a")", R"("abcd")", R"("😀")", R"("\ud83d\ude00")"});
  expect(R"({"pattern": "^a+b?$"})", {R"("a")", R"("aab")", R"("\u0061")", "5"},
         {R"("b")", R"("abc")", R"("")"});
  expect(R"({"type": "string", "pattern": "x"})", {R"("axb")", R"("x")"}, {R"("ab")"});
}

// A writer needs one spelling of what the schema spells out, and is not free to write space for ever.
TEST(JsonGrammar, WritesInOneSpelling) {
  const std::string schema =
      R"({"properties": {"a_b": {"enum": ["c_d", "\"\n\u0001é"]}, "s": {"type": "string"}}, "required": ["a_b"]})";
  const std::vector<std::string> good = {R"({"a_b":"c_d"})", R"({"a_b":"\"\n\u0001é"})",
                                         R"({"a_b":"c_d","s":"\u0061"})", R"({"a_b":"c_d","\u0061":1})"};
  std::vector<std::string> bad = {R"({"a\u005fb":"c_d"})", R"({"a_b":"c\u005fd"})",
                                  R"({"a_b":"\"\u000a\u0001é"})", R"({"a_b":"c_d","a\u005fb":1})"};
  expect(schema, good, bad, {});
  expect(schema, good, bad, {.space = JsonStyle::Space::kAny});
  bad.pop_back();  // a key that comes again
  expect(schema, bad, {});
  const std::string space(16, '\n');
  expect(schema, {space + "{" + space + R"("a_b")" + space + ":" + space + R"("c_d")" + space + "}" + space},
         {space + " {\"a_b\":\"c_d\"}", "{ " + space + "\"a_b\":\"c_d\"}", "{\"a_b\": " + space + "\"c_d\"}",
          "{\"a_b\":\"c_d\"} " + space, "{\"a_b\":\"c_d\",\"s\": " + space + "\"\"}"},
         {.space = JsonStyle::Space::kAny});
  expect(schema, {" " + space + "{\"a_b\": " + space + "\"c_d\"}"}, {});
}

// Nobody needs more digits than a double tells apart, unless the schema asks for them.
TEST(JsonGrammar, WritesNumbersOfFewDigits) {
  const std::string nines(20, '9');
  expect(R"({"type": "number"})", {nines, "-" + nines + "." + nines, "0.1e-99", "0", "-0"},
         {nines + "9", "0." + nines + "9", "1.5e-100", "1.0"}, {});
  expect(R"({"type": "integer"})", {nines, "-" + nines}, {nines + "9"}, {});
  expect(R"({"type": "integer", "minimum": 1)" + nines + "}", {"1" + nines, nines + nines}, {nines}, {});
  expect(R"({"const": 0.0)" + nines + "}", {"0.0" + nines}, {"0.1"}, {});
  expect(R"({"type": "number"})", {nines + "9." + nines + "9"}, {});
}

TEST(JsonGrammar, KeepsToWhatObjectsHave) {
  expect(
      R"({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a", "z"], "additionalProperties": {"type": "boolean"}})",
      {R"({"a": null, "z": true})", R"({"z": false, "q": true, "a": null})"},
      {R"({"a": null})", R"({"a": null, "z": 1})", R"({"a": 1, "z": true})", "{}"});
  expect(
      R"({"type": "object", "patternProperties": {"^n_": {"type": "integer"}, "_s$": {"type": "string"}}, "additionalProperties": false})",
      {"{}", R"({"n_a": 1})", R"({"a_s": "x"})"},
      {R"({"n_s": 1})", R"({"n_s": "x"})", R"({"b": 1})", R"({"n_a": "x"})"});
  expect(R"({"type": "object", "propertyNames": {"maxLength": 2}, "maxProperties": 2, "minProperties": 1})",
         {R"({"a": 1})", R"({"ab": 1, "c": 2})"}, {"{}", R"({"abc": 1})", R"({"a": 1, "b": 2, "c": 3})"});
  expect(
      R"({"type": "object", "properties": {"a": true, "b": true, "c": true}, "dependentRequired": {"a": ["b"], "b": ["c"]}, "additionalProperties": false})",
      {"{}", R"({"c": 1})", R"({"b": 1, "c": 1})", R"({"a": 1, "c": 1, "b": 1})"},
      {R"({"a": 1})", R"({"a": 1, "b": 1})", R"({"b": 1})"});
  expect(R"({"dependentSchemas": {"a": {"required": ["b"]}}})",
         {"{}", "1", R"({"b": 1})", R"({"a": 1, "b": 2})"}, {R"({"a": 1})"});
}

TEST(JsonGrammar, KeepsToWhatArraysHave) {
  expect(
      R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": {"type": "null"}, "minItems": 1, "maxItems": 3})",
      {"[1]", R"([1, "a"])", R"([1, "a", null])"},
      {"[]", R"(["a"])", R"([1, "a", 2])", R"([1, "a", null, null])"});
  expect(R"({"type": "array", "items": {"enum": ["a", "b", true]}, "uniqueItems": true})",
         {"[]", R"(["a"])", R"([true, "b", "a"])"}, {R"(["a", "a"])", R"(["b", true, "b"])", R"(["c"])"});
  expect(R"({"type": "array", "contains": {"const": 1}, "minContains": 2, "maxContains": 3})",
         {"[1, 1]", "[0, 1, 2, 1]", "[1, 1, 1]"}, {"[]", "[1]", "[1, 0]", "[1, 1, 1, 1]"});
  expect(R"({"items": [{"type": "integer"}], "additionalItems": false})", {"[]", "[1]"},
         {"[1, 2]", "[null]"});
}

TEST(JsonGrammar, CombinesSchemas) {
  expect(R"({"allOf": [{"type": "integer"}, {"minimum": 3}], "maximum": 5})", {"3", "5"},
         {"2", "6", "3.5", "null"});
  expect(R"({"anyOf": [{"type": "string", "maxLength": 1}, {"type": "integer"}]})", {R"("a")", "1"},
         {R"("ab")", "null"});
  expect(R"({"oneOf": [{"type": "integer"}, {"minimum": 2}]})", {"1", "2.5", "-7"}, {"3", "2"});
  expect(R"({"oneOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object"})",
         {R"({"a": 1})", R"({"b": 1, "c": 2})"}, {"{}", R"({"a": 1, "b": 2})", R"({"b": 1, "a": 2})"});
  // Each takes the empty object; one key is what more than one alternative would have to give up.
  expect(R"({"oneOf": [{"type": "object", "properties": {"a": {}}, "additionalProperties": false},
                       {"type": "object", "properties": {"b": {}}, "additionalProperties": false},
                       {"type": "object", "properties": {"c": {}}, "additionalProperties": false}]})",
         {R"({"a": 1})", R"({"b": 1})", R"({"c": 1})"}, {"{}", R"({"a": 1, "b": 1})"});
  expect(R"({"not": {"type": ["integer", "object"]}})", {"null", "1.5", "[]", "\"\""}, {"1", "{}"});
  expect(R"({"type": "object", "not": {"required": ["a"], "properties": {"a": {"const": 1}}}})",
         {"{}", R"({"a": 2})"}, {R"({"a": 1})"});
  expect(R"({"type": "object", "not": {"additionalProperties": {"type": "integer"}}})",
         {R"({"a": "x"})", R"({"a": 1, "b": null})"}, {"{}", R"({"a": 1})", R"({"a": 1, "b": 2})"});
  expect(R"({"type": "array", "not": {"items": {"type": "integer"}}})", {"[null]", "[1, null, 2]"},
         {"[]", "[1, 2]"});
  expect(
      R"({"if": {"properties": {"k": {"const": "x"}}, "required": ["k"]}, "then": {"required": ["v"]}, "else": {"properties": {"v": false}}, "type": "object"})",
      {"{}", R"({"k": "y"})", R"({"k": "x", "v": 1})", R"({"v": 1, "k": "x"})"},
      {R"({"k": "x"})", R"({"v": 1})", R"({"k": "y", "v": 1})"});
}

TEST(JsonGrammar, FollowsReferences) {
  expect(
      R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "required": ["kids"], "additionalProperties": false}}})",
      {R"({"kids": []})", R"({"kids": [{"kids": [{"kids": []}]}]})"},
      {"{}", R"({"kids": [1]})", R"({"kids": [{}]})"});
  expect(R"({"$defs": {"a": {"$anchor": "here", "type": "null"}}, "$ref": "#here"})", {"null"}, {"1"});
  expect(
      R"({"$id": "http://x.y/root", "items": {"$ref": "other#/$defs/n"}, "$defs": {"o": {"$id": "other", "$defs": {"n": {"type": "null"}}}}})",
      {"[null]"}, {"[1]"});
  // Up to draft 7 what stands beside a reference has no effect.
  expect(
      R"({"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"a": {"type": "integer"}}, "properties": {"x": {"$ref": "#/definitions/a", "minimum": 5}}})",
      {R"({"x": 1})"}, {R"({"x": "a"})"});
}

// A dead end would be a text that nothing can finish.
TEST(JsonGrammar, LeavesOutWhatCouldNeverEnd) {
  const char* schema = R"({"$ref": "#/$defs/n", "$defs": {
      "n": {"type": "object", "properties": {"next": {"anyOf": [{"$ref": "#/$defs/endless"}, {"type": "null"}]}, "never": {"$ref": "#/$defs/endless"}}, "additionalProperties": false},
      "endless": {"type": "object", "properties": {"e": {"$ref": "#/$defs/endless"}}, "required": ["e"]}}})";
  const auto grammar = compile(schema, {});
  ASSERT_TRUE(grammar.has_value()) << grammar.error().to_string();
  Matcher matcher(*grammar);
  ASSERT_TRUE(matcher.accept_bytes("{"));
  EXPECT_FALSE(Matcher(matcher).accept_bytes(R"("never")"));
  ASSERT_TRUE(matcher.accept_bytes("\"next\":"));
  EXPECT_EQ(matcher.forced_bytes(100), "null}");
}

TEST(JsonGrammar, RefusesWhatItCannotKeepToAndSaysWhere) {
  expect_refused(R"({"properties": {"a": {"unevaluatedProperties": false}}})",
                 "#/properties/a/unevaluatedProperties");
  expect_refused(R"({"$ref": "#/nowhere"})", "#/$ref");
  expect_refused(R"({"$ref": "http://elsewhere/x"})", "nothing is loaded");
  expect_refused(R"({"$ref": "#"})", "refers to itself");
  expect_refused(R"({"type": "strin"})", "#/type");
  expect_refused(R"({"pattern": "("})", "#/pattern");
  expect_refused(R"({"pattern": "(a)\\1"})", "#/pattern");
  expect_refused(R"({"properties": 1})", "#/properties");
  expect_refused(R"({"anyOf": [{"minLength": -1}]})", "#/anyOf/0/minLength");
  expect_refused(R"({"items": {"uniqueItems": true}})", "#/items/uniqueItems");
  expect_refused(R"({"minProperties": 3})", "minProperties");
  expect_refused(R"({"type": "string", "allOf": [{"type": "integer"}]})", "nothing can ever fit");
  expect_refused(R"({"$schema": "http://localhost/my-dialect"})", "#/$schema");
  expect_refused(R"([])", "expected a schema");
}

TEST(JsonGrammar, SaysWhatHasNoEffect) {
  std::vector<SchemaNote> notes;
  ASSERT_TRUE(
      compile(R"({"properties": {"a": {"type": "string", "format": "colour", "x-order": 1, "title": "A"}}})",
              kAnyStyle, &notes));
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].where, "#/properties/a/x-order");
  EXPECT_EQ(notes[1].where, "#/properties/a/format");
}

TEST(JsonGrammar, HostileSchemasCompileSoonOrAreRefused) {
  // Nested to the limit of JSON, references that double at every level, a hundred thousand words.
  std::string nested = "{}";
  for (int i = 0; i < 100; ++i) nested = R"({"properties":{"a":)" + nested + "}}";
  expect(nested, {R"({"a": {"a": {}}})"}, {"{"});
  std::string doubling = R"({"$ref": "#/$defs/d0", "$defs": {)";
  for (int i = 0; i < 60; ++i)
    doubling += fmt::format(R"("d{}": {{"allOf": [{{"$ref": "#/$defs/d{}"}}, {{"$ref": "#/$defs/d{}"}}]}},)",
                            i, i + 1, i + 1);
  expect(doubling + R"("d60": {"type": "null"}}})", {"null"}, {"1"});
  std::string words = R"({"enum": [)";
  for (int i = 0; i < 100'000; ++i) words += fmt::format("{}\"word {}\"", i ? "," : "", i);
  const auto grammar = compile(words + "]}");
  ASSERT_TRUE(grammar.has_value());
  EXPECT_TRUE(fits(*grammar, "\"word 99999\""));
  EXPECT_FALSE(fits(*grammar, "\"word 100000\""));
  EXPECT_LT((*grammar)->bytes(), int64_t{64} << 20);
  std::string choices = R"({"allOf": [)";
  for (int i = 0; i < 40; ++i)
    choices += fmt::format(R"({}{{"anyOf": [{{"required": ["a{}"]}}, {{"required": ["b{}"]}}]}})",
                           i ? "," : "", i, i);
  expect_refused(choices + "]}", "too many");
}

}  // namespace
}  // namespace hadal::grammar
