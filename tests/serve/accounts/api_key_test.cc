#include "serve/accounts/api_key.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace hadal::serve {
namespace {

std::string hex(const Bytes32& bytes) {
  std::string out;
  for (const std::byte byte : bytes)
    for (const int shift : {4, 0}) out += "0123456789abcdef"[static_cast<int>(byte) >> shift & 15];
  return out;
}

TEST(ApiKey, HasTheShapeOfAKey) {
  std::set<std::string> seen;
  std::set<char> last;  // the last of the 43 digits carries four bits
  for (int i = 0; i < 500; ++i) {
    const std::string key = make_api_key();
    ASSERT_EQ(key.size(), kApiKeyPrefix.size() + 43);
    ASSERT_TRUE(key.starts_with(kApiKeyPrefix));
    ASSERT_TRUE(is_possible_key(key));
    ASSERT_TRUE(std::ranges::all_of(
        key, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; }));
    ASSERT_TRUE(seen.insert(key).second);
    last.insert(key.back());
  }
  EXPECT_EQ(last.size(), 16u);
}

TEST(ApiKey, KnownHashes) {
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // HMAC-SHA256 with a key of 32 zero bytes, from another implementation.
  EXPECT_EQ(hex(KeyHasher(Bytes32{}).of_key("abc")),
            "0b18f2bc0fb546053597876e4b0fbe81378ec3ebeb5f811cec8fbba0b66497fa");
  EXPECT_EQ(KeyHasher(Bytes32{}).of_key("abc"), KeyHasher(Bytes32{}).of_sha256(sha256("abc")));
  EXPECT_NE(KeyHasher(random_bytes32()).of_key("abc"), KeyHasher(random_bytes32()).of_key("abc"));
}

TEST(ApiKey, Hex) {
  const Bytes32 hash = sha256("abc");
  std::string text = hex(hash);
  EXPECT_EQ(parse_hex32(text), hash);
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  EXPECT_EQ(parse_hex32(text), hash);
  EXPECT_FALSE(parse_hex32(text.substr(1)));
  EXPECT_FALSE(parse_hex32(text + "0"));
  text[10] = 'g';
  EXPECT_FALSE(parse_hex32(text));
}

TEST(ApiKey, SameBytes) {
  const Bytes32 a = sha256("abc");
  EXPECT_TRUE(same_bytes(a, sha256("abc")));
  for (const size_t place : {0, 15, 31}) {
    Bytes32 b = a;
    b[place] ^= std::byte{1};
    EXPECT_FALSE(same_bytes(a, b));
  }
}

TEST(ApiKey, WhatIsShownOfAKey) {
  EXPECT_EQ(last_four_of("sk-hadal-abcdefgh"), "efgh");
  EXPECT_EQ(last_four_of("secret"), "ret");
  EXPECT_EQ(last_four_of("a"), "");
  EXPECT_EQ(last_four_of(""), "");
  EXPECT_EQ(last_four_of("12345678\n\x1b\xff "), "????");
}

TEST(ApiKey, WhatCanBeAKey) {
  EXPECT_TRUE(is_possible_key("x"));
  EXPECT_TRUE(is_possible_key(std::string(4096, 'x')));
  for (const std::string& key : {std::string(), std::string(4097, 'x'), std::string("a b"),
                                 std::string("a\n"), std::string("\xc3\xa9"), std::string("a\0", 2)})
    EXPECT_FALSE(is_possible_key(key));
}

}  // namespace
}  // namespace hadal::serve
