#include "kv/chain.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>
#include <set>

#include "kv_support.h"

namespace hadal {
namespace {

using test::identity_of;

TEST(Chain, KeysOfTheFormatDoNotChange) {
  std::vector<int32_t> ids(256);
  std::iota(ids.begin(), ids.end(), 0);
  const BlockKey root = chain_root({{1, 2}, "release", "v4-preview", 449'824});
  const auto keys = chain_keys(root, ids);
  EXPECT_EQ(root.hex(), "0461aec500e27886db1bb05ab81485c3");
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].hex(), "2b9052db01ef96cea4b334cc7f86fc64");
  EXPECT_EQ(keys[1].hex(), "1270a9de70b2ae0edddf919307f54da6");
}

TEST(Chain, EveryPartOfTheIdentityCounts) {
  const KvIdentity base = identity_of(1000);
  std::set<BlockKey> roots;
  for (int i = 0; i < 7; ++i) {
    KvIdentity other = base;
    if (i == 1) other.fingerprint.high ^= 1;
    if (i == 2) other.fingerprint.low ^= 1;
    if (i == 3) other.numerics = "fp32";
    if (i == 4) other.prompt_generation = "v4-official";
    if (i == 5) other.block_bytes = 1001;
    if (i == 6) other.numerics = "releas", other.prompt_generation = "ev4-preview";  // no bytes change sides
    roots.insert(chain_root(other));
  }
  EXPECT_EQ(roots.size(), 7u);
}

RC_GTEST_PROP(Chain, AKeyStandsForAllIdsBefore, ()) {
  const auto blocks = *rc::gen::inRange<int64_t>(1, 6);
  auto ids = *rc::gen::container<std::vector<int32_t>>(static_cast<size_t>(blocks * kChainBlockTokens),
                                                       rc::gen::arbitrary<int32_t>());
  const BlockKey root = chain_root(identity_of(64));
  const auto keys = chain_keys(root, ids);
  const auto at = *rc::gen::inRange<size_t>(0, ids.size());
  ids[at] ^= 1 << *rc::gen::inRange(0, 31);
  const auto changed = chain_keys(root, ids);
  for (size_t i = 0; i < keys.size(); ++i) RC_ASSERT((keys[i] == changed[i]) == (i < at / kChainBlockTokens));
}

TEST(Chain, ABlockThatIsNotWholeHasNoKey) {
  const std::vector<int32_t> ids(300);
  EXPECT_EQ(chain_keys({}, ids).size(), 2u);
  EXPECT_TRUE(chain_keys({}, std::span(ids).first(127)).empty());
}

RC_GTEST_PROP(Hash128, HexAndBytesRoundTrip, (uint64_t high, uint64_t low)) {
  const Hash128 key{high, low};
  RC_ASSERT(key.hex().size() == 32u);
  RC_ASSERT(Hash128::parse(key.hex()) == key);
  RC_ASSERT(Hash128::from_bytes(key.bytes()) == key);
}

TEST(Hash128, WhatIsNoHex) {
  EXPECT_FALSE(Hash128::parse(""));
  EXPECT_FALSE(Hash128::parse(std::string(31, '0')));
  EXPECT_FALSE(Hash128::parse(std::string(33, '0')));
  EXPECT_FALSE(Hash128::parse(std::string(31, '0') + "g"));
  EXPECT_FALSE(Hash128::parse(std::string(31, '0') + "A"));
  EXPECT_EQ(Hash128::parse("00000000000000010000000000000002"), (Hash128{1, 2}));
}

}  // namespace
}  // namespace hadal
