#include "sample/grammar/ebnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "sample/grammar/ebnf_syntax.h"
#include "sample/grammar/grammar.h"
#include "sample/grammar/regex.h"

namespace hadal::grammar {
namespace {

using Kind = EbnfNode::Kind;
constexpr ExprId kNotRegular = UINT32_MAX;
// Elements of an expression that is written out, and of all of them: a rule that is used twice is in it
// twice.
constexpr uint32_t kMostFolded = 4096, kMostFoldedInAll = 300'000;
constexpr uint32_t kMostNested = 200;     // rules that begin with one another
constexpr uint32_t kMostMaybeEmpty = 50;  // repetitions of something that may be empty

struct Refused {
  size_t at;
  std::string what;
};

// What is known of each node before anything is read.
class Analysis {
 public:
  Analysis(const Ebnf& ebnf, ExprPool& pool)
      : ebnf_(ebnf), pool_(pool), facts_(ebnf.nodes.size()), rules_(ebnf.rules.size()) {
    fold();
    find_texts();
    check_left_edges();
    check_repeats();
  }

  // The texts of a node, if they are an expression.
  ExprId expr(uint32_t node) const { return facts_[node].expr; }
  uint32_t weight(uint32_t node) const { return facts_[node].weight; }

 private:
  struct Facts {
    ExprId expr = kNotRegular;
    uint32_t weight = 0;  // elements when it is written out, at most kMostFolded + 1
    bool has_text = false, may_be_empty = false;
  };
  struct RuleFacts {
    std::vector<uint32_t> uses;  // of other rules, each once
    std::vector<uint32_t> used_by;
  };

  const EbnfNode& node(uint32_t id) const { return ebnf_.nodes[id]; }
  const Facts& body(uint32_t rule) const { return facts_[ebnf_.rules[rule].body]; }
  template <class F>
  void for_nodes(uint32_t rule, F&& f) const {
    for (uint32_t id = ebnf_.rules[rule].first; id <= ebnf_.rules[rule].body; ++id) f(id);
  }
  void fold();
  void fold_node(uint32_t id);
  ExprId make(const EbnfNode& node);
  void find_texts();
  bool update(uint32_t id);
  void check_left_edges();
  void left_edges(uint32_t id, std::vector<uint32_t>& rules) const;
  void check_repeats() const;

