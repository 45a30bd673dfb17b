// Compiled grammars and the state of one text that follows one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sample/constraint.h"
#include "sample/grammar/automaton.h"
#include "sample/grammar/masks.h"
#include "sample/grammar/token_trie.h"

namespace hadal::grammar {

// Thread-safe: matchers of many threads may share it; its tables grow under a lock.
class Grammar {
 public:
  // `build` makes the nodes and gives the first one. end_ids: special tokens that end a text, allowed where
  // the text may end. Problem: what build or the first step threw, as a sentence.
  static Result<std::shared_ptr<Grammar>> make(std::shared_ptr<const Vocabulary> vocabulary,
                                               std::vector<int32_t> end_ids,
                                               const std::function<NodeId(Automaton&)>& build);

  // Memory of its tables as they are now.
  int64_t bytes() const;
  const Vocabulary& vocabulary() const { return *vocabulary_; }

 private:
  friend class Matcher;
  Grammar(std::shared_ptr<const Vocabulary> vocabulary, std::vector<int32_t> end_ids);

  const std::shared_ptr<const Vocabulary> vocabulary_;
  const std::vector<int32_t> end_ids_;
  mutable std::mutex mutex_;
  Automaton automaton_;
  Masks masks_;
  GrammarState start_;
};

// One text on its way. Copies are independent (they share the grammar).
class Matcher : public TokenConstraint {
 public:
  explicit Matcher(std::shared_ptr<Grammar> grammar);

  void allow(std::span<uint32_t> bits) override;
  bool accept(int32_t id) override;
  // The tokens of certain text are those that encoding the whole text would give, whatever comes behind it.
  std::vector<int32_t> forced() override;
  int64_t length() const override { return static_cast<int64_t>(states_.size()) - 1; }
  void rewind(int64_t length) override;
  std::unique_ptr<TokenConstraint> fork() const override { return std::make_unique<Matcher>(*this); }

  // The text so far is whole.
  bool can_end() const { return states_.back().state.can_end && !states_.back().ended; }
  // An end token was accepted.
  bool ended() const { return states_.back().ended; }
  // Bytes instead of a token; counts as one in length(). False, and nothing changes, if they do not fit.
  bool accept_bytes(std::string_view bytes);
  // Bytes that must come, as far as there is no choice; at most `most`.
  std::string forced_bytes(size_t most) const;

 private:
  struct Place {
    GrammarState state;
    size_t text = 0;   // bytes of text_ that were there
    size_t begin = 0;  // in text_: behind the last special token
    bool ended = false;
  };
  void push(GrammarState state, std::string_view bytes);
  std::vector<int32_t> forced_special() const;

  std::shared_ptr<Grammar> grammar_;
  std::vector<Place> states_;  // after each token, the first before any
  std::string text_;           // of all tokens but the special ones
  size_t settled_ = 0;         // in text_: a place that no token reaches over (Tokenizer::settled)
};

// The texts of one regular expression (ECMA-262, regex.h), from beginning to end.
Result<std::shared_ptr<Grammar>> regex_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                               std::vector<int32_t> end_ids, std::string_view pattern);
// One of these texts. At least one.
Result<std::shared_ptr<Grammar>> choice_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                std::vector<int32_t> end_ids,
                                                const std::vector<std::string>& texts);
// What an EBNF grammar describes (ebnf.h).
Result<std::shared_ptr<Grammar>> ebnf_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                              std::vector<int32_t> end_ids, std::string_view rules);

}  // namespace hadal::grammar
