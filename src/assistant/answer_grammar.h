// What a whole answer in the chat format must be, as one grammar: reasoning, then content of some form, then
// calls of tools (api.md A8, A17.6). What the tools' parameters must be is part of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "chat/parser.h"
#include "chat/prompt_template.h"
#include "sample/grammar/grammar.h"
#include "sample/grammar/json_grammar.h"
#include "text/json_value.h"

namespace hadal {

struct AnswerRules {
  enum class Content : uint8_t {
    kText,     // anything
    kJson,     // a JSON value that fits `schema`
    kRegex,    // the whole of it matches `pattern`
    kChoice,   // one of `choices`
    kGrammar,  // an EBNF grammar, in `pattern`
  };
  enum class Calls : uint8_t {
    kNone,
    kMay,   // a block of calls behind text, or in the place of any other content
    kMust,  // a block of calls and nothing before it
  };
  // Whether the arguments of a call fit the tool's schema, besides being well-formed.
  enum class Fit : uint8_t {
    kNot,
    kIfPossible,  // unless there is something in it that cannot be kept to
    kMust,
  };
  struct Tool {
    std::string name;
    JsonValue parameters{};  // a schema
    Fit fit = Fit::kNot;
  };

  ParserStart start = ParserStart::kContent;  // where the prompt ends
  Content content = Content::kText;
  JsonValue schema{};
  std::string pattern{};
  std::vector<std::string> choices{};
  Calls calls = Calls::kNone;
  std::vector<Tool> tools{};  // that may be called
  bool parallel = true;       // more than one call in a block
  grammar::JsonStyle style{};

  // Whether there is anything to keep to. Without it an answer is whatever the model says.
  bool bind() const;
  // The same text for the same rules, and for no others.
  std::string key() const;
};

// The schema of json_object: any object.
JsonValue object_schema();

// end_ids: what ends an answer. Problem: where is "tools.NAME", "schema", "regex", "choice", "grammar" or
// empty; what says why it cannot be kept to. May take a while; safe from any thread.
Result<std::shared_ptr<grammar::Grammar>> answer_grammar(
    std::shared_ptr<const grammar::Vocabulary> vocabulary, std::vector<int32_t> end_ids,
    const PromptTemplate& style, const AnswerRules& rules, std::vector<grammar::SchemaNote>* notes = nullptr);

}  // namespace hadal
