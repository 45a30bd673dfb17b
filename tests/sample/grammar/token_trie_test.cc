#include "sample/grammar/token_trie.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "sample/grammar/small_vocabulary.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

// The tokens of a trie by their bytes, found by walking it.
std::map<std::string, int32_t> tokens_of(const Trie& trie) {
  std::map<std::string, int32_t> tokens;
  const std::function<int(uint32_t, std::string)> walk = [&](uint32_t node, const std::string& bytes) {
    int longest = 0;
    if (trie.nodes[node].token >= 0) {
      EXPECT_TRUE(tokens.emplace(bytes, trie.nodes[node].token).second) << bytes;
      longest = static_cast<int>(std::ranges::count_if(
          bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
    }
    int before = -1;
    for (uint32_t child = node + 1; child < trie.nodes[node].end; child = trie.nodes[child].end) {
      EXPECT_GT(trie.nodes[child].byte, before);  // ascending, each once
      before = trie.nodes[child].byte;
      EXPECT_LE(trie.nodes[child].end, trie.nodes[node].end);
      longest = std::max(longest, walk(child, bytes + static_cast<char>(trie.nodes[child].byte)));
    }
    EXPECT_EQ(trie.nodes[node].longest, node == 0 ? trie.nodes[0].longest : longest) << bytes;
    return longest;
  };
  walk(0, "");
  return tokens;
}

TEST(Vocabulary, EveryTokenIsInOneTrie) {
  const auto vocabulary = testing::small_vocabulary();
  const auto plain = tokens_of(vocabulary->plain()), rest = tokens_of(vocabulary->rest());
  int32_t ordinary = 0;
  for (int32_t id = 0; id < vocabulary->size(); ++id) {
    if (vocabulary->is_special(id)) continue;
    ++ordinary;
    const std::string bytes(vocabulary->bytes(id));
    const auto in_plain = plain.find(bytes), in_rest = rest.find(bytes);
    ASSERT_NE(in_plain == plain.end(), in_rest == rest.end()) << id;
    const int32_t found = in_plain == plain.end() ? in_rest->second : in_plain->second;
    const auto same = vocabulary->same(found);
    EXPECT_TRUE(found == id || std::ranges::count(same, id) == 1) << id;
  }
  EXPECT_EQ(static_cast<int32_t>(plain.size() + rest.size()), ordinary);
  EXPECT_GT(plain.size(), 100u);
  EXPECT_GT(rest.size(), 50u);
}

TEST(Vocabulary, PlainTokensAreCharactersOfStrings) {
  const auto vocabulary = testing::small_vocabulary();
  const auto plain = tokens_of(vocabulary->plain());
  for (const auto& [bytes, id] : plain) {
    for (const char c : bytes) {
      EXPECT_GE(static_cast<unsigned char>(c), 0x20) << id;
      EXPECT_NE(c, '"') << id;
      EXPECT_NE(c, '\\') << id;
    }
    // Whole characters, or one at the end that can become whole.
    const size_t valid = utf8_valid_prefix(bytes);
    EXPECT_TRUE(valid == bytes.size() || utf8_unit(std::string_view(bytes).substr(valid)).cut) << id;
  }
  for (const char* bytes : {"ab", "é", "éa", "aaaaaaaa", ", ", "😀"})
    EXPECT_TRUE(plain.contains(bytes)) << bytes;
  for (const char* bytes : {"\"a", "\\u", "\n", "\xA9", "\x98\x80", "\xED\xA0", "\xC0", "\xFF"})
    EXPECT_FALSE(plain.contains(bytes)) << bytes;
}

TEST(Vocabulary, PlainTokensByLength) {
  const auto vocabulary = testing::small_vocabulary();
  const auto plain = tokens_of(vocabulary->plain());
  const auto has = [](const TokenBits& bits, int32_t id) { return bits[id / 32] >> (id % 32) & 1; };
  for (int chars = 0; chars <= vocabulary->longest_plain() + 2; ++chars) {
    const TokenBits& bits = vocabulary->plain_up_to(chars);
    ASSERT_EQ(bits.size(), vocabulary->words());
    int32_t count = 0, expected = 0;
    for (int32_t id = 0; id < vocabulary->size(); ++id) count += has(bits, id) ? 1 : 0;
    for (const auto& [bytes, id] : plain) {
      const auto length =
          std::ranges::count_if(bytes, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
      EXPECT_EQ(has(bits, id), length <= chars) << bytes;
      expected += length <= chars;
    }
    EXPECT_EQ(count, expected);
  }
}

TEST(Vocabulary, SpecialsAndHolesAreNotText) {
  const auto vocabulary = testing::small_vocabulary(3);
  EXPECT_TRUE(vocabulary->is_special(0));
  EXPECT_TRUE(vocabulary->is_special(hadal::testing::kThink));
  EXPECT_TRUE(vocabulary->is_special(hadal::testing::kHole));
  EXPECT_TRUE(vocabulary->is_special(vocabulary->size() - 1));
  EXPECT_FALSE(vocabulary->is_special(hadal::testing::kFirstByteId + 'a'));
  EXPECT_EQ(vocabulary->words(), static_cast<size_t>(vocabulary->size() + 31) / 32);
}

}  // namespace
}  // namespace hadal::grammar
