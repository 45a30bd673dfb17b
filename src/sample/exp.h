// e^x for the sampler: multiplications and additions in double in one fixed order, no libm, so that a draw
// falls on the same token on every machine.
#pragma once

#include <bit>
#include <cstdint>

namespace hadal {

// Weights below e^-40 (4e-18) are nothing: a whole vocabulary of them moves no draw.
inline constexpr double kNegligible = -40.0;

// e^x for x <= 0, relative error below 1e-10; 0 below kNegligible and for NaN.
inline double sampling_exp(double x) {
  if (!(x >= kNegligible)) return 0.0;
  constexpr double kShift = 0x1.8p52;  // adding it rounds to an integer
  const double n = (x * 1.4426950408889634 + kShift) - kShift;
  const double r =
      (x - n * 0x1.62e42ffp-1) + n * 0x1.718432a1b0e26p-35;  // ln 2 in two parts, n times the first is exact
  constexpr double kTaylor[] = {1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24,
                                1.0 / 6,     1.0 / 2,    1.0,       1.0};
  double p = 1.0 / 362880;
  for (const double c : kTaylor) p = p * r + c;
  return p * std::bit_cast<double>(static_cast<uint64_t>(static_cast<int64_t>(n) + 1023) << 52);
}

}  // namespace hadal
