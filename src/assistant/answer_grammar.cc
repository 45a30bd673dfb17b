#include "assistant/answer_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "assistant/call_grammar.h"
#include "base/error.h"
#include "chat/python_json.h"
#include "chat/special_tokens.h"
#include "sample/grammar/ebnf.h"
#include "sample/grammar/regex.h"

namespace hadal {

using namespace grammar;

namespace {

JsonValue make_object() {
  JsonValue value;
  value.kind = JsonValue::Kind::kObject;
  return value;
}

class Builder {
 public:
  Builder(Automaton& automaton, const Tokenizer& tokenizer, const PromptTemplate& style,
          const AnswerRules& rules, std::vector<SchemaNote>* notes, std::string& at)
      : automaton_(automaton),
        pool_(automaton.pool()),
        tokenizer_(tokenizer),
        style_(style),
        rules_(rules),
        notes_(notes),
        at_(at) {}

  NodeId build() {
    const bool calls = rules_.calls != AnswerRules::Calls::kNone;
    if (calls) add_calls();
    if (rules_.start == ParserStart::kToolCalls) {
      if (!calls) refuse("tools", "the prompt ends inside of calls and there are none to make");
      return calls_->calls();
    }
    const NodeId answer = this->answer();
    if (rules_.start != ParserStart::kReasoning && rules_.start != ParserStart::kReasoningContinued)
      return answer;
    return text_up_to(special(special::kEndThink), answer);
  }

 private:
  ExprId special(std::string_view literal) const {
    const auto id = tokenizer_.added_id(literal);
    if (!id) fail(ErrorCode::kUnsupported, "the tokenizer has no token {}", literal);
    return pool_.set(CharSet::one(kFirstSpecial + static_cast<uint32_t>(*id)));
  }
  NodeId raw(ExprId e, NodeId next) { return automaton_.terminal_node(automaton_.terminals().raw(e), next); }
  NodeId text_up_to(ExprId end, NodeId next) { return raw(pool_.concat(ExprPool::kAll, end), next); }

  void add_calls() {
    std::vector<CallGrammar::Tool> tools;
    for (const AnswerRules::Tool& tool : rules_.tools) tools.push_back({tool.name, &parameters(tool)});
    if (tools.empty()) refuse("tools", "expected tools that can be called");
    const DsmlTags& tags = style_.tags();
    const auto mark = tokenizer_.added_id(tags.token);
    if (!mark) fail(ErrorCode::kUnsupported, "the tokenizer has no token {}", tags.token);
    calls_ = &CallGrammar::add(automaton_, tags, *mark, std::move(tools), rules_.parallel);
  }

  // Of a call.
  JsonGrammar& parameters(const AnswerRules::Tool& tool) {
    JsonStyle style = rules_.style;  // as the model has learnt to write them
    if (style.space == JsonStyle::Space::kCompact) style.space = JsonStyle::Space::kPython;
    if (tool.fit != AnswerRules::Fit::kNot) {
      try {
        at_ = fmt::format("tools.{}", tool.name);
        const JsonValue* properties = member(tool.parameters, "properties");
        if (properties != nullptr && properties->is_object())
          for (const std::string& name : properties->keys)
            if (name.find('"') != std::string::npos)
              fail(ErrorCode::kInvalidInput,
                   "the format of calls has no parameters with a quote in their name, {}", name);
        JsonGrammar& fitting = json(tool.parameters, style);
        if (fitting.objects().empty()) fail(ErrorCode::kInvalidInput, "no object fits the schema");
        return fitting;
      } catch (const Error&) {
        if (tool.fit == AnswerRules::Fit::kMust) throw;
      }
    }
    return json(object_schema(), style);
  }

  JsonGrammar& json(const JsonValue& schema, JsonStyle style) {
    JsonGrammar& json = JsonGrammar::add(automaton_, schema, style);
    if (notes_ != nullptr)
      for (const SchemaNote& note : json.notes())
        notes_->push_back({fmt::format("{}: {}", at_, note.where), note.what});
    return json;
  }

