#include "apps/answer_options.h"

#include <algorithm>

#include "apps/ids_file.h"
#include "base/error.h"
#include "base/log.h"
#include "text/json_value.h"

namespace hadal::apps {
namespace {

JsonValue read_json(const std::string& file) {
  auto value = hadal::parse_json(read_file(file));
  if (!value) fail(ErrorCode::kInvalidFile, "{}: not valid JSON: {}", file, value.error().to_string());
  return std::move(*value);
}

// {"type": "function", "function": {...}} or the function alone.
AnswerRules::Tool read_tool(const JsonValue& value, const std::string& where) {
  const JsonValue* wrapped = value.is_object() ? value.find("function") : nullptr;
  const JsonValue& function = wrapped != nullptr ? *wrapped : value;
  const JsonValue* name = function.is_object() ? function.find("name") : nullptr;
  if (name == nullptr || !name->is_string() || name->text.empty() ||
      name->text.find_first_of("\"\n<>") != std::string::npos)
    fail(ErrorCode::kInvalidFile, "{}.name: expected the name of a tool", where);
  AnswerRules::Tool tool{name->text, {}, AnswerRules::Fit::kMust};
  const JsonValue* parameters = function.find("parameters");
  if (parameters != nullptr && !parameters->keys.empty()) {
    tool.parameters = *parameters;
    return tool;
  }
  tool.parameters =
      *hadal::parse_json(R"({"type": "object", "properties": {}, "additionalProperties": false})");
  return tool;
}

void read_tools(const AnswerOptions& options, AnswerRules& rules, ChatRequest& request) {
  const std::string text = read_file(options.tools);
  const JsonValue list = read_json(options.tools);
  if (!list.is_array() || list.items.empty())
    fail(ErrorCode::kInvalidFile, "{}: expected an array of tools", options.tools);
  const auto request_tools = chat_request_from_json("{\"messages\": [], \"tools\": " + text + "}");
  if (!request_tools)
    fail(ErrorCode::kInvalidFile, "{}: {}", options.tools, request_tools.error().to_string());
  const bool named = options.tool_choice != "auto" && options.tool_choice != "required";
  for (size_t i = 0; i < list.items.size(); ++i) {
    AnswerRules::Tool tool = read_tool(list.items[i], fmt::format("{}: [{}]", options.tools, i));
    if (std::ranges::count(rules.tools, tool.name, &AnswerRules::Tool::name) > 0)
      fail(ErrorCode::kInvalidFile, "{}: [{}].name: there is another tool called {}", options.tools, i,
           tool.name);
    if (named && tool.name != options.tool_choice) continue;
    rules.tools.push_back(std::move(tool));
    request.tools.push_back(request_tools->tools[i]);
  }
  if (rules.tools.empty())
    fail(ErrorCode::kInvalidInput, "--tool-choice: there is no tool called {} in {}", options.tool_choice,
         options.tools);
  rules.parallel = !named;
  rules.calls = options.tool_choice == "auto" ? AnswerRules::Calls::kMay : AnswerRules::Calls::kMust;
}

// The option that a part of the rules came from.
std::string_view option_name(std::string_view part) {
  return part == "schema"    ? "--schema"
         : part == "regex"   ? "--regex"
         : part == "grammar" ? "--grammar"
                             : "--choice";
}

}  // namespace

void add_answer_options(CLI::App& command, AnswerOptions& options) {
  CLI::Option* schema = command.add_option("--schema", options.schema,
                                           "file of a JSON Schema: the answer is JSON that fits it");
  CLI::Option* regex = command.add_option("--regex", options.regex,
                                          "regular expression (ECMA-262): all of the answer matches it");
  CLI::Option* grammar =
      command.add_option("--grammar", options.grammar, "file of an EBNF grammar of the answer");
  CLI::Option* choice = command.add_option(
      "--choice", options.choices, "the answer is this text, or another one; may be given several times");
  const std::vector<CLI::Option*> contents = {schema, regex, grammar, choice};
  for (CLI::Option* one : contents)
    for (CLI::Option* other : contents)
      if (one != other) one->excludes(other);
  CLI::Option* tools = command.add_option(
      "--tools", options.tools, "file with an array of tools; arguments of calls fit the tools' schemas");
  command
      .add_option("--tool-choice", options.tool_choice,
                  "whether a tool is called: auto, required, or the name of one that is")
      ->needs(tools)
      ->capture_default_str();
  command
      .add_option("--json-space", options.json_space,
                  "white space in JSON: none, as Python writes it, or any")
      ->check(CLI::IsMember({"compact", "python", "any"}))
      ->capture_default_str();
}

grammar::JsonStyle::Space json_space(std::string_view word) {
  using Space = grammar::JsonStyle::Space;
  return word == "any" ? Space::kAny : word == "python" ? Space::kPython : Space::kCompact;
}

AnswerRules answer_rules(const AnswerOptions& options, ChatRequest& request) {
  using Content = AnswerRules::Content;
  AnswerRules rules;
  rules.style.space = json_space(options.json_space);
  if (!options.schema.empty()) {
    rules.content = Content::kJson;
    rules.schema = read_json(options.schema);
    request.response_format = read_file(options.schema);
  } else if (!options.grammar.empty()) {
    rules.content = Content::kGrammar;
    rules.pattern = read_file(options.grammar);
  } else if (options.regex) {
    rules.content = Content::kRegex;
    rules.pattern = *options.regex;
  } else if (!options.choices.empty()) {
    rules.content = Content::kChoice;
    rules.choices = options.choices;
  }
  if (!options.tools.empty()) read_tools(options, rules, request);
  return rules;
}

std::shared_ptr<const TokenConstraint> make_constraint(const AnswerOptions& options, const AnswerRules& rules,
                                                       const TextModel& text) {
  if (!rules.bind()) return nullptr;
  std::vector<grammar::SchemaNote> notes;
  const auto compiled = answer_grammar(text.vocabulary(), text.end_ids(), text.style(), rules, &notes);
  if (!compiled) {
    const auto& [where, what] = compiled.error();
    if (where.starts_with("tools")) fail(ErrorCode::kInvalidInput, "{}: {}: {}", options.tools, where, what);
    if (where.empty()) fail(ErrorCode::kInvalidInput, "{}", what);
    const std::string& file = where == "schema" ? options.schema : options.grammar;
    fail(ErrorCode::kInvalidInput, "{}: {}",
         where == "schema" || where == "grammar" ? file : option_name(where), what);
  }
  for (const grammar::SchemaNote& note : notes) log_warning("{}: {}", note.where, note.what);
  return std::make_shared<grammar::Matcher>(*compiled);
}

}  // namespace hadal::apps