  const Ebnf& ebnf_;
  ExprPool& pool_;
  std::vector<Facts> facts_;
  std::vector<RuleFacts> rules_;
  uint32_t folded_ = 0;
};

ExprId Analysis::make(const EbnfNode& node) {
  const auto exprs = [&] {
    std::vector<ExprId> all;
    for (const uint32_t part : node.parts) all.push_back(expr(part));
    return all;
  };
  switch (node.kind) {
    case Kind::kText:
      return pool_.text(node.text);
    case Kind::kSet:
      return pool_.set(node.set);
    case Kind::kRegex: {
      const Result<ExprId> texts = whole_regex(pool_, node.text);
      if (!texts) throw Refused{node.at, texts.error().to_string()};
      return *texts;
    }
    case Kind::kRule:
      return body(node.rule).expr;
    case Kind::kConcat: {
      ExprId whole = ExprPool::kEmpty;
      for (size_t i = node.parts.size(); i > 0; --i) whole = pool_.concat(expr(node.parts[i - 1]), whole);
      return whole;
    }
    case Kind::kOr:
      return pool_.either(exprs());
    case Kind::kRepeat:
      return pool_.repeat(expr(node.parts[0]), node.min, node.max);
  }
  return kNotRegular;
}

void Analysis::fold_node(uint32_t id) {
  const EbnfNode& node = this->node(id);
  Facts& facts = facts_[id];
  bool regular = true;
  uint32_t weight = 1;
  const auto include = [&](const Facts& part) {
    regular = regular && part.expr != kNotRegular;
    weight = std::min(weight + part.weight, kMostFolded + 1);
  };
  const bool is_leaf = node.kind == Kind::kText || node.kind == Kind::kSet || node.kind == Kind::kRegex;
  if (node.kind == Kind::kRegex)
    weight = std::min(static_cast<uint32_t>(node.text.size()) + 1, kMostFolded + 1);
  if (node.kind == Kind::kRule) include(body(node.rule));
  for (const uint32_t part : node.parts) include(facts_[part]);
  facts.weight = weight;
  if (!is_leaf) {
    if (!regular || weight > kMostFolded || folded_ + weight > kMostFoldedInAll) return;
    folded_ += weight;
  }
  facts.expr = make(node);
  if (pool_.empty(facts.expr)) throw Refused{node.at, "no text fits here"};
}

// Rules of which all that they use is known, until only what is recursive, or uses it, is left.
void Analysis::fold() {
  const auto count = static_cast<uint32_t>(rules_.size());
  std::vector<uint32_t> open(count, 0), ready;
  for (uint32_t rule = 0; rule < count; ++rule) {
    std::vector<uint32_t>& uses = rules_[rule].uses;
    for_nodes(rule, [&](uint32_t id) {
      if (node(id).kind == Kind::kRule) uses.push_back(node(id).rule);
    });
    std::ranges::sort(uses);
    uses.erase(std::unique(uses.begin(), uses.end()), uses.end());
    open[rule] = static_cast<uint32_t>(uses.size());
    for (const uint32_t used : uses) rules_[used].used_by.push_back(rule);
    if (uses.empty()) ready.push_back(rule);
  }
  for (size_t i = 0; i < ready.size(); ++i) {
    for_nodes(ready[i], [this](uint32_t id) { fold_node(id); });
    for (const uint32_t user : rules_[ready[i]].used_by)
      if (--open[user] == 0) ready.push_back(user);
  }
  for (uint32_t rule = 0; rule < count; ++rule)
    if (open[rule] > 0) for_nodes(rule, [this](uint32_t id) { fold_node(id); });
}

// Whether the facts of a node have grown with those of its parts.
bool Analysis::update(uint32_t id) {
  const EbnfNode& node = this->node(id);
  const auto has_text = [this](uint32_t part) { return facts_[part].has_text; };
  const auto may_be_empty = [this](uint32_t part) { return facts_[part].may_be_empty; };
  Facts now = facts_[id];
  if (now.expr != kNotRegular) {
    now.has_text = true;
    now.may_be_empty = pool_.nullable(now.expr);
  } else if (node.kind == Kind::kRule) {
    now.has_text = body(node.rule).has_text;
    now.may_be_empty = body(node.rule).may_be_empty;
  } else if (node.kind == Kind::kOr) {
    now.has_text = std::ranges::any_of(node.parts, has_text);
    now.may_be_empty = std::ranges::any_of(node.parts, may_be_empty);
  } else {
    const bool optional = node.kind == Kind::kRepeat && node.min == 0;
    now.has_text = optional || std::ranges::all_of(node.parts, has_text);
    now.may_be_empty = optional || std::ranges::all_of(node.parts, may_be_empty);
  }
  const bool grown = now.has_text != facts_[id].has_text || now.may_be_empty != facts_[id].may_be_empty;
  facts_[id] = now;
  return grown;
}

void Analysis::find_texts() {
  std::vector<uint32_t> open;
  for (uint32_t rule = static_cast<uint32_t>(rules_.size()); rule > 0;) open.push_back(--rule);
  std::vector<bool> is_open(rules_.size(), true);
  while (!open.empty()) {
    const uint32_t rule = open.back();
    open.pop_back();
    is_open[rule] = false;
    bool grown = false;  // the body comes last
    for_nodes(rule, [&](uint32_t id) { grown = update(id); });
    if (!grown) continue;
    for (const uint32_t user : rules_[rule].used_by)
      if (!is_open[user]) is_open[user] = true, open.push_back(user);
  }
  for (uint32_t rule = 0; rule < rules_.size(); ++rule)
    if (!body(rule).has_text)
      throw Refused{
          ebnf_.rules[rule].at,
          fmt::format("the rule {} never comes to an end: it has no finite text", ebnf_.rules[rule].name)};
}

// Rules that may be called before anything is read.
void Analysis::left_edges(uint32_t id, std::vector<uint32_t>& rules) const {
  const EbnfNode& node = this->node(id);
  if (facts_[id].expr != kNotRegular) return;
  if (node.kind == Kind::kRule) rules.push_back(node.rule);
  for (const uint32_t part : node.parts) {
    left_edges(part, rules);
    if (node.kind == Kind::kConcat && !facts_[part].may_be_empty) break;
  }
}

void Analysis::check_left_edges() {
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  struct Visit {
    uint32_t rule;
    std::vector<uint32_t> edges;
    size_t next = 0;
  };
  std::vector<Mark> marks(rules_.size(), Mark::kNew);
  std::vector<uint32_t> nested(rules_.size(), 0);  // rules that may begin it, one inside the other
  std::vector<Visit> open;
  const auto begin = [&](uint32_t rule) {
    marks[rule] = Mark::kOpen;
    Visit visit{rule, {}};
    left_edges(ebnf_.rules[rule].body, visit.edges);
    std::ranges::sort(visit.edges);
    visit.edges.erase(std::unique(visit.edges.begin(), visit.edges.end()), visit.edges.end());
    open.push_back(std::move(visit));
  };
  for (uint32_t rule = 0; rule < rules_.size(); ++rule) {
    if (marks[rule] == Mark::kNew) begin(rule);
    while (!open.empty()) {
      Visit& visit = open.back();
      const EbnfRule& now = ebnf_.rules[visit.rule];
      if (visit.next == visit.edges.size()) {
        marks[visit.rule] = Mark::kDone;
        open.pop_back();
        continue;
      }
      const uint32_t to = visit.edges[visit.next];
      if (marks[to] == Mark::kOpen)
        throw Refused{ebnf_.rules[to].at, to == visit.rule
                                              ? fmt::format("the rule {} begins with itself", now.name)
                                              : fmt::format("the rule {} begins with itself, by way of {}",
                                                            ebnf_.rules[to].name, now.name)};
      if (marks[to] == Mark::kNew) {
        begin(to);
        continue;
      }
      nested[visit.rule] = std::max(nested[visit.rule], nested[to] + 1);
      if (nested[visit.rule] > kMostNested)
        throw Refused{now.at, fmt::format("more than {} rules begin with one another from the rule {} on",
                                          kMostNested, now.name)};
      ++visit.next;
    }
  }
}

void Analysis::check_repeats() const {
  for (uint32_t id = 0; id < facts_.size(); ++id) {
    const EbnfNode& node = this->node(id);
    if (node.kind != Kind::kRepeat || facts_[id].expr != kNotRegular) continue;
    if (facts_[node.parts[0]].may_be_empty && node.max > kMostMaybeEmpty)
      throw Refused{node.at,
                    fmt::format("what is repeated here uses recursive rules and may be empty; at most {} "
                                "repetitions of it are supported",
                                kMostMaybeEmpty)};
  }
}

// Nodes are made of a node of the tree, of what comes behind it, and of how much of it is over: parts of a
// concatenation, or repetitions.
class EbnfSource : public NodeSource {
 public:
  EbnfSource(Automaton& automaton, Ebnf ebnf)
      : automaton_(automaton), ebnf_(std::move(ebnf)), analysis_(ebnf_, automaton.pool()) {}

