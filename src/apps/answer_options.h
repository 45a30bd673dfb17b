// What the command line says an answer must be.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assistant/answer_grammar.h"
#include "assistant/text_model.h"
#include "chat/message.h"

namespace hadal::apps {

struct AnswerOptions {
  std::string schema, grammar, tools;  // files
  std::optional<std::string> regex;
  std::vector<std::string> choices;
  std::string tool_choice = "auto";  // auto, none, required or the name of a tool
  std::string json_space = "compact";
};
void add_answer_options(CLI::App& command, AnswerOptions& options);

// compact, python or any.
grammar::JsonStyle::Space json_space(std::string_view word);

// The rules, but for where the prompt ends. Puts the tools into the request. Throws Error: the file or the
// option, and what is wrong.
AnswerRules answer_rules(const AnswerOptions& options, ChatRequest& request);

// The grammar at its beginning; null where anything goes. Says in the log what of a schema has no effect.
// Throws Error as above.
std::shared_ptr<const TokenConstraint> make_constraint(const AnswerOptions& options, const AnswerRules& rules,
                                                       const TextModel& text);

}  // namespace hadal::apps
