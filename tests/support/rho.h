// The number generator of spec/model.md section 12.1: one value in [-1, 1) by tensor name and flat index.
#pragma once

#include <cstdint>
#include <string_view>

namespace hadal::test {

inline double rho(std::string_view name, uint64_t index) {
  uint64_t h = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : name) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  uint64_t z = h + (index + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  z ^= z >> 31;
  return 2.0 * static_cast<double>(z >> 40) / 16777216.0 - 1.0;
}

}  // namespace hadal::test
