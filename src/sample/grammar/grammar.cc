#include "sample/grammar/grammar.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace hadal::grammar {

Grammar::Grammar(std::shared_ptr<const Vocabulary> vocabulary, std::vector<int32_t> end_ids)
    : vocabulary_(std::move(vocabulary)), end_ids_(std::move(end_ids)), masks_(automaton_, *vocabulary_) {}

Result<std::shared_ptr<Grammar>> Grammar::make(std::shared_ptr<const Vocabulary> vocabulary,
                                               std::vector<int32_t> end_ids,
                                               const std::function<NodeId(Automaton&)>& build) {
  std::shared_ptr<Grammar> grammar(new Grammar(std::move(vocabulary), std::move(end_ids)));
  try {
    grammar->start_ = grammar->automaton_.start(build(grammar->automaton_));
  } catch (const Error& error) {
    return problem("", error.what());
  }
  if (grammar->start_.dead()) return problem("", "nothing can ever fit");
  return grammar;
}

int64_t Grammar::bytes() const {
  const std::lock_guard lock(mutex_);
  return automaton_.bytes() + masks_.bytes();
}

Matcher::Matcher(std::shared_ptr<Grammar> grammar) : grammar_(std::move(grammar)) {
  states_.push_back({grammar_->start_});
}

void Matcher::push(GrammarState state, std::string_view bytes) {
  text_ += bytes;
  states_.push_back({std::move(state), text_.size(), states_.back().begin});
}

void Matcher::allow(std::span<uint32_t> bits) {
  std::ranges::fill(bits, 0u);
  const Place& now = states_.back();
  if (now.ended) {
    for (const int32_t id : grammar_->end_ids_) set_bit(bits, id);
    return;
  }
  {
    const std::lock_guard lock(grammar_->mutex_);
    grammar_->masks_.allow(now.state, bits);
  }
  if (now.state.can_end)
    for (const int32_t id : grammar_->end_ids_) set_bit(bits, id);
}

bool Matcher::accept(int32_t id) {
  const Place& now = states_.back();
  const bool ends = std::ranges::count(grammar_->end_ids_, id) > 0;
  if (id < 0 || id >= grammar_->vocabulary_->size() || (now.ended && !ends)) return false;
  if (ends && (now.ended || now.state.can_end)) {
    Place end = now;
    end.ended = true;
    states_.push_back(std::move(end));
    return true;
  }
  const bool special = grammar_->vocabulary_->is_special(id);
  const std::string_view bytes = special ? std::string_view() : grammar_->vocabulary_->bytes(id);
  GrammarState next;
  {
    const std::lock_guard lock(grammar_->mutex_);
    next = special ? grammar_->automaton_.advance_special(now.state, id)
                   : grammar_->automaton_.advance(now.state, bytes);
  }
  if (next.dead()) return false;
  push(std::move(next), bytes);
  if (special) states_.back().begin = settled_ = text_.size();
  return true;
}

bool Matcher::accept_bytes(std::string_view bytes) {
  if (ended()) return false;
  GrammarState next;
  {
    const std::lock_guard lock(grammar_->mutex_);
    next = grammar_->automaton_.advance(states_.back().state, bytes);
  }
  if (next.dead()) return false;
  push(std::move(next), bytes);
  return true;
}

void Matcher::rewind(int64_t length) {
  HADAL_CHECK(length >= 0 && length <= this->length(), "rewind to {} of {}", length, this->length());
  states_.resize(static_cast<size_t>(length) + 1);
  text_.resize(states_.back().text);
  settled_ = states_.back().begin;
}

std::vector<int32_t> Matcher::forced() {
  constexpr size_t kMost = 256;         // bytes at a time
  constexpr size_t kLongestWord = 256;  // that is looked at again for every token
  if (ended()) return {};
  const std::string bytes = forced_bytes(kMost);
  if (bytes.empty()) return forced_special();
  if (bytes.size() == 1) return {};  // what follows may be of the same token
  const Tokenizer& tokenizer = grammar_->vocabulary_->tokenizer();
  settled_ += tokenizer.settled(std::string_view(text_).substr(settled_));
  const size_t known = text_.size() - settled_;
  if (known > kLongestWord) return {};
  const std::string text = text_.substr(settled_) + bytes;
  const size_t end = tokenizer.settled(text);
  // The tokens between what is there and the settled end, if one ends where that does.
  std::vector<int32_t> forced;
  size_t at = 0;
  for (const int32_t id : tokenizer.encode(text)) {
    if (at > known && forced.empty()) break;
    if (at == end || id >= grammar_->vocabulary_->size()) break;
    if (at >= known) forced.push_back(id);
    at += tokenizer.token_bytes(id).size();
  }
  return forced;
}

// A special token, where nothing else may come.
std::vector<int32_t> Matcher::forced_special() const {
  const GrammarState& state = states_.back().state;
  std::vector<int32_t> ids;
  if (state.can_end) ids = grammar_->end_ids_;
  const std::lock_guard lock(grammar_->mutex_);
  Terminals& terminals = grammar_->automaton_.terminals();
  for (const Config& config : state.configs) {
    if (terminals.first_bytes(config.state).any()) return {};
    for (const int32_t id : terminals.specials(config.state))
      if (std::ranges::find(ids, id) == ids.end()) ids.push_back(id);
  }
  if (ids.size() != 1) return {};
  return ids;
}

std::string Matcher::forced_bytes(size_t most) const {
  std::string bytes;
  if (ended()) return bytes;
  const std::lock_guard lock(grammar_->mutex_);
  const Terminals& terminals = grammar_->automaton_.terminals();
  GrammarState state = states_.back().state;
  while (bytes.size() < most && !state.can_end) {
    std::bitset<256> first;
    for (const Config& config : state.configs) {
      if (grammar_->automaton_.may_be_special(config)) return bytes;
      first |= terminals.first_bytes(config.state);
    }
    if (first.count() != 1) break;
    const char byte = static_cast<char>(first._Find_first());
    bytes.push_back(byte);
    state = grammar_->automaton_.advance(state, {&byte, 1});
  }
  return bytes;
}

Result<std::shared_ptr<Grammar>> choice_grammar(std::shared_ptr<const Vocabulary> vocabulary,
                                                std::vector<int32_t> end_ids,
                                                const std::vector<std::string>& texts) {
  if (texts.empty()) return problem("", "a choice needs at least one text");
  return Grammar::make(std::move(vocabulary), std::move(end_ids), [&](Automaton& automaton) {
    return automaton.terminal_node(automaton.terminals().raw(automaton.pool().literals(texts)),
                                   automaton.end());
  });
}

}  // namespace hadal::grammar
