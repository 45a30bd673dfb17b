// The prefix cache on states whose rows follow from their tokens, so that a wrong row always shows.
#include "kv/prefix_cache.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "kv/kv_support.h"
#include "model/tail_record.h"
#include "ops/reference_ops.h"
#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using Tokens = std::vector<int32_t>;

class Fixture {
 public:
  explicit Fixture(int64_t pool_bytes = KvPool::kNoLimit)
      : layout(test::parse_config(test::tiny_config()), Numerics::kRelease, 8), pool(ops, pool_bytes) {}

  KvIdentity identity() const { return test::identity_of(layout.block_bytes); }
  std::unique_ptr<PrefixCache> cache(int64_t memory = KvPool::kNoLimit,
                                     const std::filesystem::path& folder = {}) const {
    PrefixCacheOptions options;
    options.identity = identity();
    options.memory_bytes = memory;
    if (!folder.empty()) options.disk = DiskStore::open({folder, int64_t{1} << 30}, identity());
    return std::make_unique<PrefixCache>(layout, pool, std::move(options));
  }

  // A state of these tokens with boundaries at `kept` (in blocks), marked ones where `marked` says so.
  SequenceState state(const Tokens& tokens, const std::vector<int64_t>& kept) const {
    SequenceState state(layout, pool);
    const std::vector<BlockKey> keys = chain_keys(chain_root(identity()), tokens);
    for (size_t at = 0; at < tokens.size(); at += kBlockTokens) {
      const size_t n = std::min<size_t>(kBlockTokens, tokens.size() - at);
      state.reserve(static_cast<int64_t>(n));
      const size_t i = at / kBlockTokens;
      if (i < keys.size()) {
        const auto rows = test::bytes_of(keys[i], layout.block_bytes);
        std::copy(rows.begin(), rows.end(), state.blocks()[i].rows->data());
      }
      for (size_t p = at; p < at + n; ++p)
        for (size_t layer = 0; layer < layout.layers.size(); ++layer)
          fill(state.window(static_cast<int>(layer)).row(static_cast<int64_t>(p)), tokens, p);
      state.advance(std::span(tokens).subspan(at, n));
      const auto block = static_cast<int64_t>(i) + 1;
      if (std::count(kept.begin(), kept.end(), block) > 0) state.keep_boundary(true);
    }
    return state;
  }

  // Whether a match is what a state of these tokens was made of.
  bool right(const Snapshot& snapshot, const Tokens& tokens) const {
    const auto n = static_cast<size_t>(snapshot.length());
    if (n % kBlockTokens != 0 || n > tokens.size() ||
        !std::equal(tokens.begin(), tokens.begin() + n, snapshot.tokens.begin(), snapshot.tokens.end()))
      return false;
    if (n == 0) return snapshot.blocks.empty() && !snapshot.tail;
    const std::vector<BlockKey> keys = chain_keys(chain_root(identity()), tokens);
    if (snapshot.blocks.size() != n / kBlockTokens) return false;
    for (size_t i = 0; i < snapshot.blocks.size(); ++i)
      if (!std::ranges::equal(test::bytes_of(keys[i], layout.block_bytes), bytes(snapshot.blocks[i].rows)))
        return false;
    const SequenceState fresh = state({tokens.begin(), tokens.begin() + static_cast<int64_t>(n)},
                                      {static_cast<int64_t>(n / kBlockTokens)});
    return std::ranges::equal(bytes(fresh.blocks().back().boundary), bytes(snapshot.tail));
  }

  static std::span<const std::byte> bytes(const KvPiece& piece) {
    return {piece->data(), static_cast<size_t>(piece->bytes())};
  }

  ReferenceOps ops;
  StateLayout layout;
  KvPool pool;

 private:
  void fill(std::byte* row, const Tokens& tokens, size_t p) const {
    const uint64_t prefix = static_cast<uint64_t>(tokens[p]) * 31 + p;
    const auto values = test::bytes_of({prefix, prefix}, layout.kv_row.bytes());
    std::copy(values.begin(), values.end(), row);
  }
};

Tokens text(uint64_t family, int64_t shared_blocks, uint64_t branch, int64_t tokens) {
  Tokens ids = test::ids_of(family, shared_blocks, branch, (tokens + kBlockTokens - 1) / kBlockTokens);
  ids.resize(static_cast<size_t>(tokens));
  return ids;
}

