#include "assistant/token_probs.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/check.h"

namespace hadal {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kInfinite = std::numeric_limits<float>::infinity();

// Loops over the lanes of a block have a fixed length, so that a compiler makes vectors of them; element i
// belongs to lane i % kLanes, so that the order of every sum is fixed.
constexpr size_t kLanes = 16;
constexpr size_t kBlock = 64;

// The highest of n <= kBlock values, NaNs left out.
float highest(const float* x, size_t n) {
  std::array<float, kLanes> lanes;
  lanes.fill(kNever);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (size_t l = 0; l < kLanes; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  for (size_t l = 0; i + l < n; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  return *std::max_element(lanes.begin(), lanes.end());
}

// e^x within a few units of the last place for x in [-80, 0].
inline float small_exp(float x) {
  constexpr float kShift = 0x1.8p23f;  // adding it rounds to an integer
  const float n = (x * 1.44269504f + kShift) - kShift;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

// Sum of e^(x - top). top is finite. What is less than e^-80 of it, and a NaN, counts as e^-80: no sum that
// begins with 1 notices.
double total_weight(std::span<const float> logits, float top) {
  constexpr float kLow = -80.0f;
  std::array<double, kLanes> sums{};
  const auto add = [&](const float* x, size_t n) {
    std::array<float, kLanes> weights;
    weights.fill(kLow);
    for (size_t l = 0; l < n; ++l) weights[l] = x[l] - top;
    for (size_t l = 0; l < kLanes; ++l) weights[l] = weights[l] > kLow ? weights[l] : kLow;
    for (size_t l = 0; l < kLanes; ++l) weights[l] = small_exp(weights[l]);
    for (size_t l = 0; l < kLanes; ++l) sums[l] += static_cast<double>(weights[l]);
  };
  size_t i = 0;
  for (; i + kLanes <= logits.size(); i += kLanes) add(logits.data() + i, kLanes);
  if (i < logits.size()) add(logits.data() + i, logits.size() - i);
  for (size_t width = kLanes / 2; width > 0; width /= 2)
    for (size_t l = 0; l < width; ++l) sums[l] += sums[l + width];
  return sums[0];
}

// The k likeliest ids, in order. A block whose highest value is no candidate is not looked at.
std::vector<int32_t> likeliest(std::span<const float> logits, std::span<const float> block_highest,
                               size_t k) {
  const auto before = [&](int32_t a, int32_t b) {
    const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
    return x != y ? x > y : a < b;
  };
  std::vector<int32_t> best;  // a heap, the least likely in front
  float least = kNever;
  for (size_t block = 0; block < block_highest.size() && k > 0; ++block) {
    if (!(block_highest[block] > least)) continue;
    const size_t end = std::min((block + 1) * kBlock, logits.size());
    for (size_t i = block * kBlock; i < end; ++i) {
      if (!(logits[i] > least)) continue;
      if (best.size() == k) {
        std::pop_heap(best.begin(), best.end(), before);
        best.pop_back();
      }
      best.push_back(static_cast<int32_t>(i));
      std::push_heap(best.begin(), best.end(), before);
      if (best.size() == k) least = logits[static_cast<size_t>(best.front())];
    }
  }
  std::sort_heap(best.begin(), best.end(), before);
  return best;
}

}  // namespace

TokenProbs token_probs(std::span<const float> logits, int32_t chosen, int k) {
  HADAL_CHECK(chosen >= 0 && static_cast<size_t>(chosen) < logits.size(), "token {} of {}", chosen,
              logits.size());
  HADAL_CHECK(k >= 0 && k <= kMostTopLogprobs, "{} likeliest tokens", k);
  std::vector<float> block_highest;
  block_highest.reserve(logits.size() / kBlock + 1);
  for (size_t i = 0; i < logits.size(); i += kBlock)
    block_highest.push_back(highest(logits.data() + i, std::min(kBlock, logits.size() - i)));
  const float top = *std::max_element(block_highest.begin(), block_highest.end());
  double log_total = 0;
  if (top == kInfinite)
    log_total = std::log(static_cast<double>(std::count(logits.begin(), logits.end(), kInfinite)));
  else if (top != kNever)
    log_total = std::log(total_weight(logits, top));
  const auto prob = [&](int32_t id) {
    const float x = logits[static_cast<size_t>(id)];
    const double logprob = x == top ? -log_total : (static_cast<double>(x) - top) - log_total;
    const bool possible = x > kNever && logprob > static_cast<double>(kLeastLogprob);  // false for NaN
    return TokenProb{id, possible ? static_cast<float>(logprob) : kLeastLogprob};
  };
  TokenProbs out{prob(chosen), {}};
  for (const int32_t id : likeliest(logits, block_highest, static_cast<size_t>(k)))
    out.top.push_back(prob(id));
  return out;
}

}  // namespace hadal
