// Merging, against a reference that does exactly what the specification says and nothing clever.
#include "text/bpe.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <numeric>

namespace hadal {
namespace {

std::array<int32_t, 256> identity() {
  std::array<int32_t, 256> ids;
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

std::vector<int32_t> encode(const Bpe& bpe, std::string_view piece) {
  BpeScratch scratch;
  std::vector<int32_t> out = {-7};  // what is there already stays
  bpe.encode(piece, scratch, out);
  EXPECT_EQ(out[0], -7);
  return {out.begin() + 1, out.end()};
}

std::vector<int32_t> reference(const std::vector<Merge>& merges, std::string_view piece) {
  std::vector<int32_t> ids;
  for (const char c : piece) ids.push_back(static_cast<uint8_t>(c));
  while (true) {
    size_t best = merges.size(), at = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t m = 0; m < best; ++m) {
        if (merges[m].left == ids[i] && merges[m].right == ids[i + 1]) best = m, at = i;
      }
    }
    if (best == merges.size()) return ids;
    ids[at] = merges[best].result;
    ids.erase(ids.begin() + static_cast<long>(at) + 1);
  }
}

TEST(Bpe, LowestRankFirstThenLeftmost) {
  const Bpe bpe(identity(), {{'b', 'c', 300}, {'a', 'b', 301}, {'a', 'a', 302}, {302, 'a', 303}});
  EXPECT_EQ(encode(bpe, "abc"), (std::vector<int32_t>{'a', 300}));
  EXPECT_EQ(encode(bpe, "ab"), (std::vector<int32_t>{301}));
  EXPECT_EQ(encode(bpe, "aaa"), (std::vector<int32_t>{303}));
  EXPECT_EQ(encode(bpe, "aaaa"), (std::vector<int32_t>{302, 302}));
  EXPECT_EQ(encode(bpe, "aaaaa"), (std::vector<int32_t>{302, 303}));
  EXPECT_EQ(encode(bpe, "\xFF"), (std::vector<int32_t>{255}));
  EXPECT_EQ(encode(bpe, ""), (std::vector<int32_t>{}));
}

TEST(Bpe, NamesTheFirstRepeatedPair) {
  EXPECT_EQ(Bpe(identity(), {{'a', 'b', 300}, {'b', 'a', 301}}).repeated(), std::nullopt);
  EXPECT_EQ(Bpe(identity(), {{'a', 'b', 300}, {'b', 'a', 301}, {'a', 'b', 300}, {'b', 'a', 301}}).repeated(),
            2u);
}

// Merges over a small alphabet, each of tokens that exist by then, so that they build on one another.
std::vector<Merge> random_merges() {
  std::vector<Merge> merges;
  std::map<std::pair<int32_t, int32_t>, bool> seen;
  std::vector<int32_t> tokens = {'a', 'b', 'c'};
  const int n = *rc::gen::inRange(0, 40);
  for (int i = 0; i < n; ++i) {
    const auto pair = std::make_pair(*rc::gen::elementOf(tokens), *rc::gen::elementOf(tokens));
    if (!seen.emplace(pair, true).second) continue;
    merges.push_back({pair.first, pair.second, 256 + i});
    tokens.push_back(256 + i);
  }
  // Ranks in another order than that of creation: a later merge may come first.
  if (*rc::gen::arbitrary<bool>()) std::reverse(merges.begin(), merges.end());
  return merges;
}

RC_GTEST_PROP(Bpe, EqualsTheReferenceForShortAndLongPieces, ()) {
  const std::vector<Merge> merges = random_merges();
  const Bpe bpe(identity(), merges);
  // Both sides of the length where the way of merging changes.
  const auto length = *rc::gen::oneOf(rc::gen::inRange<size_t>(0, 20), rc::gen::inRange<size_t>(40, 140));
  const auto piece = *rc::gen::container<std::string>(length, rc::gen::elementOf(std::string("aabcd")));
  RC_ASSERT(encode(bpe, piece) == reference(merges, piece));
}

TEST(Bpe, WorkGrowsInProportionToThePiece) {
  // Doubling merges: the most merges that a run of one letter can have.
  std::vector<Merge> doubling = {{'a', 'a', 256}};
  for (int32_t i = 0; i < 16; ++i) doubling.push_back({256 + i, 256 + i, 257 + i});
  // One token that swallows the next letter, again and again.
  std::vector<Merge> growing = {{'a', 'a', 256}};
  for (int32_t i = 0; i < 2000; ++i) growing.push_back({256 + i, 'a', 257 + i});
  for (const auto& merges : {doubling, growing}) {
    const Bpe bpe(identity(), merges);
    for (const size_t n : {size_t{1} << 10, size_t{1} << 18}) {
      BpeScratch scratch;
      std::vector<int32_t> out;
      bpe.encode(std::string(n, 'a'), scratch, out);
      EXPECT_FALSE(out.empty());
      // One look-up for each neighbour at the start, at most two for each of fewer than n merges.
      EXPECT_LE(scratch.lookups, 3 * n);
    }
  }
}

}  // namespace
}  // namespace hadal
