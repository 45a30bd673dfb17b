#include "serve/answer_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "chat/python_json.h"

namespace hadal::serve {
namespace {

using Content = AnswerRules::Content;

struct Outcome {
  ChatAsk ask;
  std::string error, param;
};

Outcome format(std::string_view text) {
  Outcome out;
  const auto s = read_format(*parse_json(text), "response_format", out.ask);
  if (!s) out.error = s.error().message, out.param = s.error().param;
  return out;
}

Outcome guided(std::string_view body) {
  Outcome out;
  const auto s = read_guided(*parse_json(body), out.ask);
  if (!s) out.error = s.error().message, out.param = s.error().param;
  return out;
}

TEST(AnswerFormat, Kinds) {
  EXPECT_EQ(format(R"({"type": "text"})").ask.answer.content, Content::kText);
  const Outcome object = format(R"({"type": "json_object"})");
  EXPECT_EQ(object.ask.answer.content, Content::kJson);
  EXPECT_EQ(python_json(object.ask.answer.schema), R"({"type": "object"})");
  EXPECT_EQ(object.ask.chat.response_format, R"({"type": "json_object"})");
  for (const std::string_view text :
       {R"({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "integer"}}})",
        R"({"type": "json_schema", "name": "n", "schema": {"type": "integer"}})",
        R"({"type": "json_object", "schema": {"type": "integer"}})"}) {
    const Outcome schema = format(text);
    EXPECT_EQ(schema.error, "");
    EXPECT_EQ(python_json(schema.ask.answer.schema), R"({"type": "integer"})");
    EXPECT_EQ(schema.ask.chat.response_format, R"({"type": "integer"})");
  }
  EXPECT_EQ(format(R"({"type": "json_schema", "json_schema": {"schema": {}}})").ask.format_field,
            "response_format.json_schema.schema");
}

TEST(AnswerFormat, StrictAddsNothingToThePrompt) {
  const Outcome strict = format(
      R"({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"properties": {"a": {}}}}})");
  EXPECT_EQ(python_json(strict.ask.answer.schema),
            R"({"properties": {"a": {}}, "additionalProperties": false})");
  EXPECT_EQ(strict.ask.chat.response_format, R"({"properties": {"a": {}}})");
}

TEST(AnswerFormat, Problems) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"5", "response_format.type: expected text, json_object or json_schema"},
      {"{}", "response_format.type: expected text, json_object or json_schema"},
      {R"({"type": "regex"})", "response_format: only text, json_object and json_schema are supported"},
      {R"({"type": "json_schema"})", "response_format.schema: expected a JSON schema"},
      {R"({"type": "json_schema", "json_schema": {"name": "n"}})",
       "response_format.json_schema.schema: expected a JSON schema"},
      {R"({"type": "json_schema", "json_schema": {"schema": "{}"}})",
       "response_format.json_schema.schema: expected a JSON schema"}};
  for (const auto& [text, says] : cases) {
    EXPECT_EQ(format(text).error, says);
    EXPECT_EQ(format(text).param, "response_format");
  }
}

TEST(AnswerFormat, AsClientsOfVllmSay) {
  EXPECT_EQ(guided("{}").ask.answer.content, Content::kText);
  for (const std::string_view body :
       {R"({"guided_json": {"type": "null"}})", R"({"guided_json": "{\"type\": \"null\"}"})",
        R"({"structured_outputs": {"json": {"type": "null"}}})"}) {
    const Outcome json = guided(body);
    EXPECT_EQ(json.error, "");
    EXPECT_EQ(json.ask.answer.content, Content::kJson);
    EXPECT_EQ(python_json(json.ask.answer.schema), R"({"type": "null"})");
    EXPECT_EQ(json.ask.chat.response_format, "");
  }
  EXPECT_EQ(guided(R"({"structured_outputs": {"json_object": true}})").ask.answer.content, Content::kJson);
  const Outcome regex = guided(R"({"guided_regex": "a+"})");
  EXPECT_EQ(regex.ask.answer.content, Content::kRegex);
  EXPECT_EQ(regex.ask.answer.pattern, "a+");
  EXPECT_EQ(guided(R"({"structured_outputs": {"grammar": "root ::= \"a\""}})").ask.answer.content,
            Content::kGrammar);
  EXPECT_EQ(guided(R"({"guided_choice": ["a", "b"]})").ask.answer.choices,
            (std::vector<std::string>{"a", "b"}));
}

TEST(AnswerFormat, ProblemsOfThose) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {R"({"guided_json": "{"})", "guided_json: not valid JSON: "},
      {R"({"guided_json": 5})", "guided_json: expected a JSON schema"},
      {R"({"guided_regex": ["a"]})", "guided_regex: expected a string"},
      {R"({"guided_choice": "a"})", "guided_choice: expected an array of texts"},
      {R"({"guided_choice": []})", "guided_choice: expected an array of texts"},
      {R"({"guided_choice": [{}]})", "guided_choice: expected an array of texts"},
      {R"({"guided_regex": "a", "guided_choice": ["a"]})",
       "guided_choice: guided_regex says already what the answer must be"},
      {R"({"guided_regex": "a", "structured_outputs": {"regex": "b"}})",
       "structured_outputs.regex: guided_regex says already what the answer must be"},
      {R"({"structured_outputs": "a"})", "structured_outputs: expected an object"},
      {R"({"structured_outputs": {"structural_tag": "{}"}})",
       "structured_outputs.structural_tag is not supported by this server"}};
  for (const auto& [body, says] : cases)
    EXPECT_THAT(guided(body).error, testing::StartsWith(std::string(says)));
}

}  // namespace
}  // namespace hadal::serve
