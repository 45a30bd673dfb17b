// The tokens of a vocabulary by their bytes, for walking an automaton over all of them at once.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sample/sampler.h"
#include "text/tokenizer.h"

namespace hadal::grammar {

// One bit a token, as in TokenMask.
using TokenBits = std::vector<uint32_t>;

inline void set_bit(std::span<uint32_t> bits, int32_t id) {
  bits[static_cast<size_t>(id) / 32] |= 1u << (static_cast<uint32_t>(id) % 32);
}

// A trie in preorder: the children of node i begin at i + 1, each follows the subtree of the one before.
struct Trie {
  struct Node {
    uint32_t end = 0;    // behind its subtree
    int32_t token = -1;  // that ends here
    uint8_t byte = 0;    // that leads here
    uint8_t longest =
        0;  // characters of the longest token at or below it, counted from the root; 255 is "255 or more"
  };
  std::vector<Node> nodes;  // nodes[0] is the root
};

// Immutable; safe from any thread.
class Vocabulary {
 public:
  // What can be sampled: ids of a tokenizer that have a token, of a model with `size` logits.
  Vocabulary(Tokenizer tokenizer, int32_t size);

  int32_t size() const { return size_; }
  size_t words() const { return static_cast<size_t>(size_ + 31) / 32; }
  bool is_special(int32_t id) const { return !tokenizer_.has_token(id) || tokenizer_.is_added(id); }
  std::string_view bytes(int32_t id) const { return tokenizer_.token_bytes(id); }
  const Tokenizer& tokenizer() const { return tokenizer_; }

  // Tokens of characters none of which is a control character, a quote, a backslash, U+2028 or U+2029; the
  // last may be cut off, if some bytes would complete it. Plain ones; and the rest.
  const Trie& plain() const { return plain_; }
  const Trie& rest() const { return rest_; }
  // Other ids with the bytes of this one, which alone is in the trie.
  std::span<const int32_t> same(int32_t id) const;
  // Plain tokens of at most so many characters.
  static constexpr int kMostChars = 255;
  const TokenBits& plain_up_to(int chars) const;
  // Tokens of text, plain or not, of at most so many characters; and what the longest has.
  const TokenBits& up_to(int chars) const;
  int longest() const { return static_cast<int>(all_up_to_.size()) - 1; }
  int longest_plain() const { return longest_plain_; }
  // Characters of the longest of the rest that has no control character.
  int longest_rest() const { return longest_rest_; }

 private:
  Tokenizer tokenizer_;
  int32_t size_;
  Trie plain_, rest_;
  std::vector<std::pair<int32_t, int32_t>> same_;  // (in the trie, other), sorted
  std::vector<int32_t> other_;
  std::vector<TokenBits> up_to_, all_up_to_;  // by characters
  int longest_plain_ = 0, longest_rest_ = 0;
};

}  // namespace hadal::grammar
