// Log-probabilities for clients: log-softmax at temperature 1 of a row of logits, of the token that was taken
// and of the likeliest.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace hadal {

inline constexpr int kMostTopLogprobs = 20;
// What stands for the logarithm of zero, and for anything below.
inline constexpr float kLeastLogprob = -9999.0f;

struct TokenProb {
  int32_t id = 0;
  float logprob = 0;
  bool operator==(const TokenProb&) const = default;
};

struct TokenProbs {
  TokenProb chosen;
  std::vector<TokenProb> top;  // the likeliest first, of equals the lower id
};

// k in [0, kMostTopLogprobs]: how many of the likeliest; there are fewer when fewer are possible. A NaN
// counts as minus infinity; tokens at plus infinity share everything among themselves. The same bits wherever
// it is computed, but for the last bit of the C library's log(). Pure function; meant for the thread of the
// engine.
TokenProbs token_probs(std::span<const float> logits, int32_t chosen, int k);

}  // namespace hadal
