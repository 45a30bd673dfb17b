#include "assistant/answer_grammar.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <random>

#include "assistant/assistant_support.h"
#include "chat/parser.h"
#include "text/json_equal.h"
#include "text/json_value.h"

namespace hadal {
namespace {

using namespace test;
using grammar::Grammar;
using grammar::Matcher;
using Calls = AnswerRules::Calls;
using Content = AnswerRules::Content;
using Fit = AnswerRules::Fit;
using Space = grammar::JsonStyle::Space;

const PromptTemplate& style() {
  return prompt_template(PromptGeneration::kV4Official);
}

std::shared_ptr<const grammar::Vocabulary> vocabulary() {
  static const auto made =
      std::make_shared<const grammar::Vocabulary>(mini_tokenizer(), mini_tokenizer().vocab_size());
  return made;
}

int32_t special_id(std::string_view literal) {
  return mini_tokenizer().added_id(literal).value();
}
const int32_t kEosId = special_id(special::kEos);

JsonValue json(std::string_view text) {
  const auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : JsonValue{};
}

AnswerRules::Tool tool(std::string name, std::string_view schema, Fit fit = Fit::kMust) {
  return {std::move(name), json(schema), fit};
}

std::shared_ptr<Grammar> compile(const AnswerRules& rules) {
  auto compiled = answer_grammar(vocabulary(), {kEosId}, style(), rules);
  EXPECT_TRUE(compiled) << compiled.error().to_string();
  return compiled ? *compiled : nullptr;
}

std::string problem_of(const AnswerRules& rules) {
  const auto compiled = answer_grammar(vocabulary(), {kEosId}, style(), rules);
  return compiled ? "none" : compiled.error().to_string();
}

// The text with "|" for the mark and "^" for the end of reasoning, as tokens.
std::vector<int32_t> tokens(std::string_view text) {
  std::vector<int32_t> ids;
  std::string plain;
  const auto flush = [&] {
    for (const int32_t id : mini_tokenizer().encode(plain)) ids.push_back(id);
    plain.clear();
  };
  for (const char c : text) {
    if (c != '|' && c != '^') {
      plain += c;
      continue;
    }
    flush();
    ids.push_back(special_id(c == '|' ? special::kDsml : special::kEndThink));
  }
  flush();
  return ids;
}

// Whether the answer is one of the grammar's: token by token, each in the mask, and then the end.
bool fits(const std::shared_ptr<Grammar>& grammar, std::string_view text) {
  Matcher matcher(grammar);
  std::vector<uint32_t> bits(vocabulary()->words());
  for (const int32_t id : tokens(text)) {
    matcher.allow(bits);
    const bool allowed = bits[static_cast<size_t>(id) / 32] >> (id % 32) & 1;
    const bool accepted = matcher.accept(id);
    EXPECT_EQ(allowed, accepted) << text << " at " << matcher.length();
    if (!accepted) return false;
  }
  return matcher.can_end();
}

// A random answer, at most `most` tokens before it looks for a short way to the end; nullopt if it found
// none.
std::optional<std::vector<int32_t>> walk(const std::shared_ptr<Grammar>& grammar, std::mt19937& random,
                                         size_t most) {
  Matcher matcher(grammar);
  std::vector<uint32_t> bits(vocabulary()->words());
  std::vector<int32_t> ids;
  while (ids.size() < 4 * most) {
    matcher.allow(bits);
    std::vector<int32_t> allowed;
    for (size_t w = 0; w < bits.size(); ++w)
      for (uint32_t word = bits[w]; word != 0; word &= word - 1)
        allowed.push_back(static_cast<int32_t>(w * 32 + static_cast<size_t>(std::countr_zero(word))));
    if (allowed.empty()) {
      ADD_FAILURE() << "stuck behind " << text_of(ids);
      return std::nullopt;
    }
    int32_t id = allowed[random() % allowed.size()];
    const bool can_end = bits[static_cast<size_t>(kEosId) / 32] >> (kEosId % 32) & 1;
    // Structure is rare among thousands of tokens: now and then it comes first.
    for (const int32_t likely : {special_id(special::kDsml), special_id(special::kEndThink)})
      if ((bits[static_cast<size_t>(likely) / 32] >> (likely % 32) & 1) && random() % 3 == 0) id = likely;
    if (random() % 4 == 0 || ids.size() > most) {
      for (const char* likely : {"\"", "}", "]", "<", "</", "\n\n", "\n", "0", " "})
        if (const int32_t one = mini_tokenizer().encode(likely)[0];
            (bits[static_cast<size_t>(one) / 32] >> (one % 32) & 1) && random() % 2 == 0)
          id = one;
    }
    if (can_end && (random() % 8 == 0 || ids.size() > most)) id = kEosId;
    EXPECT_TRUE(matcher.accept(id)) << text_of(ids) << " then " << id;
    if (id == kEosId) return ids;
    ids.push_back(id);
  }
  return std::nullopt;
}

ParsedMessage parsed(const std::vector<int32_t>& ids, ParserStart start) {
  ParserOptions options;
  options.start = start;
  options.lenient = false;
  ChatParser parser(options);
  CollectingSink sink;
  for (const int32_t id : ids) {
    if (mini_tokenizer().is_added(id))
      parser.push_special(mini_tokenizer().token_bytes(id), sink);
    else
      parser.push_bytes(mini_tokenizer().token_bytes(id), sink);
  }
  parser.finish(FinishCause::kEos, sink);
  EXPECT_EQ(parser.discarded(), 0u);
  return sink.message;
}

constexpr std::string_view kWeather = R"({"type": "object", "properties": {
  "place": {"type": "string", "maxLength": 12}, "days": {"type": "integer", "minimum": 1, "maximum": 14},
  "unit": {"enum": ["C", "F"]}, "note": {"type": ["string", "null"]}},
  "required": ["place", "days"], "additionalProperties": false})";

