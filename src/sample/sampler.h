// One token from one row of logits. Owns what the penalties remember of one sequence; not thread-safe, one
// sampler a sequence.
//
// The order, each step on the result of the one before:
//   1  mask: a token outside `allowed`, or with a NaN logit, cannot be chosen
//   2  repetition penalty (prompt and answer): a positive logit is divided by it, a negative one multiplied
//   3  frequency and presence penalties (answer only): logit - count * frequency - presence
//   4  temperature 0: the highest logit, ties to the lower id; nothing below applies
//   5  temperature: logits are divided by it
//   6  top-k: the k highest, ties to the lower id
//   7  top-p: of what is left, renormalised, the fewest most likely tokens that reach p together
//   8  min-p: of what is left, tokens at least min_p times as likely as the most likely one
//   9  the draw: one number from (seed, sequence, position)
// At least one token survives every step. The result depends on nothing else: not on threads, batches or
// earlier calls but for the counts of accept(). Arithmetic is in double without libm, so it is the same on
// every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sample/params.h"

namespace hadal {

// One bit a token, bit id % 32 of word id / 32; an empty span allows every token.
using TokenMask = std::span<const uint32_t>;
inline bool is_allowed(TokenMask mask, size_t id) {
  return mask.empty() || (mask[id / 32] >> (id % 32) & 1u) != 0;
}

class Sampler {
 public:
  // params must be valid (validate()). vocab > 0. sequence tells apart several answers drawn with one seed.
  Sampler(const SamplingParams& params, int32_t vocab, uint64_t sequence = 0);

  // Tokens of the prompt, for the repetition penalty.
  void add_prompt(std::span<const int32_t> ids);
  // The token the sequence really went on with, for all three penalties.
  void accept(int32_t id);
  // Forgets prompt and answer.
  void reset();

  // logits: [vocab], the row after the sequence's last token; position: where the new token will stand.
  // Changes nothing that a later call sees. Throws Error{kInvalidFile} when no token can be chosen: every
  // logit is NaN, minus infinity or masked. Allocates nothing. O(vocab), with top_p < 1 usually too.
  int32_t sample(std::span<const float> logits, int64_t position, TokenMask allowed = {});

  const SamplingParams& params() const { return params_; }

 private:
  void adjust(std::span<const float> logits, TokenMask allowed);
  int32_t highest(int64_t position) const;
  void weigh(float maximum);
  size_t keep_top_k(size_t n);
  size_t keep_top_p(size_t n);
  size_t keep_min_p(size_t n);
  int32_t draw(size_t n, int64_t position) const;
  bool before(int32_t a, int32_t b) const { return logit_[a] != logit_[b] ? logit_[a] > logit_[b] : a < b; }

  SamplingParams params_;
  uint64_t sequence_;
  std::vector<uint32_t> count_;     // [vocab] times in the answer
  std::vector<uint8_t> is_seen_;    // [vocab] in the prompt or the answer
  std::vector<int32_t> seen_;       // the ids with is_seen_, each once
  std::vector<float> logit_;        // [vocab] scratch: logits after steps 1 to 3
  std::vector<double> weight_;      // [vocab] scratch: exp((logit - highest) / temperature)
  std::vector<int32_t> candidate_;  // [vocab] scratch: ids still in play
};

}  // namespace hadal
