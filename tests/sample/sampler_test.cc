// The sampler against direct computation in double: distributions, each filter alone, their order, penalties,
// masks and logits that are no numbers.
#include "sample/sampler.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/error.h"

namespace hadal {
namespace {

constexpr float kInf = INFINITY;
const float kNan = std::nanf("");

// The definition, slowly: probabilities after every step, zero for what cannot be chosen.
std::vector<double> expected_distribution(const std::vector<float>& logits, const SamplingParams& p) {
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  std::vector<double> prob(logits.size());
  for (size_t i = 0; i < prob.size(); ++i)
    prob[i] = std::exp((double{logits[i]} - double{logits[order[0]]}) / double{p.temperature});
  const auto renormalise = [&] {
    const double total = std::accumulate(prob.begin(), prob.end(), 0.0);
    for (double& x : prob) x /= total;
  };
  if (p.top_k > 0)
    for (size_t i = static_cast<size_t>(p.top_k); i < order.size(); ++i) prob[order[i]] = 0;
  renormalise();
  if (p.top_p < 1) {
    double sum = 0;
    for (const int id : order) {
      const bool reached = sum >= double{p.top_p};
      sum += prob[id];
      if (reached) prob[id] = 0;
    }
    renormalise();
  }
  for (double& x : prob)
    if (x < double{p.min_p} * prob[order[0]]) x = 0;
  renormalise();
  return prob;
}

std::vector<int> histogram(const std::vector<float>& logits, const SamplingParams& params, int draws) {
  Sampler sampler(params, static_cast<int32_t>(logits.size()));
  std::vector<int> count(logits.size());
  for (int i = 0; i < draws; ++i) ++count[sampler.sample(logits, i)];
  return count;
}

// Pearson's statistic is below its expectation plus five standard deviations, and nothing impossible was
// drawn.
void expect_distribution(const std::vector<float>& logits, const SamplingParams& params) {
  constexpr int kDraws = 20000;
  const auto prob = expected_distribution(logits, params);
  const auto count = histogram(logits, params, kDraws);
  double chi2 = 0;
  int degrees = -1;
  for (size_t i = 0; i < prob.size(); ++i) {
    const double expected = prob[i] * kDraws;
    if (prob[i] == 0) {
      EXPECT_EQ(count[i], 0) << "token " << i;
    }
    if (expected < 5) continue;
    chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    ++degrees;
  }
  if (degrees > 0) {
    EXPECT_LT(chi2, degrees + 5 * std::sqrt(2.0 * degrees));
  } else {
    EXPECT_EQ(std::count_if(prob.begin(), prob.end(), [](double x) { return x > 0; }), 1);
  }
}

const std::vector<float> kLogits = {0.5f, 2.0f, -1.0f, 1.5f, 0.0f, 2.0f, -3.0f, 1.0f};

TEST(Sampler, DrawsTheSoftmax) {
  expect_distribution(kLogits, {.seed = 1});
  expect_distribution(kLogits, {.temperature = 0.5f, .seed = 2});
  expect_distribution(kLogits, {.temperature = 2.0f, .seed = 3});
  expect_distribution(std::vector<float>(50, -7.0f), {.seed = 4});
}

TEST(Sampler, EachFilterAlone) {
  for (int k = 1; k <= 9; ++k) expect_distribution(kLogits, {.top_k = k, .seed = 5});
  for (const float p : {1e-6f, 0.2f, 0.5f, 0.62f, 0.9f, 0.99f, 0.999f})
    expect_distribution(kLogits, {.top_p = p, .seed = 6});
  for (const float p : {0.01f, 0.1f, 0.5f, 0.61f, 1.0f})
    expect_distribution(kLogits, {.min_p = p, .seed = 7});
}

TEST(Sampler, FiltersTogetherInTheDocumentedOrder) {
  expect_distribution(kLogits, {.temperature = 1.5f, .top_p = 0.8f, .top_k = 5, .min_p = 0.3f, .seed = 8});
  // Temperature comes before top-p: the flattened distribution needs more tokens to reach 0.6.
  const std::vector<float> steep = {4, 3, 2, 1, 0};
  const auto distinct = [&](SamplingParams p) {
    const auto count = histogram(steep, p, 5000);
    return std::count_if(count.begin(), count.end(), [](int n) { return n > 0; });
  };
  EXPECT_EQ(distinct({.temperature = 1.0f, .top_p = 0.6f}), 1);
  EXPECT_EQ(distinct({.temperature = 2.0f, .top_p = 0.6f}), 2);
  // Top-k comes before top-p: among two tokens the first alone has 0.73, among five only 0.64.
  EXPECT_EQ(distinct({.top_p = 0.7f}), 2);
  EXPECT_EQ(distinct({.top_p = 0.7f, .top_k = 2}), 1);
  // Top-p comes before min-p: dropping the tail first would leave {0.73, 0.27} and so the first token alone.
  EXPECT_EQ(distinct({.top_p = 0.7f, .min_p = 0.3f}), 2);
}

RC_GTEST_PROP(SamplerProperty, OnlyDrawsWhatTheDefinitionAllows, ()) {
  const int vocab = *rc::gen::inRange(1, 200);
  const auto steps =
      *rc::gen::container<std::vector<int>>(static_cast<size_t>(vocab), rc::gen::inRange(-24, 24));
  std::vector<float> logits(steps.begin(), steps.end());
  for (float& x : logits) x *= 0.25f;  // many ties
  const SamplingParams params{.temperature = 0.1f * static_cast<float>(*rc::gen::inRange(1, 20)),
                              .top_p = 0.01f * static_cast<float>(*rc::gen::inRange(1, 101)),
                              .top_k = *rc::gen::inRange(0, vocab + 2),
                              .min_p = 0.01f * static_cast<float>(*rc::gen::inRange(0, 101)),
                              .seed = *rc::gen::arbitrary<uint64_t>()};
  const auto prob = expected_distribution(logits, params);
  // A sum that reaches top_p to the last bit may round either way: the next token in line is then allowed as
  // well.
  auto looser = params;
  looser.top_p = std::min(1.0f, params.top_p + 1e-5f);
  const auto prob_looser = expected_distribution(logits, looser);
  Sampler sampler(params, vocab);
  for (int position = 0; position < 20; ++position) {
    const int32_t id = sampler.sample(logits, position);
    RC_ASSERT(id >= 0 && id < vocab);
    RC_ASSERT(prob[id] > 0 || prob_looser[id] > 0);
  }
}

TEST(Sampler, ZeroTemperatureTakesTheHighestAndTheLowerIdOfEquals) {
  EXPECT_EQ(histogram(kLogits, {.temperature = 0, .top_p = 0.1f, .top_k = 3, .seed = 9}, 50)[1], 50);
  Sampler greedy({.temperature = 0}, 3);
  EXPECT_EQ(greedy.sample(std::vector<float>{-0.0f, 0.0f, 0.0f}, 0), 0);
  EXPECT_EQ(greedy.sample(std::vector<float>{kNan, -5.0f, -5.0f}, 0), 1);
}

TEST(Sampler, TiesAtTopKKeepTheLowerIds) {
  const std::vector<float> logits = {1, 3, 1, 3, 1, 3};
  const auto count = histogram(logits, {.top_k = 2, .seed = 10}, 2000);
  EXPECT_GT(count[1], 0);
  EXPECT_GT(count[3], 0);
  EXPECT_EQ(count[1] + count[3], 2000);
}

TEST(Sampler, TiesAtTopPKeepTheLowerIds) {
  const auto count = histogram({0, 0, 0, 0}, {.top_p = 0.5f, .seed = 11}, 2000);
  EXPECT_GT(count[0], 0);
  EXPECT_GT(count[1], 0);
  EXPECT_EQ(count[0] + count[1], 2000);
}

TEST(Sampler, SameSeedSequenceAndPositionSameToken) {
  const std::vector<float> logits(1000, 0.0f);
  Sampler a({.seed = 12}, 1000), b({.seed = 12}, 1000), other_seed({.seed = 13}, 1000),
      other_sequence({.seed = 12}, 1000, 1);
  std::vector<int32_t> forward, backward;
  int same_seed = 0, same_sequence = 0;
  for (int i = 0; i < 200; ++i) {
    forward.push_back(a.sample(logits, i));
    same_seed += forward.back() == other_seed.sample(logits, i);
    same_sequence += forward.back() == other_sequence.sample(logits, i);
  }
  for (int i = 199; i >= 0; --i) backward.push_back(b.sample(logits, i));  // earlier calls leave no trace
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  EXPECT_LT(same_seed, 5);
  EXPECT_LT(same_sequence, 5);
  EXPECT_GT(std::set<int32_t>(forward.begin(), forward.end()).size(), 150u);
}

// The text of a seed is a promise across machines and releases.
TEST(Sampler, TheTokensOfASeedAreFixed) {
  std::vector<float> logits(64);
  for (int i = 0; i < 64; ++i) logits[i] = 0.1f * static_cast<float>((i * 37) % 64);
  const auto text = [&](SamplingParams p) {
    Sampler sampler(p, 64);
    std::vector<int32_t> ids;
    for (int i = 0; i < 12; ++i) ids.push_back(sampler.sample(logits, i));
    return ids;
  };
  EXPECT_EQ(text({.seed = 2026}), (std::vector<int32_t>{29, 62, 43, 48, 38, 19, 62, 50, 38, 55, 19, 31}));
  EXPECT_EQ(text({.temperature = 1.3f, .top_p = 0.9f, .top_k = 40, .min_p = 0.02f, .seed = 2026}),
            (std::vector<int32_t>{43, 19, 12, 12, 31, 36, 19, 57, 31, 38, 36, 24}));
}

// Reads back adjusted logits through greedy choice: a probe token's level at which it just wins.
float adjusted_logit(const SamplingParams& params, float logit, int in_prompt, int in_answer) {
  SamplingParams greedy = params;
  greedy.temperature = 0;
  Sampler sampler(greedy, 2);
  for (int i = 0; i < in_prompt; ++i) sampler.add_prompt(std::vector<int32_t>{1});
  for (int i = 0; i < in_answer; ++i) sampler.accept(1);
  float low = -100, high = 100;  // token 0 loses at low and wins at high
  for (int i = 0; i < 60; ++i) {
    const float middle = 0.5f * (low + high);
    (sampler.sample(std::vector<float>{middle, logit}, 0) == 0 ? high : low) = middle;
  }
  return high;
}

TEST(SamplerPenalties, FollowTheirFormulas) {
  for (const float logit : {3.0f, -3.0f, 0.0f}) {
    EXPECT_FLOAT_EQ(adjusted_logit({.presence_penalty = 0.75f, .frequency_penalty = 0.5f}, logit, 3, 0),
                    logit);
    EXPECT_FLOAT_EQ(adjusted_logit({.presence_penalty = 0.75f}, logit, 1, 4), logit - 0.75f);
    EXPECT_FLOAT_EQ(adjusted_logit({.presence_penalty = -1.5f}, logit, 0, 1), logit + 1.5f);
    EXPECT_FLOAT_EQ(adjusted_logit({.frequency_penalty = 0.5f}, logit, 1, 4), logit - 2.0f);
    EXPECT_FLOAT_EQ(adjusted_logit({.repetition_penalty = 1.25f}, logit, 0, 0), logit);
    const float repeated = logit > 0 ? logit / 1.25f : logit * 1.25f;
    EXPECT_FLOAT_EQ(adjusted_logit({.repetition_penalty = 1.25f}, logit, 1, 0), repeated);
    EXPECT_FLOAT_EQ(adjusted_logit({.repetition_penalty = 1.25f}, logit, 2, 3), repeated);
    EXPECT_FLOAT_EQ(
        adjusted_logit({.presence_penalty = 0.25f, .frequency_penalty = 0.5f, .repetition_penalty = 1.25f},
                       logit, 1, 2),
        repeated - 1.25f);
  }
}

TEST(SamplerPenalties, ResetForgets) {
  Sampler sampler({.temperature = 0, .presence_penalty = 2, .repetition_penalty = 2}, 2);
  const std::vector<float> logits = {1.0f, 1.5f};
  sampler.add_prompt(std::vector<int32_t>{1, 1});
  sampler.accept(1);
  EXPECT_EQ(sampler.sample(logits, 0), 0);
  sampler.reset();
  EXPECT_EQ(sampler.sample(logits, 0), 1);
}

TEST(SamplerMask, OnlyAllowedTokens) {
  std::vector<float> logits(70, 0.0f);
  logits[69] = 30;
  logits[5] = 20;
  std::vector<uint32_t> mask(3, 0);
  mask[0] = 1u << 5 | 1u << 31;
  mask[2] = 1u << 3;  // 67
  Sampler greedy({.temperature = 0}, 70), hot({.temperature = 2, .seed = 14}, 70);
  EXPECT_EQ(greedy.sample(logits, 0, mask), 5);
  logits[5] = 0;
  std::map<int32_t, int> count;
  for (int i = 0; i < 600; ++i) ++count[hot.sample(logits, i, mask)];
  EXPECT_EQ(count.size(), 3u);
  for (const int32_t id : {5, 31, 67}) EXPECT_GT(count[id], 120) << id;
}

TEST(SamplerOddLogits, NanIsNeverChosen) {
  std::vector<float> logits(32, kNan);
  logits[7] = -1e30f;
  for (const SamplingParams& p :
       {SamplingParams{.temperature = 0}, SamplingParams{}, SamplingParams{.top_p = 0.5f},
        SamplingParams{.top_k = 4}, SamplingParams{.min_p = 0.1f}})
    EXPECT_EQ(histogram(logits, p, 50)[7], 50);
}

TEST(SamplerOddLogits, InfinityTakesEverything) {
  const std::vector<float> logits = {kInf, 3.0f, kInf, kNan, -kInf};
  for (const SamplingParams& p :
       {SamplingParams{}, SamplingParams{.top_p = 0.9f}, SamplingParams{.top_k = 2}}) {
    const auto count = histogram(logits, p, 1000);
    EXPECT_EQ(count[0] + count[2], 1000);
    EXPECT_GT(std::min(count[0], count[2]), 400);
  }
}

TEST(SamplerOddLogits, NothingToChooseIsAnError) {
  const auto refused = [](const std::vector<float>& logits, TokenMask mask) {
    Sampler sampler({}, static_cast<int32_t>(logits.size()));
    try {
      sampler.sample(logits, 17, mask);
    } catch (const Error& error) {
      return error.code() == ErrorCode::kInvalidFile &&
             std::string(error.what()).find("17") != std::string::npos;
    }
    return false;
  };
  EXPECT_TRUE(refused({kNan, kNan}, {}));
  EXPECT_TRUE(refused({-kInf, kNan}, {}));
  const uint32_t none = 0, second = 2;
  EXPECT_TRUE(refused({1.0f, 2.0f}, {&none, 1}));
  EXPECT_TRUE(refused({1.0f, kNan}, {&second, 1}));
}

TEST(SamplerOddLogits, ExtremeTemperaturesStayFinite) {
  for (const float t : {1e-37f, 1e-6f, 2.0f}) {
    Sampler sampler({.temperature = t}, 3);
    EXPECT_EQ(sampler.sample(std::vector<float>{-3e38f, 3e38f, 0.0f}, 0), 1) << t;
  }
}

}  // namespace
}  // namespace hadal