AnswerRules weather(Calls calls = Calls::kMust) {
  AnswerRules rules;
  rules.calls = calls;
  rules.tools = {tool("get_weather", kWeather),
                 tool("stop", R"({"type": "object", "properties": {}, "additionalProperties": false})")};
  return rules;
}

constexpr std::string_view kOpen = "\n\n<|tool_calls>\n", kClose = "\n</|tool_calls>";
std::string call(std::string_view parameters, std::string_view name = "get_weather") {
  return fmt::format("<|invoke name=\"{}\">\n{}\n</|invoke>", name, parameters);
}
std::string parameter(std::string_view name, bool text, std::string_view value) {
  return fmt::format("<|parameter name=\"{}\" string=\"{}\">{}</|parameter>", name, text, value);
}
std::string block(std::string_view calls) {
  return fmt::format("{}{}{}", kOpen, calls, kClose);
}

TEST(AnswerGrammar, ACallHasTheParametersOfItsTool) {
  const auto grammar = compile(weather());
  const std::string place = parameter("place", true, "Rome"), days = parameter("days", false, "3");
  const std::string both = place + "\n" + days;
  EXPECT_TRUE(fits(grammar, block(call(both))));
  EXPECT_TRUE(fits(grammar, block(call(both + "\n" + parameter("unit", true, "C")))));
  EXPECT_TRUE(fits(grammar, block(call(both + "\n" + parameter("note", true, "say \"a\"\n</b> 2>&1 \\")))));
  EXPECT_TRUE(fits(grammar, block(call(both + "\n" + parameter("note", false, "null")))));
  EXPECT_TRUE(fits(grammar, block(call("", "stop"))));
  EXPECT_TRUE(fits(grammar, block(call(both) + "\n" + call("", "stop") + "\n" + call(both))));
  // Something is missing, too much, in the wrong order, of the wrong kind, of the wrong value.
  EXPECT_FALSE(fits(grammar, block(call(place))));
  EXPECT_FALSE(fits(grammar, block(call(""))));
  EXPECT_FALSE(fits(grammar, block(call(days + "\n" + place))));
  EXPECT_FALSE(fits(grammar, block(call(both + "\n" + parameter("more", true, "x")))));
  EXPECT_FALSE(fits(grammar, block(call(both + "\n" + days))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("place", false, "\"Rome\"") + "\n" + days))));
  EXPECT_FALSE(fits(grammar, block(call(place + "\n" + parameter("days", true, "3")))));
  EXPECT_FALSE(fits(grammar, block(call(place + "\n" + parameter("days", false, "15")))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("place", true, "Rome and all around it") + "\n" + days))));
  EXPECT_FALSE(fits(grammar, block(call(both + "\n" + parameter("unit", true, "K")))));
  EXPECT_FALSE(fits(grammar, block(call(both, "get_time"))));
  EXPECT_FALSE(fits(grammar, block(call(place, "stop"))));
  EXPECT_FALSE(fits(grammar, block("")));
  // Nothing around it.
  EXPECT_FALSE(fits(grammar, "Hello"));
  EXPECT_FALSE(fits(grammar, "Hello" + block(call(both))));
  EXPECT_FALSE(fits(grammar, block(call(both)) + "\n"));
  EXPECT_FALSE(fits(grammar, ""));
}

