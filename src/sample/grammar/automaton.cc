#include "sample/grammar/automaton.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace hadal::grammar {
namespace {

constexpr int kMostNested = 2000;  // calls without anything read

}  // namespace

NodeId NodeSource::after_literal(const NodeKey&, uint32_t) {
  HADAL_CHECK(false, "this source has no literals to choose by");
  return 0;
}

size_t Automaton::KeyHash::operator()(const NodeKey& key) const {
  uint64_t hash = static_cast<uint64_t>(key.source) << 32 | key.kind;
  for (const uint32_t arg : key.args) {
    hash = (hash ^ arg) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 31;
  }
  return hash;
}

void Automaton::grow(int64_t bytes) {
  bytes_ += bytes;
  if (bytes_ > ExprPool::kMaxBytes)
    fail(ErrorCode::kInvalidInput, "the grammar is too complex: its automaton takes more than {} MiB",
         ExprPool::kMaxBytes >> 20);
}

uint32_t Automaton::add_source(std::unique_ptr<NodeSource> source) {
  sources_.push_back(std::move(source));
  return static_cast<uint32_t>(sources_.size() - 1);
}

NodeId Automaton::node(const NodeKey& key) {
  HADAL_CHECK(!(key == NodeKey{}), "this key is the end's");
  if (const auto known = index_.find(key); known != index_.end()) return known->second;
  grow(static_cast<int64_t>(2 * sizeof(NodeKey) + 64));
  const auto id = static_cast<NodeId>(keys_.size());
  keys_.push_back(key);
  index_.emplace(key, id);
  return id;
}

StackId Automaton::push(NodeId node, StackId below) {
  const uint64_t key = static_cast<uint64_t>(node) << 32 | below;
  if (const auto known = frame_index_.find(key); known != frame_index_.end()) return known->second;
  grow(static_cast<int64_t>(sizeof(Frame) + 48));
  const auto id = static_cast<StackId>(frames_.size());
  frames_.push_back({node, below});
  frame_index_.emplace(key, id);
  return id;
}

// Entries of a node that was called: when it ends, `return_to` comes.
void Automaton::include(Closure& into, const Closure& from, NodeId return_to) {
  for (const Entry& entry : from.entries) {
    Entry copy = entry;
    if (return_to != end()) {  // nothing has to be remembered of a call at the very end
      const auto first = static_cast<uint32_t>(calls_.size());
      calls_.push_back(return_to);
      for (uint32_t i = 0; i < entry.count; ++i) calls_.push_back(calls_[entry.calls + i]);
      copy.calls = first;
      ++copy.count;
    }
    grow(static_cast<int64_t>(sizeof(Entry) + copy.count * sizeof(NodeId)));
    into.entries.push_back(copy);
  }
}

NodeId Automaton::choice_node(const std::vector<NodeId>& nodes) {
  choices_.push_back(nodes);
  grow(static_cast<int64_t>(nodes.size() * sizeof(NodeId)));
  return node({kOwnSource, 2, {static_cast<uint32_t>(choices_.size() - 1)}});
}

void Automaton::expand(const NodeKey& key, Expansion& into) {
  if (key == NodeKey{}) return into.give_back();
  if (key.source != kOwnSource) return sources_[key.source]->expand(key, into);
  if (key.kind == 0) return into.terminal(key.args[0], key.args[1]);
  if (key.kind == 1) return into.call(key.args[0], key.args[1]);
  for (const NodeId one : choices_[key.args[0]]) into.go_on(one);
}

const Automaton::Closure& Automaton::closure(NodeId node) {
  if (closures_.size() < keys_.size()) closures_.resize(keys_.size());
  if (!closures_[node]) closures_[node] = std::make_unique<Closure>();
  Closure& closure = *closures_[node];  // stays where it is
  if (closure.progress == Closure::Progress::kDone) return closure;
  if (closure.progress == Closure::Progress::kNow || depth_ > kMostNested)
    fail(ErrorCode::kInvalidInput, "the grammar is left-recursive: a rule begins with itself");
  closure.progress = Closure::Progress::kNow;
  ++depth_;
  try {
    Expansion expansion;
    expand(NodeKey(keys_[node]), expansion);
    collect(closure, expansion);
  } catch (...) {  // the next call starts anew
    --depth_;
    closure = Closure();
    throw;
  }
  --depth_;
  closure.progress = Closure::Progress::kDone;
  return closure;
}

