// Log-probabilities against a long double oracle.
#include "assistant/token_probs.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace hadal {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<long double> oracle(const std::vector<float>& logits) {
  std::vector<long double> x(logits.begin(), logits.end());
  for (long double& v : x) v = std::isnan(v) ? -kInf : v;
  const long double top = *std::max_element(x.begin(), x.end());
  if (top == -kInf) return std::vector<long double>(x.size(), kLeastLogprob);
  long double sum = 0;
  for (const long double v : x) sum += v == top ? 1 : std::exp(v - top);
  for (long double& v : x)
    v = std::max<long double>(v == top ? -std::log(sum) : v - top - std::log(sum), kLeastLogprob);
  return x;
}

std::vector<int32_t> order(const std::vector<float>& logits) {
  std::vector<int32_t> ids;
  for (size_t i = 0; i < logits.size(); ++i)
    if (logits[i] > -kInf) ids.push_back(static_cast<int32_t>(i));
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  return ids;
}

// An empty text is agreement.
std::string differs(const std::vector<float>& logits, int32_t chosen, int k) {
  const TokenProbs got = token_probs(logits, chosen, k);
  const std::vector<long double> want = oracle(logits);
  std::vector<int32_t> ids = order(logits);
  ids.resize(std::min<size_t>(ids.size(), k));
  const auto near = [&](const TokenProb& p) {
    return std::abs(p.logprob - want[p.id]) <= 3e-7L * (1 + std::abs(want[p.id]));
  };
  if (got.chosen.id != chosen || !near(got.chosen))
    return "chosen " + std::to_string(got.chosen.logprob) + " " + std::to_string(want[chosen]);
  if (got.top.size() != ids.size()) return "top has " + std::to_string(got.top.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (got.top[i].id != ids[i]) return "top " + std::to_string(i);
    if (!near(got.top[i])) return "logprob of top " + std::to_string(i);
  }
  return {};
}

std::vector<float> random_logits(size_t n, uint32_t seed, float spread) {
  std::mt19937 random(seed);
  std::normal_distribution<float> value(3, spread);
  std::vector<float> logits(n);
  for (float& x : logits) x = value(random);
  return logits;
}

TEST(TokenProbs, AgreeWithTheOracle) {
  EXPECT_EQ(differs(random_logits(129280, 1, 2.5f), 7, 20), "");
  for (const size_t n : {1, 2, 15, 16, 17, 63, 64, 65, 1000, 5000})
    for (const float spread : {0.0f, 0.1f, 2.5f, 40.0f, 1e30f})
      for (const int k : {0, 1, 5, 20}) {
        const auto logits = random_logits(n, static_cast<uint32_t>(n), spread);
        EXPECT_EQ(differs(logits, static_cast<int32_t>(n / 2), k), "") << n << ' ' << spread << ' ' << k;
      }
}

TEST(TokenProbs, EqualsAreListedByTheirIds) {
  std::vector<float> logits(500, 1.0f);
  logits[321] = 2;
  const TokenProbs got = token_probs(logits, 499, 4);
  ASSERT_EQ(got.top.size(), 4u);
  EXPECT_EQ(got.top[0].id, 321);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(got.top[i].id, i - 1);
  EXPECT_EQ(got.top[1].logprob, got.chosen.logprob);
}

TEST(TokenProbs, WhatIsImpossible) {
  std::vector<float> logits = {kNan, 1, -kInf, 2, -1e30f, kNan};
  EXPECT_EQ(differs(logits, 1, 20), "");
  TokenProbs got = token_probs(logits, 0, 20);
  EXPECT_EQ(got.chosen, (TokenProb{0, kLeastLogprob}));
  ASSERT_EQ(got.top.size(), 3u);
  EXPECT_EQ(got.top[2], (TokenProb{4, kLeastLogprob}));
  EXPECT_EQ(token_probs(logits, 2, 0).chosen.logprob, kLeastLogprob);

  logits = {kInf, 5, kInf, kNan};
  got = token_probs(logits, 2, 20);
  EXPECT_FLOAT_EQ(got.chosen.logprob, -std::log(2.0f));
  ASSERT_EQ(got.top.size(), 3u);
  EXPECT_EQ(got.top[2], (TokenProb{1, kLeastLogprob}));

  for (const float nothing : {kNan, -kInf}) {
    logits.assign(100, nothing);
    got = token_probs(logits, 7, 5);
    EXPECT_EQ(got.chosen, (TokenProb{7, kLeastLogprob}));
    EXPECT_TRUE(got.top.empty());
  }
  logits.assign(70, kNan);
  logits[69] = -3e38f;
  got = token_probs(logits, 69, 5);
  EXPECT_EQ(got.chosen, (TokenProb{69, 0.0f}));
  EXPECT_EQ(got.top.size(), 1u);
}

TEST(TokenProbs, DifferencesBeyondAFloat) {
  const std::vector<float> logits = {3e38f, -3e38f, 3e38f};
  EXPECT_FLOAT_EQ(token_probs(logits, 0, 0).chosen.logprob, -std::log(2.0f));
  EXPECT_EQ(token_probs(logits, 1, 0).chosen.logprob, kLeastLogprob);
}

TEST(TokenProbs, AllTogetherAreOne) {
  const auto logits = random_logits(1000, 3, 3);
  double sum = 0;
  for (int32_t id = 0; id < 1000; ++id) sum += std::exp(token_probs(logits, id, 0).chosen.logprob);
  EXPECT_NEAR(sum, 1, 1e-5);
}

RC_GTEST_PROP(TokenProbsProperty, AgreeWithTheOracle, ()) {
  const auto values = *rc::gen::nonEmpty(rc::gen::container<std::vector<float>>(
      rc::gen::oneOf(rc::gen::map(rc::gen::inRange(-40, 40), [](int v) { return static_cast<float>(v) / 4; }),
                     rc::gen::element(kNan, kInf, -kInf, 1e38f, -1e38f, 1e-40f, 0.0f, -0.0f))));
  const auto chosen = *rc::gen::inRange<int32_t>(0, static_cast<int32_t>(values.size()));
  const int k = *rc::gen::inRange(0, kMostTopLogprobs + 1);
  RC_ASSERT(differs(values, chosen, k) == "");
}

}  // namespace
}  // namespace hadal