TEST(AnswerGrammar, OneCallOnly) {
  AnswerRules rules = weather();
  rules.parallel = false;
  const auto grammar = compile(rules);
  EXPECT_TRUE(fits(grammar, block(call("", "stop"))));
  EXPECT_FALSE(fits(grammar, block(call("", "stop") + "\n" + call("", "stop"))));
}

TEST(AnswerGrammar, AForcedCallBeginsInsideTheBlock) {
  AnswerRules rules = weather();
  rules.start = ParserStart::kToolCalls;
  const auto grammar = compile(rules);
  EXPECT_TRUE(fits(grammar, call("", "stop") + std::string(kClose)));
  EXPECT_FALSE(fits(grammar, block(call("", "stop"))));
  EXPECT_FALSE(fits(grammar, kClose));
}

TEST(AnswerGrammar, TextMayComeBeforeCalls) {
  const auto grammar = compile(weather(Calls::kMay));
  EXPECT_TRUE(fits(grammar, ""));
  EXPECT_TRUE(fits(grammar, "Just text.\n\n<not markup> \"tool_calls\">\n\n"));
  EXPECT_TRUE(fits(grammar, block(call("", "stop"))));
  EXPECT_TRUE(fits(grammar, "I shall stop.\n" + block(call("", "stop"))));
  EXPECT_FALSE(fits(grammar, "I shall stop.\n<|tool_calls>\n"));
  EXPECT_FALSE(fits(grammar, "a | b"));
  EXPECT_FALSE(fits(grammar, "a ^ b"));
  EXPECT_FALSE(fits(grammar, block(call(""))));
  EXPECT_FALSE(fits(grammar, block(call("", "stop")) + " done"));
}

TEST(AnswerGrammar, ReasoningIsFreeAndEnds) {
  AnswerRules rules;
  rules.start = ParserStart::kReasoning;
  rules.content = Content::kJson;
  rules.schema = json(
      R"({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false})");
  const auto grammar = compile(rules);
  EXPECT_TRUE(fits(grammar, "I think {\"a\"... no.\n\n^{\"a\":1}"));
  EXPECT_TRUE(fits(grammar, "^{\"a\":-20}"));
  EXPECT_FALSE(fits(grammar, "I think"));  // no end in the middle of it
  EXPECT_FALSE(fits(grammar, "I | think^{\"a\":1}"));
  EXPECT_FALSE(fits(grammar, "^^{\"a\":1}"));
  EXPECT_FALSE(fits(grammar, "^{\"a\": 1}"));  // compact
  EXPECT_FALSE(fits(grammar, "^{\"a\":\"1\"}"));
  rules.style.space = Space::kPython;
  EXPECT_TRUE(fits(compile(rules), "^{\"a\": 1}"));
  rules.style.space = Space::kAny;
  EXPECT_TRUE(fits(compile(rules), "^{ \"a\" :\n1}\n"));
}

TEST(AnswerGrammar, EitherCallsOrTheContent) {
  AnswerRules rules = weather(Calls::kMay);
  rules.content = Content::kJson;
  rules.schema = object_schema();
  const auto grammar = compile(rules);
  EXPECT_TRUE(fits(grammar, R"({"any":["thing",1.5,{"a":null}]})"));
  EXPECT_TRUE(fits(grammar, block(call("", "stop"))));
  EXPECT_FALSE(fits(grammar, "{}" + block(call("", "stop"))));
  EXPECT_FALSE(fits(grammar, "[]"));
  EXPECT_FALSE(fits(grammar, "I see"));
}

TEST(AnswerGrammar, OtherContents) {
  AnswerRules rules;
  rules.content = Content::kChoice;
  rules.choices = {"yes", "no", "yes, but"};
  EXPECT_TRUE(fits(compile(rules), "yes"));
  EXPECT_TRUE(fits(compile(rules), "yes, but"));
  EXPECT_FALSE(fits(compile(rules), "yes,"));
  rules.content = Content::kRegex;
  rules.pattern = "[a-c]{2,3}\\d+";
  EXPECT_TRUE(fits(compile(rules), "abc123"));
  EXPECT_FALSE(fits(compile(rules), "a1"));
  rules.pattern = "(a";
  EXPECT_THAT(problem_of(rules), testing::StartsWith("regex: "));
  rules.content = Content::kGrammar;
  rules.pattern = "root ::= \"(\" root \")\" | \"x\"";
  EXPECT_TRUE(fits(compile(rules), "((x))"));
  EXPECT_FALSE(fits(compile(rules), "((x)"));
  rules.pattern = "root ::= \"a\"\n| ?";
  EXPECT_THAT(problem_of(rules), testing::StartsWith("grammar: line 2"));
  rules.content = Content::kChoice;
  rules.choices = {};
  EXPECT_THAT(problem_of(rules), testing::StartsWith("choice: "));
}

