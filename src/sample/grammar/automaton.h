// The automaton behind a grammar: a graph of nodes that is made as far as texts really go, and a stack of the
// nodes to return to. A node says what may come: a terminal (terminals.h) and then another node; another
// node's texts first (a call); or nothing any more (a return).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sample/grammar/expr.h"
#include "sample/grammar/terminals.h"

namespace hadal::grammar {

using NodeId = uint32_t;
using StackId = uint32_t;

// What a node is, in the terms of the source that made it.
struct NodeKey {
  uint32_t source = 0;
  uint32_t kind = 0;
  std::array<uint32_t, 4> args{};
  bool operator==(const NodeKey&) const = default;
};

class Automaton;

// Expands the nodes of one kind of grammar. Called under the lock of its automaton's owner.
class NodeSource {
 public:
  virtual ~NodeSource() = default;
  // Calls terminal(), call() and so on of the automaton's expansion for everything that may come at the node.
  virtual void expand(const NodeKey& key, class Expansion& into) = 0;
  // Where a terminal of literals leads that was added with terminal_by_literal: this one has been read.
  virtual NodeId after_literal(const NodeKey& key, uint32_t tag);
};

// Collects what may come at a node.
class Expansion {
 public:
  void terminal(StateId start, NodeId next) { items_.push_back({Kind::kTerminal, start, next}); }
  // The literal that was read decides what comes next: after_literal(next's key, tag).
  void terminal_by_literal(StateId start, NodeId next) { items_.push_back({Kind::kByLiteral, start, next}); }
  void call(NodeId callee, NodeId next) { items_.push_back({Kind::kCall, callee, next}); }
  void go_on(NodeId node) { items_.push_back({Kind::kGoOn, 0, node}); }
  bool empty() const { return items_.empty(); }
  void give_back() { items_.push_back({Kind::kReturn, 0, 0}); }

 private:
  friend class Automaton;
  enum class Kind : uint8_t { kTerminal, kByLiteral, kCall, kGoOn, kReturn };
  struct Item {
    Kind kind;
    uint32_t what;
    NodeId next;
  };
  std::vector<Item> items_;
};

// One way of having read what has been read: inside a terminal, what comes after it, and what after that.
struct Config {
  StateId state = 0;
  NodeId next = 0;
  StackId stack = 0;
  bool operator==(const Config&) const = default;
  auto operator<=>(const Config&) const = default;
};

// All of them. Closed: where a terminal may have ended, what comes after it is there too. Plain data that may
// be copied, kept and gone back to.
struct GrammarState {
  std::vector<Config> configs;  // sorted, each once
  bool can_end = false;         // nothing more has to come
  bool dead() const { return configs.empty() && !can_end; }
  bool operator==(const GrammarState&) const = default;
};

// Grows while it is used; not thread-safe. Throws Error{kInvalidInput} when it takes more than a limit of
// memory or has too many ways to go on.
class Automaton {
 public:
  static constexpr size_t kMostConfigs = 5000;

  Automaton() : terminals_(pool_) {}
  Automaton(const Automaton&) = delete;
  Automaton& operator=(const Automaton&) = delete;

  ExprPool& pool() { return pool_; }
  Terminals& terminals() { return terminals_; }
  const Terminals& terminals() const { return terminals_; }

  // Owns the source; its number goes into the keys of its nodes.
  uint32_t add_source(std::unique_ptr<NodeSource> source);
  NodeId node(const NodeKey& key);
  const NodeKey& key(NodeId node) const { return keys_[node]; }
  // The node that returns at once; one that has a terminal and then another node; one that has a node's texts
  // and then another's; one of several.
  NodeId end() const { return 0; }
  NodeId terminal_node(StateId start, NodeId next) { return node({kOwnSource, 0, {start, next}}); }
  NodeId call_node(NodeId callee, NodeId next) { return node({kOwnSource, 1, {callee, next}}); }
  NodeId choice_node(const std::vector<NodeId>& nodes);

  GrammarState start(NodeId node);
  GrammarState advance(const GrammarState& state, std::string_view bytes);
  GrammarState advance_special(const GrammarState& state, int32_t id);

  // What comes when the terminal of a config has ended in `state`.
  void after(StateId state, NodeId next, StackId stack, GrammarState& into);
  static void normalize(GrammarState& state);
  // What comes next depends on the literal that its terminal reads.
  static bool chooses_by_literal(const Config& config) { return (config.next & kByLiteral) != 0; }

  // A special token may come next in the config's terminal.
  bool may_be_special(const Config& config) { return !terminals_.specials(config.state).empty(); }

  size_t nodes() const { return keys_.size(); }
  int64_t bytes() const { return pool_.bytes() + terminals_.bytes() + bytes_; }

 private:
  // A config relative to the stack its node was entered with.
  struct Entry {
    StateId start;
    NodeId next;
    uint32_t calls, count;  // in calls_: nodes to come back to, the outermost first
  };
  struct Closure {
    std::vector<Entry> entries;
    bool returns = false;
    enum class Progress : uint8_t { kNot, kNow, kDone } progress = Progress::kNot;
  };
  struct Frame {
    NodeId node = 0;
    StackId below = 0;
  };
  static constexpr uint32_t kOwnSource = UINT32_MAX;
  static constexpr NodeId kByLiteral = 1u << 31;  // in Config::next and Entry::next

  void expand(const NodeKey& key, Expansion& into);
  const Closure& closure(NodeId node);
  void collect(Closure& closure, const Expansion& expansion);
  void include(Closure& into, const Closure& from, NodeId return_to);
  void enter(NodeId node, StackId stack, GrammarState& into);
  StackId push(NodeId node, StackId below);
  void grow(int64_t bytes);
  void add(const Config& config, GrammarState& into);

  struct KeyHash {
    size_t operator()(const NodeKey& key) const;
  };

  ExprPool pool_;
  Terminals terminals_;
  std::vector<std::unique_ptr<NodeSource>> sources_;
  std::vector<std::vector<NodeId>> choices_;
  std::vector<NodeKey> keys_ = {NodeKey{}};
  std::unordered_map<NodeKey, NodeId, KeyHash> index_;
  std::vector<std::unique_ptr<Closure>> closures_;
  std::vector<NodeId> calls_;
  std::vector<Frame> frames_ = {Frame{}};  // frames_[0]: the bottom
  std::unordered_map<uint64_t, StackId> frame_index_;
  int64_t bytes_ = 0;
  int depth_ = 0;
};

}  // namespace hadal::grammar
