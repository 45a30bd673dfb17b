// What a request may say about sampling (spec/api.md B3.1). Plain data; thread-safe to share.
#pragma once

#include <cstdint>

#include "base/result.h"

namespace hadal {

struct SamplingParams {
  float temperature = 1.0f;         // [0, 2]; 0 always takes the most likely token
  float top_p = 1.0f;               // (0, 1]; 1 is off
  int32_t top_k = 0;                // >= 0; 0 is off
  float min_p = 0.0f;               // [0, 1]; 0 is off
  float presence_penalty = 0.0f;    // [-2, 2]; 0 is off
  float frequency_penalty = 0.0f;   // [-2, 2]; 0 is off
  float repetition_penalty = 1.0f;  // (0, 10]; 1 is off
  uint64_t seed = 0;
};

// The first field out of its range (NaN is out of every range), named as requests name it.
Result<void> validate(const SamplingParams& params);

}  // namespace hadal
