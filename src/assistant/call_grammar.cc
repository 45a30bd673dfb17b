#include "assistant/call_grammar.h"

#include <fmt/format.h>

#include <algorithm>

namespace hadal {

using namespace grammar;

CallGrammar& CallGrammar::add(Automaton& automaton, const DsmlTags& tags, int32_t mark,
                              std::vector<Tool> tools, bool parallel) {
  std::unique_ptr<CallGrammar> grammar(new CallGrammar(automaton, tags, mark, std::move(tools), parallel));
  CallGrammar& added = *grammar;
  added.source_ = automaton.add_source(std::move(grammar));
  return added;
}

CallGrammar::CallGrammar(Automaton& automaton, const DsmlTags& tags, int32_t mark, std::vector<Tool> tools,
                         bool parallel)
    : automaton_(automaton),
      pool_(automaton.pool()),
      tags_(tags),
      mark_(pool_.set(CharSet::one(kFirstSpecial + static_cast<uint32_t>(mark)))),
      tools_(std::move(tools)),
      parallel_(parallel),
      key_(pool_.repeat(pool_.set(CharSet::one('"').complement()), 0)) {}

ExprId CallGrammar::tag(std::string_view before, ExprId after) {
  return pool_.concat({pool_.text(before), mark_, after});
}

ExprId CallGrammar::tag(std::string_view before, std::string_view after) {
  return tag(before, pool_.text(after));
}

ExprId CallGrammar::opening() {
  return tag("\n\n<", fmt::format("{}>\n", tags_.block));
}

void CallGrammar::expand(const NodeKey& key, Expansion& into) {
  const uint32_t a = key.args[0], b = key.args[1], c = key.args[2];
  switch (static_cast<Kind>(key.kind)) {
    case kFirst:
      return invoke("<", into);
    case kMore:
      into.terminal(raw(tag("\n</", fmt::format("{}>", tags_.block))), automaton_.end());
      if (parallel_) invoke("\n<", into);
      return;
    case kTool:
      for (const uint32_t state : tools_[a].parameters->objects()) into.go_on(make(kMembers, a, state));
      return;
    case kMembers:
      return members(a, b, c != 0, into);
    case kValues: {
      const Choice choice = (*choices_[b])[c];
      for (const auto& [formula, then] : choice.values) value(a, choice.text, formula, then, into);
      return;
    }
    case kToolChosen:
    case kChosen:
      return;  // after_literal() leads past them
  }
}

NodeId CallGrammar::after_literal(const NodeKey& key, uint32_t tag) {
  return key.kind == kToolChosen ? make(kTool, tag) : make(kValues, key.args[0], key.args[1], tag);
}

void CallGrammar::invoke(std::string_view before, Expansion& into) {
  std::vector<std::string> names;
  for (const Tool& tool : tools_) names.push_back(fmt::format("{} name=\"{}\">", tags_.invoke, tool.name));
  into.terminal_by_literal(raw(tag(before, pool_.literals(names))), make(kToolChosen));
}

// Behind the opening tag of the call, or behind a parameter.
void CallGrammar::members(uint32_t tool, uint32_t state, bool any, Expansion& into) {
  JsonGrammar& parameters = *tools_[tool].parameters;
  if (parameters.is_whole(state))
    into.terminal(raw(tag(any ? "\n</" : "\n\n</", fmt::format("{}>", tags_.invoke))), make(kMore));
  std::vector<Choice> choices;
  for (const JsonGrammar::Member& member : parameters.members(state)) {
    const bool declared = member.keys == ExprPool::kNone;
    if (declared && member.name.find('"') != std::string::npos) continue;  // it cannot be written
    for (const bool text : {true, false}) {
      if (text ? pool_.empty(parameters.strings(member.value))
               : !parameters.has_other_than_strings(member.value))
        continue;
      const std::string kind = fmt::format("\" string=\"{}\">", text);
      if (!declared) {
        const ExprId open = pool_.concat({pool_.text(fmt::format("{} name=\"", tags_.parameter)),
                                          pool_.both({member.keys, key_}), pool_.text(kind)});
        choices.push_back({{}, text, {{member.value, member.then}}});
        const auto [it, is_new] =
            choice_index_.try_emplace({choices.back()}, static_cast<uint32_t>(choices_.size()));
        if (is_new) choices_.push_back(&it->first);
        choices.pop_back();
        into.terminal(raw(tag("\n<", open)), make(kValues, tool, it->second, 0));
        continue;
      }
      std::string opening = fmt::format("{} name=\"{}{}", tags_.parameter, member.name, kind);
      auto known = std::ranges::find(choices, opening, &Choice::tag);
      if (known == choices.end()) known = choices.insert(known, {std::move(opening), text, {}});
      known->values.emplace_back(member.value, member.then);
    }
  }
  if (choices.empty()) return;
  std::vector<std::string> tags;
  for (const Choice& choice : choices) tags.push_back(choice.tag);
  const auto [it, is_new] =
      choice_index_.try_emplace(std::move(choices), static_cast<uint32_t>(choices_.size()));
  if (is_new) choices_.push_back(&it->first);
  into.terminal_by_literal(raw(tag("\n<", pool_.literals(tags))), make(kChosen, tool, it->second));
}

// One terminal for a bare string and the tag that closes it: it ends where nothing else could.
void CallGrammar::value(uint32_t tool, bool text, FormulaId formula, uint32_t then, Expansion& into) {
  JsonGrammar& parameters = *tools_[tool].parameters;
  const ExprId close = tag("</", fmt::format("{}>", tags_.parameter));
  const NodeId next = make(kMembers, tool, then, 1);
  if (text)
    into.terminal(raw(pool_.concat(parameters.strings(formula), close)), next);
  else
    into.go_on(parameters.other_than_strings(formula, automaton_.terminal_node(raw(close), next)));
}

}  // namespace hadal
