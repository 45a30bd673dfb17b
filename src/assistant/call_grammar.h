// A block of tool calls as nodes of an automaton (api.md A8.1).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/prompt_template.h"
#include "sample/grammar/automaton.h"
#include "sample/grammar/json_grammar.h"

namespace hadal {

// Arguments are written parameter by parameter: strings bare, everything else as JSON. Which may come, in
// which order and with which values is what the tool's schema says of an object.
class CallGrammar : public grammar::NodeSource {
 public:
  struct Tool {
    std::string name;
    grammar::JsonGrammar* parameters;  // of the same automaton
  };
  // mark: the id of the special token in tags. Tools: at least one.
  static CallGrammar& add(grammar::Automaton& automaton, const DsmlTags& tags, int32_t mark,
                          std::vector<Tool> tools, bool parallel);

  // What a block begins with, and what comes then: the first call, more of them, the end of the block.
  grammar::ExprId opening();
  grammar::NodeId calls() { return make(kFirst); }

  void expand(const grammar::NodeKey& key, grammar::Expansion& into) override;
  grammar::NodeId after_literal(const grammar::NodeKey& key, uint32_t tag) override;

 private:
  enum Kind : uint32_t {
    kFirst = 1,   // behind the opening
    kMore,        // behind a call
    kToolChosen,  // behind the opening tag of a call
    kTool,        // {tool}
    kMembers,     // {tool, object state, whether one was written}
    kChosen,      // {tool, choices}: behind the opening tag of a parameter
    kValues,      // {tool, choices, one of them}
  };
  // What the opening tag of a parameter may lead to: its name and whether the value is a string decide.
  struct Choice {
    std::string tag;
    bool text = false;
    std::vector<std::pair<grammar::FormulaId, uint32_t>> values{};  // and the object state behind it
    bool operator<(const Choice& other) const {
      return std::tie(tag, text, values) < std::tie(other.tag, other.text, other.values);
    }
  };

  CallGrammar(grammar::Automaton& automaton, const DsmlTags& tags, int32_t mark, std::vector<Tool> tools,
              bool parallel);
  grammar::NodeId make(Kind kind, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0) {
    return automaton_.node({source_, kind, {a, b, c}});
  }
  // before, the mark, after.
  grammar::ExprId tag(std::string_view before, std::string_view after);
  grammar::ExprId tag(std::string_view before, grammar::ExprId after);
  grammar::StateId raw(grammar::ExprId e) { return automaton_.terminals().raw(e); }
  void invoke(std::string_view before, grammar::Expansion& into);
  void members(uint32_t tool, uint32_t state, bool any, grammar::Expansion& into);
  void value(uint32_t tool, bool text, grammar::FormulaId formula, uint32_t then, grammar::Expansion& into);

  grammar::Automaton& automaton_;
  grammar::ExprPool& pool_;
  uint32_t source_ = 0;
  const DsmlTags tags_;
  const grammar::ExprId mark_;
  const std::vector<Tool> tools_;
  const bool parallel_;
  grammar::ExprId key_ = 0;  // what can stand between quotes
  std::map<std::vector<Choice>, uint32_t> choice_index_;
  std::vector<const std::vector<Choice>*> choices_;
};

}  // namespace hadal