// What a tool that is not strict gets is up to the model, as long as it can be read.
TEST(AnswerGrammar, ToolsThatAreNotStrict) {
  AnswerRules rules = weather(Calls::kMay);
  rules.tools[0].fit = Fit::kNot;
  const auto grammar = compile(rules);
  EXPECT_TRUE(fits(grammar, block(call(""))));
  EXPECT_TRUE(fits(
      grammar, block(call(parameter("a b", true, "anything") + "\n" + parameter("c", false, "[1, {}]")))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("c", false, "[1, {]")))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("c", false, "\"text\"")))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("c", true, "text"), "stop"))));  // that one is
}

TEST(AnswerGrammar, SchemasThatCannotBeKeptTo) {
  AnswerRules rules = weather();
  rules.tools[1].parameters =
      json(R"({"type": "object", "properties": {"x": {"type": "string", "pattern": "(?<=a)b"}}})");
  EXPECT_THAT(problem_of(rules),
              testing::AllOf(testing::StartsWith("tools.stop: "), testing::HasSubstr("pattern")));
  rules.tools[1].fit = Fit::kIfPossible;
  EXPECT_TRUE(fits(compile(rules), block(call(parameter("x", true, "y"), "stop"))));
  EXPECT_FALSE(fits(compile(rules), block(call(""))));  // the other one is kept to
  rules.tools[1] = tool("stop", R"({"type": "object", "properties": {"a\"b": {}}})");
  EXPECT_THAT(problem_of(rules), testing::StartsWith("tools.stop: "));
  rules.tools[1] = tool("stop", R"({"type": "string"})");
  EXPECT_THAT(problem_of(rules), testing::StartsWith("tools.stop: "));
  rules.tools.clear();
  EXPECT_THAT(problem_of(rules), testing::StartsWith("tools: "));
  rules = {};
  rules.content = Content::kJson;
  rules.schema = json(R"({"type": "object", "properties": {"a": {"type": "strung"}}})");
  EXPECT_THAT(problem_of(rules),
              testing::AllOf(testing::StartsWith("schema: "), testing::HasSubstr("properties/a")));
}

// Whatever the combination of keywords at the top.
TEST(AnswerGrammar, SchemasOfManyForms) {
  AnswerRules rules;
  rules.calls = Calls::kMust;
  rules.tools = {
      tool("f", R"({"$ref": "#/$defs/args", "$defs": {"args": {"type": "object", "properties": {
      "tree": {"$ref": "#/$defs/tree"}}, "required": ["tree"], "additionalProperties": {"type": "integer"}},
      "tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}, "additionalProperties": false}}})"),
      tool("g", R"({"type": "object", "anyOf": [
      {"properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false},
      {"properties": {"b": {"type": "boolean"}}, "required": ["b"], "additionalProperties": false}]})"),
      tool("h", R"({"type": "object", "properties": {"v": {"anyOf": [{"type": "string", "pattern": "^x+$"},
      {"type": "array", "items": {"type": "string"}, "maxItems": 2}]}, "w": {}}, "dependentRequired": {"v": ["w"]},
      "additionalProperties": false})")};
  const auto grammar = compile(rules);
  const auto tree = parameter("tree", false, R"({"left": {"left": {}}})");
  EXPECT_TRUE(fits(grammar, block(call(tree, "f"))));
  EXPECT_TRUE(fits(grammar, block(call(tree + "\n" + parameter("other", false, "7"), "f"))));
  EXPECT_FALSE(fits(grammar, block(call(tree + "\n" + parameter("other", true, "7"), "f"))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("other", false, "7"), "f"))));
  EXPECT_TRUE(fits(grammar, block(call(parameter("a", true, "x"), "g"))));
  EXPECT_TRUE(fits(grammar, block(call(parameter("b", false, "true"), "g"))));
  EXPECT_FALSE(
      fits(grammar, block(call(parameter("a", true, "x") + "\n" + parameter("b", false, "true"), "g"))));
  EXPECT_TRUE(fits(grammar, block(call("", "h"))));
  EXPECT_FALSE(fits(grammar, block(call(parameter("v", true, "xx"), "h"))));
  EXPECT_TRUE(
      fits(grammar, block(call(parameter("v", true, "xx") + "\n" + parameter("w", true, "any"), "h"))));
  EXPECT_TRUE(fits(
      grammar,
      block(call(parameter("v", false, R"(["a", "b"])") + "\n" + parameter("w", false, "[null]"), "h"))));
  EXPECT_FALSE(fits(
      grammar,
      block(call(parameter("v", false, R"(["a", "b", "c"])") + "\n" + parameter("w", false, "0"), "h"))));
  EXPECT_FALSE(
      fits(grammar, block(call(parameter("v", true, "y") + "\n" + parameter("w", false, "0"), "h"))));
}