TEST(PrefixCache, FindsTheLongestAnchorAndTheFork) {
  const Fixture f;
  const auto cache = f.cache();
  const Tokens first = text(1, 4, 1, 1000), second = text(1, 4, 2, 1000);
  EXPECT_EQ(cache->match(first, 999).snapshot.length(), 0);
  cache->insert(f.state(first, {2, 7}));
  EXPECT_TRUE(f.right(cache->match(first, 999).snapshot, first));
  EXPECT_EQ(cache->match(first, 999).snapshot.length(), 7 * 128);
  EXPECT_EQ(cache->match(first, 7 * 128 - 1).snapshot.length(), 2 * 128);  // no further than asked
  // The other text shares four blocks and can start after two; a boundary at four would serve a third one.
  const PrefixCache::Match match = cache->match(second, 999);
  EXPECT_EQ(match.snapshot.length(), 2 * 128);
  EXPECT_EQ(match.fork, 4 * 128);
  cache->insert(f.state(second, {4}));
  EXPECT_EQ(cache->match(text(1, 4, 3, 1000), 999).snapshot.length(), 4 * 128);
  EXPECT_EQ(cache->match(text(2, 4, 3, 1000), 999).snapshot.length(), 0);
}

TEST(PrefixCache, AScopeFindsItsOwnOnly) {
  const Fixture f;
  const test::TempFolder folder;
  const Tokens tokens = text(1, 4, 1, 600);
  const std::string alice(500, 'a');
  {
    const auto cache = f.cache(KvPool::kNoLimit, folder.path());
    cache->insert(f.state(tokens, {3}));
    cache->insert(f.state(tokens, {4}), alice);
    EXPECT_EQ(cache->match(tokens, 599).snapshot.length(), 3 * 128);
    EXPECT_EQ(cache->match(tokens, 599, alice).snapshot.length(), 4 * 128);
    EXPECT_EQ(cache->match(tokens, 599, "bob").snapshot.length(), 0);
    EXPECT_EQ(cache->match(tokens, 599, "bob").fork, 0) << "not even that somebody asked the same";
  }
  const auto cache = f.cache(KvPool::kNoLimit, folder.path());  // from disk
  EXPECT_EQ(cache->match(tokens, 599, "bob").snapshot.length(), 0);
  EXPECT_EQ(cache->match(tokens, 599, alice).snapshot.length(), 4 * 128);
  EXPECT_EQ(cache->match(tokens, 599).snapshot.length(), 3 * 128);
}

TEST(PrefixCache, AStateGoesOnFromAMatch) {
  const Fixture f;
  const auto cache = f.cache();
  const Tokens tokens = text(1, 0, 1, 700);
  cache->insert(f.state(tokens, {5}));
  SequenceState state(f.layout, f.pool);
  state.restore(cache->match(tokens, 699).snapshot);
  EXPECT_EQ(state.length(), 640);
  EXPECT_EQ(state.rewind(640), 640);
  EXPECT_EQ(state.rewind(600), 0);  // nothing else was kept
}

TEST(PrefixCache, WhatIsUsedAgainStays) {
  const Fixture f;
  const int64_t anchor = tail_bytes(f.layout, 256), blocks = 2 * f.layout.block_bytes;
  const auto cache = f.cache(6 * (anchor + blocks));
  const Tokens system = text(100, 0, 0, 300);
  cache->insert(f.state(system, {2}));
  EXPECT_EQ(cache->match(system, 299).snapshot.length(), 256);  // used again: protected
  for (uint64_t i = 0; i < 40; ++i) {
    const Tokens other = text(i, 0, 0, 300);
    cache->insert(f.state(other, {2}));
    EXPECT_LE(cache->stats().bytes, 6 * (anchor + blocks));
  }
  EXPECT_EQ(cache->match(system, 299).snapshot.length(), 256);
  EXPECT_EQ(cache->match(text(0, 0, 0, 300), 299).snapshot.length(), 0);
  EXPECT_EQ(cache->match(text(39, 0, 0, 300), 299).snapshot.length(), 256);
}

TEST(PrefixCache, ShrinkSparesWhatIsInUse) {
  const Fixture f;
  const auto cache = f.cache();
  const Tokens used = text(1, 0, 0, 300), idle = text(2, 0, 0, 300);
  SequenceState running = f.state(used, {2});
  cache->insert(running);
  cache->insert(f.state(idle, {2}));
  const int64_t before = f.pool.used_bytes();
  const int64_t freed = cache->shrink(KvPool::kNoLimit);
  EXPECT_EQ(freed, before - f.pool.used_bytes());
  EXPECT_EQ(freed, 2 * f.layout.block_bytes + tail_bytes(f.layout, 256));
  EXPECT_EQ(cache->match(used, 299).snapshot.length(), 256);
  EXPECT_EQ(cache->match(idle, 299).snapshot.length(), 0);
}