  void set_number(uint32_t number) { number_ = number; }
  NodeId start() { return of(ebnf_.rules[ebnf_.start].body, automaton_.end(), 0); }
  void expand(const NodeKey& key, Expansion& into) override;

 private:
  NodeId of(uint32_t id, NodeId next, uint32_t over) {
    return automaton_.node({number_, 1, {id, next, over}});
  }
  void terminal(ExprId e, NodeId next, Expansion& into) {
    into.terminal(automaton_.terminals().raw(e), next);
  }
  void expand_concat(const EbnfNode& node, const std::array<uint32_t, 4>& args, Expansion& into);

  Automaton& automaton_;
  const Ebnf ebnf_;
  const Analysis analysis_;
  uint32_t number_ = 0;
};

void EbnfSource::expand_concat(const EbnfNode& node, const std::array<uint32_t, 4>& args, Expansion& into) {
  const auto [id, next, over, unused] = args;
  const auto count = static_cast<uint32_t>(node.parts.size());
  const auto rest = [&](uint32_t done) { return done == count ? next : of(id, next, done); };
  uint32_t end = over, weight = 0;  // of what is one terminal
  for (; end < count && analysis_.expr(node.parts[end]) != kNotRegular; ++end) {
    weight += analysis_.weight(node.parts[end]);
    if (end > over && weight > kMostFolded) break;
  }
  if (end == over) return into.go_on(of(node.parts[over], rest(over + 1), 0));
  ExprId whole = ExprPool::kEmpty;
  for (uint32_t i = end; i > over; --i)
    whole = automaton_.pool().concat(analysis_.expr(node.parts[i - 1]), whole);
  terminal(whole, rest(end), into);
}

void EbnfSource::expand(const NodeKey& key, Expansion& into) {
  const auto [id, next, over, unused] = key.args;
  const EbnfNode& node = ebnf_.nodes[id];
  if (const ExprId e = analysis_.expr(id); e != kNotRegular) return terminal(e, next, into);
  switch (node.kind) {
    case Kind::kRule:
      return into.call(of(ebnf_.rules[node.rule].body, automaton_.end(), 0), next);
    case Kind::kConcat:
      return expand_concat(node, key.args, into);
    case Kind::kOr:
      for (const uint32_t part : node.parts) into.go_on(of(part, next, 0));
      return;
    case Kind::kRepeat: {
      if (over >= node.min) into.go_on(next);
      if (over >= node.max) return;
      const uint32_t most = node.max == UINT32_MAX ? node.min : node.max;
      return into.go_on(of(node.parts[0], of(id, next, std::min(over + 1, most)), 0));
    }
    default:
      return;  // leaves are expressions
  }
}

}  // namespace

Result<NodeId> ebnf_node(Automaton& automaton, std::string_view rules) {
  Result<Ebnf> ebnf = parse_ebnf(rules);
  if (!ebnf) return tl::make_unexpected(ebnf.error());
  try {
    auto made = std::make_unique<EbnfSource>(automaton, std::move(*ebnf));
    EbnfSource& source = *made;
    source.set_number(automaton.add_source(std::move(made)));
    return source.start();
  } catch (const Refused& refused) {
    return problem(line_and_column(rules, refused.at), refused.what);
  }
}

Result<std::shared_ptr<Grammar>> ebnf_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                              std::vector<int32_t> end_ids, std::string_view rules) {
  std::optional<Problem> bad;
  auto grammar = Grammar::make(std::move(vocabulary), std::move(end_ids), [&](Automaton& automaton) {
    const Result<NodeId> start = ebnf_node(automaton, rules);
    if (!start) {
      bad = start.error();
      fail(ErrorCode::kInvalidInput, "{}", bad->to_string());
    }
    return *start;
  });
  if (bad) return tl::make_unexpected(*bad);
  return grammar;
}

}  // namespace hadal::grammar