// Random answers are read back as calls whose arguments fit.
TEST(AnswerGrammar, RandomAnswersAreWellFormed) {
  std::mt19937 random(7);
  int calls = 0, texts = 0, whole = 0;
  for (const ParserStart start : {ParserStart::kContent, ParserStart::kReasoning, ParserStart::kToolCalls}) {
    AnswerRules rules = weather(start == ParserStart::kToolCalls ? Calls::kMust : Calls::kMay);
    rules.start = start;
    rules.tools.push_back(tool("open", "{}", Fit::kNot));
    const auto grammar = compile(rules);
    for (int i = 0; i < 150; ++i) {
      const auto ids = walk(grammar, random, 150);
      if (!ids) continue;
      ++whole;
      const ParsedMessage message = parsed(*ids, start);
      EXPECT_EQ(message.reason, message.calls.empty() ? FinishReason::kStop : FinishReason::kToolCalls);
      texts += message.calls.empty();
      EXPECT_TRUE(start != ParserStart::kToolCalls || !message.calls.empty());
      EXPECT_EQ(message.content.find("DSML"), std::string::npos);
      for (const ParsedCall& made : message.calls) {
        ++calls;
        const auto arguments = parse_json(made.arguments);
        ASSERT_TRUE(arguments && arguments->is_object()) << made.arguments << "\n" << text_of(*ids);
        EXPECT_TRUE(made.name != "stop" || made.arguments == "{}") << made.arguments;
        if (made.name != "get_weather") continue;
        const JsonValue* place = arguments->find("place");
        const JsonValue* days = arguments->find("days");
        ASSERT_TRUE(place != nullptr && days != nullptr) << made.arguments;
        EXPECT_TRUE(place->is_string() && days->is(JsonValue::Kind::kNumber));
        const double n = std::stod(days->text);
        EXPECT_TRUE(n >= 1 && n <= 14) << days->text;
        for (const std::string& key : arguments->keys)
          EXPECT_THAT(key, testing::AnyOf("place", "days", "unit", "note"));
        const JsonValue* unit = arguments->find("unit");
        EXPECT_TRUE(unit == nullptr || unit->text == "C" || unit->text == "F");
      }
    }
  }
  EXPECT_GT(whole, 300);
  EXPECT_GT(calls, 150);
  EXPECT_GT(texts, 20);
}

TEST(AnswerGrammar, RulesHaveOneKeyEach) {
  const AnswerRules rules = weather();
  AnswerRules other = weather();
  EXPECT_EQ(rules.key(), other.key());
  other.parallel = false;
  EXPECT_NE(rules.key(), other.key());
  other = weather();
  other.tools[0].fit = Fit::kNot;
  EXPECT_NE(rules.key(), other.key());
  other = weather();
  std::swap(other.tools[0], other.tools[1]);
  EXPECT_NE(rules.key(), other.key());
  AnswerRules a, b;
  a.content = b.content = Content::kChoice;
  a.choices = {"a,1:b"};
  b.choices = {"a", "b"};
  EXPECT_NE(a.key(), b.key());
}

TEST(AnswerGrammar, WhatNeedsNoGrammar) {
  AnswerRules rules;
  EXPECT_FALSE(rules.bind());
  rules = weather(Calls::kMay);
  EXPECT_TRUE(rules.bind());
  for (AnswerRules::Tool& tool : rules.tools) tool.fit = Fit::kNot;
  EXPECT_FALSE(rules.bind());
  rules.parallel = false;
  EXPECT_FALSE(rules.bind());
  rules.calls = Calls::kMust;
  EXPECT_TRUE(rules.bind());
  rules = {};
  rules.content = Content::kJson;
  EXPECT_TRUE(rules.bind());
}

}  // namespace
}  // namespace hadal
