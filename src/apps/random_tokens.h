// Tokens for measurements.
#pragma once

#include <cstdint>

namespace hadal::apps {

// The same stream of tokens for the same seed, without a pattern.
inline int32_t random_token(uint64_t seed, int64_t position, int64_t vocab) {
  uint64_t z = seed + static_cast<uint64_t>(position + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return static_cast<int32_t>((z ^ z >> 31) % static_cast<uint64_t>(vocab));
}

}  // namespace hadal::apps