TEST(PrefixCache, ComesBackFromDisk) {
  const Fixture f;
  const test::TempFolder folder;
  const Tokens tokens = text(1, 3, 1, 1000), other = text(1, 3, 2, 1000);
  {
    const auto cache = f.cache(KvPool::kNoLimit, folder / "kv");
    cache->insert(f.state(tokens, {2, 7}));
  }  // what was inserted is written before it ends
  const auto cache = f.cache(KvPool::kNoLimit, folder / "kv");
  const PrefixCache::Match shared = cache->match(other, 999);
  EXPECT_EQ(shared.snapshot.length(), 256);
  EXPECT_EQ(shared.fork, 3 * 128);
  EXPECT_TRUE(f.right(shared.snapshot, other));
  const PrefixCache::Match whole = cache->match(tokens, 999);
  EXPECT_EQ(whole.snapshot.length(), 7 * 128);
  EXPECT_TRUE(f.right(whole.snapshot, tokens));
  EXPECT_EQ(cache->stats().disk_hits, 2);
  EXPECT_EQ(cache->match(tokens, 999).snapshot.length(), 7 * 128);
  EXPECT_EQ(cache->stats().disk_hits, 2);  // from memory now
}

TEST(PrefixCache, NoMemoryForAHitIsAMiss) {
  const test::TempFolder folder;
  const Tokens tokens = text(1, 0, 1, 1000);
  {
    const Fixture f;
    const auto cache = f.cache(KvPool::kNoLimit, folder / "kv");
    cache->insert(f.state(tokens, {7}));
  }
  const Fixture small(int64_t{1} << 16);
  const auto cache = small.cache(KvPool::kNoLimit, folder / "kv");
  EXPECT_EQ(cache->match(tokens, 999).snapshot.length(), 0);
  EXPECT_EQ(small.pool.live_pieces(), 0);
}

// Whatever is inserted, looked up, evicted and brought back from disk: a match is right, ends at a boundary
// that was kept, is the longest one as long as nothing was evicted, and all memory comes back.
RC_GTEST_PROP(PrefixCacheProperty, MatchesAreRight, ()) {
  const Fixture f;
  const test::TempFolder folder;
  const bool with_disk = *rc::gen::inRange(0, 2) == 1;
  const int64_t limit =
      *rc::gen::element(KvPool::kNoLimit + 0, 20 * f.layout.block_bytes, 200 * f.layout.block_bytes);
  const std::filesystem::path path = with_disk ? folder / "kv" : std::filesystem::path();
  {
    auto cache = f.cache(limit, path);
    std::map<Tokens, bool> anchors;  // prefixes that were kept
    bool lost = false;
    const int steps = *rc::gen::resize(100, rc::gen::inRange(1, 25));
    for (int step = 0; step < steps; ++step) {
      const auto number = [](int most) { return *rc::gen::resize(100, rc::gen::inRange(0, most)); };
      const Tokens tokens = text(1 + static_cast<uint64_t>(number(2)), number(4),
                                 static_cast<uint64_t>(number(3)), 1 + number(1000));
      switch (number(5)) {
        case 0:
        case 1: {
          std::vector<int64_t> kept;
          for (int64_t b = 1; b * kBlockTokens <= static_cast<int64_t>(tokens.size()); ++b)
            if (number(3) == 0) kept.push_back(b);
          for (const int64_t b : kept) anchors[{tokens.begin(), tokens.begin() + b * kBlockTokens}] = true;
          cache->insert(f.state(tokens, kept));
          lost = lost || limit != KvPool::kNoLimit;
          break;
        }
        case 2:
        case 3: {
          const int64_t most = number(1000);
          const PrefixCache::Match match = cache->match(tokens, most);
          RC_ASSERT(f.right(match.snapshot, tokens));
          RC_ASSERT(match.snapshot.length() <= most);
          RC_ASSERT(match.snapshot.length() == 0 || anchors.contains(match.snapshot.tokens));
          RC_ASSERT(match.fork == 0 || match.fork > match.snapshot.length());
          int64_t longest = 0;
          for (int64_t n = kBlockTokens; n <= std::min<int64_t>(most, static_cast<int64_t>(tokens.size()));
               n += kBlockTokens)
            if (anchors.contains({tokens.begin(), tokens.begin() + n})) longest = n;
          if (!lost) RC_ASSERT(match.snapshot.length() == longest);
          break;
        }
        case 4:
          cache->flush();
          if (with_disk && number(2) == 0) {
            cache.reset();  // a restart
            RC_ASSERT(f.pool.live_pieces() == 0);
            cache = f.cache(limit, path);
          } else if (number(3) == 0) {
            lost = lost || cache->shrink(1 + number(100000)) > 0;
          }
          break;
      }
      RC_ASSERT(limit == KvPool::kNoLimit || cache->stats().bytes <= limit);
    }
  }
  RC_ASSERT(f.pool.live_pieces() == 0);
}

}  // namespace
}  // namespace hadal