void Automaton::collect(Closure& closure, const Expansion& expansion) {
  for (const Expansion::Item& item : expansion.items_) {
    switch (item.kind) {
      case Expansion::Kind::kTerminal:
      case Expansion::Kind::kByLiteral: {
        const bool by_literal = item.kind == Expansion::Kind::kByLiteral;
        if (item.what == Terminals::kDead) break;
        terminals_.fill(item.what);
        closure.entries.push_back({item.what, item.next | (by_literal ? kByLiteral : 0), 0, 0});
        if (!terminals_.accepts(item.what) || by_literal) break;
        const Closure& rest = this->closure(item.next);  // the terminal may be empty
        include(closure, rest, end());
        closure.returns |= rest.returns;
        break;
      }
      case Expansion::Kind::kCall: {
        const Closure& callee = this->closure(item.what);
        include(closure, callee, item.next);
        if (!callee.returns) break;
        const Closure& rest = this->closure(item.next);
        include(closure, rest, end());
        closure.returns |= rest.returns;
        break;
      }
      case Expansion::Kind::kGoOn: {
        const Closure& rest = this->closure(item.next);
        include(closure, rest, end());
        closure.returns |= rest.returns;
        break;
      }
      case Expansion::Kind::kReturn:
        closure.returns = true;
        break;
    }
  }
}

void Automaton::add(const Config& config, GrammarState& into) {
  into.configs.push_back(config);
  if (into.configs.size() > 4 * kMostConfigs) {
    normalize(into);
    if (into.configs.size() > kMostConfigs)
      fail(ErrorCode::kInvalidInput,
           "the grammar is too ambiguous: more than {} ways to read the text so far", kMostConfigs);
  }
}

void Automaton::enter(NodeId node, StackId stack, GrammarState& into) {
  while (true) {
    const Closure& entered = closure(node);
    for (const Entry& entry : entered.entries) {
      StackId top = stack;
      for (uint32_t i = 0; i < entry.count; ++i) top = push(calls_[entry.calls + i], top);
      add({entry.start, entry.next, top}, into);
    }
    if (!entered.returns) return;
    if (stack == 0) {
      into.can_end = true;
      return;
    }
    node = frames_[stack].node;
    stack = frames_[stack].below;
  }
}

void Automaton::after(StateId state, NodeId next, StackId stack, GrammarState& into) {
  if (next & kByLiteral) {
    const NodeId chooser = next & ~kByLiteral;
    const int64_t tag = terminals_.tag(state);
    HADAL_CHECK(tag >= 0, "not a literal");
    next = sources_[keys_[chooser].source]->after_literal(keys_[chooser], static_cast<uint32_t>(tag));
  }
  enter(next, stack, into);
}

void Automaton::normalize(GrammarState& state) {
  std::ranges::sort(state.configs);
  state.configs.erase(std::unique(state.configs.begin(), state.configs.end()), state.configs.end());
}

GrammarState Automaton::start(NodeId node) {
  GrammarState state;
  enter(node, 0, state);
  normalize(state);
  return state;
}

GrammarState Automaton::advance(const GrammarState& state, std::string_view bytes) {
  GrammarState now = state;
  for (const char byte : bytes) {
    GrammarState next;
    for (const Config& config : now.configs) {
      const StateId to = terminals_.step(config.state, static_cast<uint8_t>(byte));
      if (to == Terminals::kDead) continue;
      terminals_.fill(to);
      if (!terminals_.is_done(to)) add({to, config.next, config.stack}, next);
      if (terminals_.accepts(to)) after(to, config.next, config.stack, next);
    }
    normalize(next);
    now = std::move(next);
    if (now.dead()) break;
  }
  return now;
}

GrammarState Automaton::advance_special(const GrammarState& state, int32_t id) {
  GrammarState next;
  for (const Config& config : state.configs) {
    const StateId to = terminals_.step_special(config.state, id);
    if (to == Terminals::kDead) continue;
    terminals_.fill(to);
    add({to, config.next, config.stack}, next);
    if (terminals_.accepts(to)) after(to, config.next, config.stack, next);
  }
  normalize(next);
  return next;
}

}  // namespace hadal::grammar
