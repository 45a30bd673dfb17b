// Cosine and sine for RoPE: of an fp32 angle, rounded once to fp32 (spec/model.md section 4.3).
#pragma once

#include <cstdint>
#include <vector>

namespace hadal {

struct CosSin {
  float cos, sin;
};

// Plain double arithmetic in a fixed order (no libm, no FMA): the same bits on every machine. |angle| < 2^22.
CosSin cos_sin(float angle);

// Frequencies of the rotated pairs. factor 1 means no YaRN (spec/model.md sections 4.4, 4.5).
struct RopeSettings {
  int dim = 64;  // rotated values, twice the pairs
  double theta = 10000;
  double factor = 1;
  double original_positions = 65536;
  double beta_fast = 32, beta_slow = 1;
};
std::vector<float> rope_frequencies(const RopeSettings& settings);

}  // namespace hadal
