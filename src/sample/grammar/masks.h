// Which tokens may come in a state of the automaton. What a token does inside one terminal does not depend on
// the rest of the grammar: it is found once for each state of a terminal, by walking the trie of the
// vocabulary, and kept; the few tokens that go beyond the end of the terminal are followed further each time.
// (The idea is that of XGrammar's context-independent tokens, Dong et al. 2024, and llguidance's slices of
// the vocabulary.)
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "sample/grammar/automaton.h"
#include "sample/grammar/token_trie.h"

namespace hadal::grammar {

// Borrows both. Not thread-safe; throws what the automaton throws.
class Masks {
 public:
  Masks(Automaton& automaton, const Vocabulary& vocabulary);

  // Adds the tokens that may come to `bits`, [vocabulary.words()]; nothing is cleared. Whether the text may
  // end here is the state's can_end.
  void allow(const GrammarState& state, std::span<uint32_t> bits);

  int64_t bytes() const { return bytes_; }

 private:
  // A token may go on where a terminal ends: behind node `node` of the trie, the terminal being in `state`.
  struct Exit {
    bool in_rest = false;
    uint32_t node = 0;
    StateId state = 0;
    int chars = 0;           // of the token up to there
    std::bitset<256> bytes;  // that lead further in the trie
  };
  // What a state of a terminal allows by itself.
  struct Local {
    const TokenBits* slice = nullptr;  // the vocabulary's
    std::unique_ptr<TokenBits> bits;   // many tokens
    std::vector<int32_t> tokens;       // or few
    std::vector<int32_t> specials;
    std::vector<Exit> exits;
  };
  struct Reach {
    int chars = 0;         // so many plain characters of any kind may come
    bool no_more = false;  // and none after them
  };

  const Local& local(StateId state, bool followed);
  const Local* by_relaxed(StateId state, bool followed);
  Reach reach(StateId state, bool followed);
  template <class Token, class ExitAt>
  void walk(const Trie& trie, uint32_t begin, uint32_t end, StateId state, int min_chars, Token&& token,
            ExitAt&& exit_at);
  void follow(const Trie& trie, uint32_t node, StateId ended, NodeId next, StackId stack,
              std::span<uint32_t> bits);
  void descend(const Trie& trie, uint32_t node, const Config& config, std::span<uint32_t> bits);
  std::bitset<256> child_bytes(const Trie& trie, uint32_t node) const;
  void set(int32_t token, std::span<uint32_t> bits) const;

  Automaton& automaton_;
  Terminals& terminals_;
  const Vocabulary& vocabulary_;
  // Whether anything follows the terminal decides whether it matters where it can end.
  std::unordered_map<StateId, Local> locals_[2];
  std::unordered_map<ExprId, Reach> reaches_[2][2];  // [in a JSON string][followed]

  int64_t bytes_ = 0;
};

}  // namespace hadal::grammar