  [[noreturn]] void refuse(std::string where, std::string_view why) {
    at_ = std::move(where);
    fail(ErrorCode::kInvalidInput, "{}", why);
  }

  // Behind the reasoning.
  NodeId answer() {
    if (calls_ == nullptr) return content();
    if (rules_.calls == AnswerRules::Calls::kMust) return raw(calls_->opening(), calls_->calls());
    if (rules_.content != AnswerRules::Content::kText)
      return automaton_.choice_node({content(), raw(calls_->opening(), calls_->calls())});
    return automaton_.choice_node({content(), text_up_to(calls_->opening(), calls_->calls())});
  }

  NodeId content() {
    const NodeId end = automaton_.end();
    switch (rules_.content) {
      case AnswerRules::Content::kText:
        return raw(ExprPool::kAll, end);
      case AnswerRules::Content::kJson: {
        at_ = "schema";
        return json(rules_.schema, rules_.style).document();
      }
      case AnswerRules::Content::kRegex: {
        const Result<ExprId> regex = whole_regex(pool_, rules_.pattern);
        if (!regex) refuse("regex", regex.error().to_string());
        return raw(*regex, end);
      }
      case AnswerRules::Content::kChoice:
        if (rules_.choices.empty()) refuse("choice", "expected at least one text");
        return raw(pool_.literals(rules_.choices), end);
      case AnswerRules::Content::kGrammar: {
        const Result<NodeId> node = ebnf_node(automaton_, rules_.pattern);
        if (!node) refuse("grammar", node.error().to_string());
        return *node;
      }
    }
    return end;
  }

  Automaton& automaton_;
  ExprPool& pool_;
  const Tokenizer& tokenizer_;
  const PromptTemplate& style_;
  const AnswerRules& rules_;
  std::vector<SchemaNote>* notes_;
  std::string& at_;  // the part of the rules at hand
  CallGrammar* calls_ = nullptr;
};

void append_text(std::string_view text, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{}:{},", text.size(), text);
}

}  // namespace

JsonValue object_schema() {
  JsonValue type;
  type.kind = JsonValue::Kind::kString;
  type.text = "object";
  JsonValue schema = make_object();
  schema.keys.emplace_back("type");
  schema.items.push_back(std::move(type));
  return schema;
}

bool AnswerRules::bind() const {
  if (content != Content::kText || calls == Calls::kMust) return true;
  if (calls == Calls::kNone) return false;
  return std::ranges::any_of(tools, [](const Tool& tool) { return tool.fit != Fit::kNot; });
}

std::string AnswerRules::key() const {
  std::string key = fmt::format("{} {} {} {} {} {} {} ", static_cast<int>(start), static_cast<int>(content),
                                static_cast<int>(calls), parallel, static_cast<int>(style.space),
                                style.any_order, style.any_spelling);
  if (content == Content::kJson) append_text(python_json(schema), key);
  append_text(pattern, key);
  for (const std::string& choice : choices) append_text(choice, key);
  key += "tools ";
  for (const Tool& tool : tools) {
    append_text(tool.name, key);
    append_text(tool.fit != Fit::kNot ? python_json(tool.parameters) : std::string(), key);
    key += static_cast<char>('0' + static_cast<int>(tool.fit));
  }
  return key;
}

Result<std::shared_ptr<Grammar>> answer_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                std::vector<int32_t> end_ids, const PromptTemplate& style,
                                                const AnswerRules& rules, std::vector<SchemaNote>* notes) {
  const Tokenizer tokenizer = vocabulary->tokenizer();
  std::string at;
  auto grammar = Grammar::make(std::move(vocabulary), std::move(end_ids), [&](Automaton& automaton) {
    const NodeId node = Builder(automaton, tokenizer, style, rules, notes, at).build();
    at.clear();
    return node;
  });
  if (!grammar) grammar.error().where = at;
  return grammar;
}

}  // namespace hadal
