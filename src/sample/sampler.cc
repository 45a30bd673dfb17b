#include "sample/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "base/error.h"
#include "sample/exp.h"
#include "sample/philox.h"

namespace hadal {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

}  // namespace

Sampler::Sampler(const SamplingParams& params, int32_t vocab, uint64_t sequence)
    : params_(params),
      sequence_(sequence),
      count_(vocab),
      is_seen_(vocab),
      logit_(vocab),
      weight_(vocab),
      candidate_(vocab) {
  HADAL_CHECK(vocab > 0);
  const auto valid = validate(params);
  HADAL_CHECK(valid.has_value(), "{}", valid.error().to_string());
  seen_.reserve(vocab);
}

void Sampler::add_prompt(std::span<const int32_t> ids) {
  for (const int32_t id : ids) {
    HADAL_CHECK(id >= 0 && id < static_cast<int64_t>(count_.size()), "token {} of {}", id, count_.size());
    if (is_seen_[id]) continue;
    is_seen_[id] = 1;
    seen_.push_back(id);
  }
}

void Sampler::accept(int32_t id) {
  add_prompt({&id, 1});
  ++count_[id];
}

void Sampler::reset() {
  for (const int32_t id : seen_) count_[id] = is_seen_[id] = 0;
  seen_.clear();
}

int32_t Sampler::sample(std::span<const float> logits, int64_t position, TokenMask allowed) {
  adjust(logits, allowed);
  const int32_t best = highest(position);
  if (params_.temperature == 0.0f) return best;
  weigh(logit_[best]);
  size_t n = candidate_.size();
  std::iota(candidate_.begin(), candidate_.end(), 0);
  n = keep_top_k(n);
  n = keep_top_p(n);
  n = keep_min_p(n);
  return draw(n, position);
}

// Steps 1 to 3.
void Sampler::adjust(std::span<const float> logits, TokenMask allowed) {
  const size_t vocab = count_.size();
  HADAL_CHECK(logits.size() == vocab, "{} logits for a vocabulary of {}", logits.size(), vocab);
  HADAL_CHECK(allowed.empty() || allowed.size() == (vocab + 31) / 32, "a mask of {} words", allowed.size());
  for (size_t id = 0; id < vocab; ++id) {
    const bool possible = is_allowed(allowed, id) && !std::isnan(logits[id]);
    logit_[id] = possible ? logits[id] : kNever;
  }
  for (const int32_t id : seen_) {
    float& x = logit_[id];
    x = x > 0.0f ? x / params_.repetition_penalty : x * params_.repetition_penalty;
    if (count_[id] > 0)
      x -= static_cast<float>(count_[id]) * params_.frequency_penalty + params_.presence_penalty;
  }
}

int32_t Sampler::highest(int64_t position) const {
  const auto best = std::max_element(logit_.begin(), logit_.end());  // the first of equals
  if (*best == kNever)
    fail(ErrorCode::kInvalidFile,
         "no token can be chosen at position {}: every logit is NaN, minus infinity or masked out", position);
  return static_cast<int32_t>(best - logit_.begin());
}

// Weights relative to the maximum. An infinite maximum shares everything among the tokens that have it.
void Sampler::weigh(float maximum) {
  const double top = maximum, inverse = 1.0 / params_.temperature;
  for (size_t id = 0; id < weight_.size(); ++id)
    weight_[id] = logit_[id] == maximum ? 1.0 : sampling_exp((logit_[id] - top) * inverse);
}

// The keep_* functions bring the survivors to the front of candidate_ and return how many there are.
size_t Sampler::keep_top_k(size_t n) {
  const size_t k = static_cast<size_t>(params_.top_k);
  if (k == 0 || k >= n) return n;
  std::nth_element(candidate_.begin(), candidate_.begin() + k, candidate_.begin() + n,
                   [this](int32_t a, int32_t b) { return before(a, b); });
  std::sort(candidate_.begin(),
            candidate_.begin() + k);  // sums below must not depend on how nth_element moved things
  return k;
}

size_t Sampler::keep_top_p(size_t n) {
  if (params_.top_p >= 1.0f) return n;
  const auto begin = candidate_.begin();
  double total = 0.0;
  for (size_t i = 0; i < n; ++i) total += weight_[candidate_[i]];
  // All tokens below this weight together have less than 1 - p, so none of them is among the fewest that
  // reach p.
  const double floor = (1.0 - params_.top_p) * total / static_cast<double>(n);
  const auto end = std::partition(begin, begin + n, [&](int32_t id) { return weight_[id] >= floor; });
  // A heap gives the most likely first without sorting the rest.
  const auto after = [this](int32_t a, int32_t b) { return before(b, a); };
  std::make_heap(begin, end, after);
  const double wanted = params_.top_p * total;
  double sum = 0.0;
  auto rest = end;  // [rest, end): popped so far, the most likely last
  while (rest != begin && (sum < wanted || rest == end)) {
    std::pop_heap(begin, rest, after);
    sum += weight_[*--rest];
  }
  std::rotate(begin, rest, end);
  return static_cast<size_t>(end - rest);
}

// The most likely token has weight 1 and has survived every step before.
size_t Sampler::keep_min_p(size_t n) {
  const double least = params_.min_p;
  const auto end = std::remove_if(candidate_.begin(), candidate_.begin() + n,
                                  [&](int32_t id) { return weight_[id] < least; });
  return static_cast<size_t>(end - candidate_.begin());
}

int32_t Sampler::draw(size_t n, int64_t position) const {
  double total = 0.0;
  for (size_t i = 0; i < n; ++i) total += weight_[candidate_[i]];
  const double target = uniform_at(params_.seed, sequence_, static_cast<uint64_t>(position)) * total;
  double sum = 0.0;
  int32_t chosen = -1;
  for (size_t i = 0; i < n && (chosen < 0 || sum <= target); ++i) {
    if (weight_[candidate_[i]] == 0.0) continue;
    sum += weight_[candidate_[i]];
    chosen = candidate_[i];
  }
  return chosen;
}

}  // namespace hadal
