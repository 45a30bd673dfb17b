#include "sample/grammar/token_trie.h"

#include <algorithm>
#include <string>
#include <utility>

#include "text/utf8.h"

namespace hadal::grammar {
namespace {

struct Token {
  std::string_view bytes;
  int32_t id = 0;
};

int characters(std::string_view bytes) {
  return static_cast<int>(
      std::ranges::count_if(bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

// Whole characters, the last one perhaps cut off, that mean themselves in a JSON string and that the dot of
// a regular expression matches.
bool is_plain(std::string_view bytes) {
  const size_t valid = utf8_valid_prefix(bytes);
  if (valid < bytes.size()) {
    const Utf8Unit rest = utf8_unit(bytes.substr(valid));
    if (!rest.cut || rest.length != bytes.size() - valid) return false;
  }
  for (const std::string_view separator : {"\u2028", "\u2029"})
    if (bytes.find(separator) != bytes.npos) return false;
  return std::ranges::all_of(
      bytes, [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; });
}

// tokens: sorted by bytes, no two equal.
Trie build(std::span<const Token> tokens) {
  Trie trie;
  trie.nodes.emplace_back();
  std::vector<uint32_t> path{0};  // the nodes of the last token's bytes
  std::string_view last;
  const auto close = [&](size_t length) {
    for (; path.size() > length + 1; path.pop_back()) {
      Trie::Node& node = trie.nodes[path.back()];
      node.end = static_cast<uint32_t>(trie.nodes.size());
      Trie::Node& parent = trie.nodes[path[path.size() - 2]];
      parent.longest = std::max(parent.longest, node.longest);
    }
  };
  for (const Token& token : tokens) {
    const auto [differs, in_last] = std::ranges::mismatch(token.bytes, last);
    const auto shared = static_cast<size_t>(differs - token.bytes.begin());
    close(shared);
    for (size_t i = shared; i < token.bytes.size(); ++i) {
      path.push_back(static_cast<uint32_t>(trie.nodes.size()));
      trie.nodes.push_back({.byte = static_cast<uint8_t>(token.bytes[i])});
    }
    trie.nodes[path.back()].token = token.id;
    trie.nodes[path.back()].longest = static_cast<uint8_t>(std::min(characters(token.bytes), 255));
    last = token.bytes;
  }
  close(0);
  trie.nodes[0].end = static_cast<uint32_t>(trie.nodes.size());
  return trie;
}

}  // namespace

Vocabulary::Vocabulary(Tokenizer tokenizer, int32_t size) : tokenizer_(std::move(tokenizer)), size_(size) {
  std::vector<Token> plain, rest;
  for (int32_t id = 0; id < std::min(size, tokenizer_.vocab_size()); ++id) {
    if (is_special(id)) continue;
    const std::string_view bytes = tokenizer_.token_bytes(id);
    (is_plain(bytes) ? plain : rest).push_back({bytes, id});
  }
  for (std::vector<Token>* tokens : {&plain, &rest}) {
    std::ranges::stable_sort(*tokens, [](const Token& a, const Token& b) { return a.bytes < b.bytes; });
    size_t n = 0;
    for (const Token& token : *tokens) {
      if (n > 0 && (*tokens)[n - 1].bytes == token.bytes)
        same_.emplace_back((*tokens)[n - 1].id, token.id);
      else
        (*tokens)[n++] = token;
    }
    tokens->resize(n);
  }
  std::ranges::sort(same_);
  for (const auto& [id, other] : same_) other_.push_back(other);
  plain_ = build(plain);
  rest_ = build(rest);
  for (const Token& token : plain)
    longest_plain_ = std::max(longest_plain_, std::min(characters(token.bytes), kMostChars));
  for (const Token& token : rest)
    if (std::ranges::none_of(token.bytes, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      longest_rest_ = std::max(longest_rest_, characters(token.bytes));
  const auto by_length = [this](std::span<const Token> tokens, std::vector<TokenBits>& lists) {
    for (const Token& token : tokens) {
      TokenBits& bits = lists[static_cast<size_t>(std::min(characters(token.bytes), kMostChars))];
      set_bit(bits, token.id);
      for (const int32_t other : same(token.id)) set_bit(bits, other);
    }
  };
  const auto add_shorter = [this](std::vector<TokenBits>& lists) {
    for (size_t chars = 1; chars < lists.size(); ++chars)
      for (size_t word = 0; word < words(); ++word) lists[chars][word] |= lists[chars - 1][word];
  };
  up_to_.assign(static_cast<size_t>(longest_plain_) + 1, TokenBits(words()));
  by_length(plain, up_to_);
  add_shorter(up_to_);
  const int longest = std::max(longest_plain_, std::min(longest_rest_, kMostChars));
  all_up_to_.assign(static_cast<size_t>(longest) + 1, TokenBits(words()));
  by_length(plain, all_up_to_);
  by_length(rest, all_up_to_);
  add_shorter(all_up_to_);
}

std::span<const int32_t> Vocabulary::same(int32_t id) const {
  const auto found = std::ranges::equal_range(same_, id, {}, &std::pair<int32_t, int32_t>::first);
  return {other_.data() + (found.begin() - same_.begin()), found.size()};
}

const TokenBits& Vocabulary::up_to(int chars) const {
  return all_up_to_[static_cast<size_t>(std::clamp(chars, 0, longest()))];
}

const TokenBits& Vocabulary::plain_up_to(int chars) const {
  return up_to_[static_cast<size_t>(std::clamp(chars, 0, longest_plain_))];
}

}  // namespace hadal::grammar
