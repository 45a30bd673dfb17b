#include "sample/grammar/masks.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"

namespace hadal::grammar {
namespace {

constexpr size_t kFewTokens = 2048;
constexpr size_t kMostReachStates = 300;

}  // namespace

Masks::Masks(Automaton& automaton, const Vocabulary& vocabulary)
    : automaton_(automaton), terminals_(automaton.terminals()), vocabulary_(vocabulary) {}

void Masks::set(int32_t token, std::span<uint32_t> bits) const {
  set_bit(bits, token);
  for (const int32_t other : vocabulary_.same(token)) set_bit(bits, other);
}

std::bitset<256> Masks::child_bytes(const Trie& trie, uint32_t node) const {
  std::bitset<256> bytes;
  for (uint32_t i = node + 1; i < trie.nodes[node].end; i = trie.nodes[i].end) bytes.set(trie.nodes[i].byte);
  return bytes;
}

// Every node of [begin, end), a forest, that the state leads to: token(id) for a token that ends there,
// exit_at(node, state, characters so far) where the terminal may end and the trie goes on. Subtrees without
// tokens of at least min_chars characters are left out.
template <class Token, class ExitAt>
void Masks::walk(const Trie& trie, uint32_t begin, uint32_t end, StateId state, int min_chars, Token&& token,
                 ExitAt&& exit_at) {
  struct Level {
    uint32_t end;
    StateId state;
    int chars;
  };
  std::vector<Level> levels{{end, state, 0}};
  const Trie::Node* nodes = trie.nodes.data();
  for (uint32_t i = begin; i < end;) {
    while (levels.back().end <= i) levels.pop_back();
    const Trie::Node node = nodes[i];
    const StateId to =
        node.longest < min_chars ? Terminals::kDead : terminals_.step(levels.back().state, node.byte);
    if (to == Terminals::kDead) {
      i = node.end;
      continue;
    }
    if (node.token >= 0) token(node.token);
    if (node.end > i + 1) {
      terminals_.fill(to);
      const int chars = levels.back().chars + ((node.byte & 0xC0) != 0x80);
      if (terminals_.accepts(to)) exit_at(i, to, chars);
      levels.push_back({node.end, to, chars});
    }
    ++i;
  }
}

// How far any plain characters at all lead on from a state between two characters: breadth first over the
// expressions until one of them refuses a plain character.
Masks::Reach Masks::reach(StateId state, bool followed) {
  const bool json = terminals_.in_json_string(state);
  const ExprId start = terminals_.between(state);
  std::unordered_map<ExprId, Reach>& reaches = reaches_[json][followed];
  if (const auto known = reaches.find(start); known != reaches.end()) return known->second;
  ExprPool& pool = automaton_.pool();
  if (const auto run = pool.any_run(start); run && json) {  // lengths have too many states to look through
    const auto most = static_cast<uint32_t>(Vocabulary::kMostChars);
    return {static_cast<int>(std::min(*run, most)), *run < most};
  }
  std::vector<ExprId> level{start};
  std::unordered_set<ExprId> seen{start};
  Reach reach;
  bool comes_back = false;  // to an expression of fewer characters, of which more may follow
  // Code points of plain characters, in stretches.
  constexpr CharRange kPlain[] = {
      {0x20, 0x21}, {0x23, 0x5B}, {0x5D, 0x2027}, {0x202A, 0xD7FF}, {0xE000, kLastChar}};
  while (true) {
    bool all = true, none = true;
    std::vector<ExprId> next;
    for (const ExprId e : level) {
      const std::vector<ExprPool::Piece> pieces = pool.pieces(e);
      for (size_t i = 0; i < pieces.size(); ++i) {
        const uint32_t last = i + 1 < pieces.size() ? pieces[i + 1].begin - 1 : UINT32_MAX;
        const bool has_plain = std::ranges::any_of(kPlain, [&](const CharRange& range) {
          return pieces[i].begin <= range.last && last >= range.first;
        });
        if (!has_plain) continue;
        const ExprId to = pieces[i].to;
        // A raw terminal that may end there would have exits, which a slice does not know.
        if (pool.empty(to) || (!json && followed && pool.nullable(to))) {
          all = false;
          none &= pool.empty(to);
          continue;
        }
        none = false;
        if (seen.insert(to).second)
          next.push_back(to);
        else
          comes_back = true;
      }
    }
    if (!all) {
      reach.no_more = none && !comes_back;
      break;
    }
    ++reach.chars;
    if (next.empty()) {  // nothing new: any number of characters
      reach.chars = Vocabulary::kMostChars;
      break;
    }
    if (reach.chars >= vocabulary_.longest_plain() || seen.size() > kMostReachStates) break;
    level = std::move(next);
  }
  bytes_ += 48;
  reaches.emplace(start, reach);
  return reach;
}

const Masks::Local& Masks::local(StateId state, bool followed) {
  if (const auto known = locals_[followed].find(state); known != locals_[followed].end())
    return known->second;
  if (const Local* relaxed = by_relaxed(state, followed)) return *relaxed;
  Local local;  // kept when it is whole: finding it may throw
  terminals_.fill(state);
  local.specials = terminals_.specials(state);
  int min_chars = 0;
  bool walk_plain = true;
  if (terminals_.between(state) != ExprPool::kNone) {
    const Reach reach = this->reach(state, followed);
    if (reach.chars > 0) {
      local.slice = &vocabulary_.plain_up_to(reach.chars);
      walk_plain = reach.chars < vocabulary_.longest_plain() && !reach.no_more;
      min_chars = reach.chars + 1;
    }
  }
  const auto collect = [&](const Trie& trie, bool in_rest, int least) {
    walk(
        trie, 1, trie.nodes[0].end, state, least, [&](int32_t token) { local.tokens.push_back(token); },
        [&](uint32_t node, StateId ended, int chars) {
          if (followed) local.exits.push_back({in_rest, node, ended, chars, child_bytes(trie, node)});
        });
  };
  if (walk_plain) collect(vocabulary_.plain(), false, min_chars);
  // A string that may be so much longer than any token is to it like one of any length.
  const ExprId rest = terminals_.in_json_string(state) ? terminals_.between(state) : ExprPool::kNone;
  const auto run = automaton_.pool().any_run(rest);
  if (rest != ExprPool::kAll && run && automaton_.pool().nullable(rest) &&
      *run > static_cast<uint32_t>(vocabulary_.longest_rest())) {
    const Local& any = this->local(terminals_.inside(ExprPool::kAll), followed);
    local.tokens.insert(local.tokens.end(), any.tokens.begin(), any.tokens.end());
    local.exits.insert(local.exits.end(), any.exits.begin(), any.exits.end());
    if (any.bits) local.bits = std::make_unique<TokenBits>(*any.bits);
  } else {
    collect(vocabulary_.rest(), true, 0);
  }
  if (local.tokens.size() > kFewTokens || local.bits) {
    if (!local.bits) local.bits = std::make_unique<TokenBits>(vocabulary_.words());
    for (const int32_t token : local.tokens) set(token, *local.bits);
    local.tokens = {};
    bytes_ += static_cast<int64_t>(4 * vocabulary_.words());
  }
  local.tokens.shrink_to_fit();
  local.exits.shrink_to_fit();
  bytes_ += static_cast<int64_t>(sizeof(Local) + 4 * local.tokens.size() + sizeof(Exit) * local.exits.size());
  return locals_[followed].emplace(state, std::move(local)).first->second;
}

// Where a long repetition is on its way, how much of it is left matters only to tokens that are longer: the
// others are those of any such state. Null where there is nothing of the kind.
const Masks::Local* Masks::by_relaxed(StateId state, bool followed) {
  const ExprId between = terminals_.between(state);
  const bool json = terminals_.in_json_string(state);
  ExprPool& pool = automaton_.pool();
  if (between == ExprPool::kNone || (json && pool.any_run(between))) return nullptr;  // slices do for any run
  const ExprPool::Relaxed relaxed = pool.relaxed(between);
  if (relaxed.e == between) return nullptr;
  const Local& any = local(json ? terminals_.inside(relaxed.e) : terminals_.raw(relaxed.e), followed);
  if (relaxed.chars >= static_cast<uint32_t>(vocabulary_.longest()) &&
      vocabulary_.longest() < Vocabulary::kMostChars)
    return &any;
  const int most = std::min(static_cast<int>(relaxed.chars), Vocabulary::kMostChars - 1);
  Local local;
  local.specials = any.specials;
  auto bits = std::make_unique<TokenBits>(vocabulary_.words());
  const TokenBits& short_ones = vocabulary_.up_to(most);
  for (const int32_t token : any.tokens) set(token, *bits);
  for (size_t i = 0; i < bits->size(); ++i)
    (*bits)[i] =
        ((*bits)[i] | (any.bits ? (*any.bits)[i] : 0) | (any.slice ? (*any.slice)[i] : 0)) & short_ones[i];
  for (const Exit& exit : any.exits)
    if (exit.chars <= most) local.exits.push_back(exit);
  terminals_.fill(state);
  for (const bool in_rest : {false, true}) {
    const Trie& trie = in_rest ? vocabulary_.rest() : vocabulary_.plain();
    walk(
        trie, 1, trie.nodes[0].end, state, most + 1, [&](int32_t token) { set(token, *bits); },
        [&](uint32_t node, StateId ended, int chars) {
          if (followed && chars > most)
            local.exits.push_back({in_rest, node, ended, chars, child_bytes(trie, node)});
        });
  }
  local.bits = std::move(bits);
  bytes_ += static_cast<int64_t>(sizeof(Local) + 4 * vocabulary_.words() + sizeof(Exit) * local.exits.size());
  return &locals_[followed].emplace(state, std::move(local)).first->second;
}

// Tokens that go on below `node` of the trie, where a terminal has ended.
void Masks::follow(const Trie& trie, uint32_t node, StateId ended, NodeId next, StackId stack,
                   std::span<uint32_t> bits) {
  GrammarState then;
  automaton_.after(ended, next, stack, then);
  Automaton::normalize(then);
  for (const Config& config : then.configs) descend(trie, node, config, bits);
}

void Masks::descend(const Trie& trie, uint32_t node, const Config& config, std::span<uint32_t> bits) {
  walk(
      trie, node + 1, trie.nodes[node].end, config.state, 0, [&](int32_t token) { set(token, bits); },
      [&](uint32_t deeper, StateId ended, int) {
        follow(trie, deeper, ended, config.next, config.stack, bits);
      });
}

void Masks::allow(const GrammarState& state, std::span<uint32_t> bits) {
  HADAL_CHECK(bits.size() == vocabulary_.words(), "a mask of {} words", bits.size());
  const auto add = [&bits](const TokenBits& more) {
    for (size_t i = 0; i < bits.size(); ++i) bits[i] |= more[i];
  };
  struct After {
    StateId ended;
    GrammarState state;
    std::bitset<256> bytes;
  };
  for (const Config& config : state.configs) {
    const Local& local = this->local(config.state, config.next != automaton_.end() || config.stack != 0);
    if (local.slice) add(*local.slice);
    if (local.bits) add(*local.bits);
    for (const int32_t token : local.tokens) set(token, bits);
    for (const int32_t special : local.specials)
      if (special < vocabulary_.size()) set_bit(bits, special);
    if (local.exits.empty()) continue;
    // What comes after the terminal is the same for all of its exits, unless a literal decides.
    std::vector<After> afters;
    for (const Exit& exit : local.exits) {
      const bool by_literal = automaton_.chooses_by_literal(config);
      auto after = std::ranges::find_if(
          afters, [&](const After& known) { return !by_literal || known.ended == exit.state; });
      if (after == afters.end()) {
        After found{exit.state, {}, {}};
        automaton_.after(exit.state, config.next, config.stack, found.state);
        Automaton::normalize(found.state);
        for (const Config& next : found.state.configs) found.bytes |= terminals_.first_bytes(next.state);
        afters.push_back(std::move(found));
        after = std::prev(afters.end());
      }
      if ((after->bytes & exit.bytes).none()) continue;
      const Trie& trie = exit.in_rest ? vocabulary_.rest() : vocabulary_.plain();
      for (const Config& next : after->state.configs) {
        if ((terminals_.first_bytes(next.state) & exit.bytes).any()) descend(trie, exit.node, next, bits);
      }
    }
  }
}

}  // namespace hadal::grammar
