#include "ops/angles.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace hadal {

CosSin cos_sin(float angle) {
  // pi/2 in three parts of 30 bits: k * part is exact for |k| < 2^23.
  constexpr double kPart1 = 0x1.921fb54p0, kPart2 = 0x1.10b46118p-30, kPart3 = 0x1.313198a2e037p-61;
  const double x = angle;
  const double k = std::nearbyint(x * (2.0 / std::numbers::pi));
  const double r = ((x - k * kPart1) - k * kPart2) - k * kPart3;
  const double q = r * r;
  double s = 1.0 / 6227020800.0 - q * (1.0 / 1307674368000.0);
  s = -1.0 / 39916800.0 + q * s;
  s = 1.0 / 362880.0 + q * s;
  s = -1.0 / 5040.0 + q * s;
  s = 1.0 / 120.0 + q * s;
  s = -1.0 / 6.0 + q * s;
  const double sine = r + r * (q * s);
  double c = -1.0 / 87178291200.0 + q * (1.0 / 20922789888000.0);
  c = 1.0 / 479001600.0 + q * c;
  c = -1.0 / 3628800.0 + q * c;
  c = 1.0 / 40320.0 + q * c;
  c = -1.0 / 720.0 + q * c;
  c = 1.0 / 24.0 + q * c;
  const double cosine = 1.0 + q * (-0.5 + q * c);
  switch (static_cast<int64_t>(k) & 3) {
    case 0:
      return {static_cast<float>(cosine), static_cast<float>(sine)};
    case 1:
      return {static_cast<float>(-sine), static_cast<float>(cosine)};
    case 2:
      return {static_cast<float>(-cosine), static_cast<float>(-sine)};
    default:
      return {static_cast<float>(sine), static_cast<float>(-cosine)};
  }
}

std::vector<float> rope_frequencies(const RopeSettings& s) {
  const int pairs = s.dim / 2;
  std::vector<float> out(static_cast<size_t>(pairs));
  const auto correction = [&](double turns) {
    return s.dim * std::log(s.original_positions / (2 * std::numbers::pi * turns)) / (2 * std::log(s.theta));
  };
  const double low = std::max(std::floor(correction(s.beta_fast)), 0.0);
  double high = std::min(std::ceil(correction(s.beta_slow)), s.dim - 1.0);
  if (high == low) high += 0.001;
  for (int i = 0; i < pairs; ++i) {
    double f = std::pow(s.theta, -2.0 * i / s.dim);
    if (s.factor != 1) {
      const double ramp = std::clamp((i - low) / (high - low), 0.0, 1.0);
      f = f / s.factor * ramp + f * (1 - ramp);
    }
    out[static_cast<size_t>(i)] = static_cast<float>(f);
  }
  return out;
}

}  // namespace hadal
