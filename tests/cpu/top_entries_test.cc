// The selection of the indexer against a stable sort, on every instruction set.
#include "cpu/top_entries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "base/float_mode.h"
#include "cpu/dispatch.h"

namespace hadal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<int32_t> by_sorting(std::vector<float> scores, int64_t k) {
  for (float& score : scores)
    if (std::isnan(score)) score = -kInf;
  std::vector<int32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return scores[a] > scores[b]; });
  order.resize(std::min(order.size(), static_cast<size_t>(k)));
  std::sort(order.begin(), order.end());
  return order;
}

// part: scores offered at a time.
std::vector<int32_t> by_stream(const KernelTable& kernels, const std::vector<float>& scores, int64_t k,
                               int64_t part) {
  std::vector<uint64_t> items(static_cast<size_t>(TopEntries::room(k))), spare = items;
  std::vector<int32_t> places(TopEntries::kMostOffered);
  TopEntries best(k, items.data(), spare.data(), places.data());
  const auto total = static_cast<int64_t>(scores.size());
  for (int64_t at = 0; at < total; at += part)
    best.offer(kernels, scores.data() + at, std::min(part, total - at), at);
  std::vector<int32_t> out(static_cast<size_t>(best.finish()));
  std::transform(best.items(), best.items() + out.size(), out.begin(), item_entry);
  return out;
}

class TopEntriesTest : public testing::Test {
 protected:
  void expect_same(const std::string& what, const std::vector<float>& scores, int64_t k) {
    const ScopedFloatMode mode;
    const std::vector<int32_t> expected = by_sorting(scores, k);
    for (const std::string& isa : available_isas())
      for (const int64_t part : {int64_t{1000}, TopEntries::kMostOffered})
        ASSERT_EQ(by_stream(kernel_table(isa), scores, k, part), expected)
            << what << ", " << isa << ", " << k << " of " << scores.size();
  }
  std::mt19937_64 random_{7};
};

TEST_F(TopEntriesTest, AnyDistribution) {
  const std::vector<float> specials = {kNan, kInf, -kInf, 0.0f, -0.0f, 1.0f, -1.0f, 0x1p-126f, 3e38f, -3e38f};
  for (int round = 0; round < 60; ++round) {
    const int64_t n = 1 + static_cast<int64_t>(random_() % 9000),
                  k = 1 + static_cast<int64_t>(random_() % 700);
    std::vector<float> scores(static_cast<size_t>(n));
    std::normal_distribution<float> normal;
    for (float& score : scores) score = normal(random_);
    expect_same("normal", scores, k);
    for (float& score : scores) score = std::round(score * 2) / 2;
    expect_same("a few values", scores, k);
    for (float& score : scores)
      if (random_() % 3 == 0) score = specials[random_() % specials.size()];
    expect_same("special values", scores, k);
    for (float& score : scores) score = specials[random_() % 5];
    expect_same("nothing but special values", scores, k);
  }
}

TEST_F(TopEntriesTest, AsManyAsThereAre) {
  std::vector<float> scores(300);
  std::iota(scores.begin(), scores.end(), 0.0f);
  for (const int64_t k : {299, 300, 301, 1000}) expect_same("k near n", scores, k);
}

// Each score is better than all before it: nothing can be dropped early.
TEST_F(TopEntriesTest, Ascending) {
  std::vector<float> scores(50'000);
  std::iota(scores.begin(), scores.end(), -20'000.0f);
  expect_same("ascending", scores, 512);
  std::reverse(scores.begin(), scores.end());
  expect_same("descending", scores, 512);
  std::fill(scores.begin(), scores.end(), 0.25f);
  expect_same("equal", scores, 512);
  std::fill(scores.begin(), scores.end(), kNan);
  expect_same("no numbers", scores, 512);
}

TEST_F(TopEntriesTest, LargeK) {
  std::vector<float> scores(200'000);
  std::normal_distribution<float> normal;
  for (float& score : scores) score = normal(random_);
  for (const int64_t k : {1, 1024, 65'536}) expect_same("large", scores, k);
}

TEST(IndexItem, OrdersScoresThenEntries) {
  EXPECT_GT(index_item(1.0f, 5), index_item(0.5f, 1));
  EXPECT_GT(index_item(1.0f, 4), index_item(1.0f, 5));
  EXPECT_GT(index_item(-0.5f, 9), index_item(-1.0f, 0));
  EXPECT_GT(index_item(-0.0f, 1), index_item(0.0f, 2));
  EXPECT_GT(index_item(0.0f, 1), index_item(-0.0f, 2));
  EXPECT_GT(index_item(kNan, 1), index_item(-kInf, 2));
  EXPECT_GT(index_item(-kInf, 1), index_item(kNan, 2));
  EXPECT_EQ(item_entry(index_item(-3.0f, 123456789)), 123456789);
}

TEST(KeepBest, KeepsTheOrder) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<uint64_t> items(1 + random() % 3000);
    for (size_t i = 0; i < items.size(); ++i) items[i] = random() >> (round % 50) << 12 | i;
    const int64_t k = 1 + static_cast<int64_t>(random() % items.size());
    std::vector<uint64_t> sorted = items, spare = items, kept;
    std::sort(sorted.rbegin(), sorted.rend());
    for (const uint64_t item : items)
      if (item >= sorted[static_cast<size_t>(k - 1)]) kept.push_back(item);
    keep_best(items.data(), static_cast<int64_t>(items.size()), k, spare.data());
    items.resize(static_cast<size_t>(k));
    ASSERT_EQ(items, kept);
  }
}

}  // namespace
}  // namespace hadal
