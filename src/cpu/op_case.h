// One call of an op on seeded random inputs, repeatable on any backend: two backends given the same case must
// leave the same bits. Used by `hadal selftest` and the tests of the CPU backend.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ops/ops.h"

namespace hadal {

// How random numbers are spread.
enum class Spread {
  kNormal,   // about a standard normal distribution
  kWide,     // magnitudes from 2^-40 to 2^40, some zeros of both signs
  kTiny,     // around the smallest normal number: what flushing of denormals decides
  kSpecial,  // normal, with NaNs, infinities, largest and denormal numbers in between
};

class OpCase {
 public:
  OpCase(Ops& ops, uint64_t seed) : ops_(ops), state_(seed * 2 + 1) {}

  Ops& ops() { return ops_; }
  uint64_t random();
  int64_t below(int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); }
  float number(Spread spread = Spread::kNormal);

  // Tensors of bf16 or f32, random. `gap`: elements between rows of the last dimension that belong to nobody.
  View tensor(DType dtype, const Shape& shape, Spread spread = Spread::kNormal, int64_t gap = 0);
  // The same, to be compared when the case is over, gaps included.
  View output(const std::string& name, DType dtype, const Shape& shape, int64_t gap = 0);
  View inout(const std::string& name, View view);
  View integers(DType dtype, const Shape& shape, int64_t from, int64_t to);
  std::byte* bytes(int64_t n);
  std::byte* output_bytes(const std::string& name, int64_t n);

  // Any codes but NaN, with scales around 1; `wide`: any scales that the loader lets pass.
  Weight weight(WeightFormat format, int64_t out, int64_t in, bool wide = false, int64_t gap = 0);

  // What the first difference is, for a person; nothing when all outputs agree. A NaN equals a NaN.
  static std::optional<std::string> compare(const OpCase& expected, const OpCase& got);

 private:
  struct Recorded {
    std::string name;
    DType dtype;
    const std::byte* data;
    int64_t bytes;
  };
  View gapped(DType dtype, const Shape& shape, int64_t gap);
  std::byte* owned(int64_t n);

  Ops& ops_;
  uint64_t state_;
  std::deque<Storage> storage_;
  std::vector<Recorded> outputs_;
};

using CaseBody = std::function<void(OpCase&)>;

}  // namespace hadal
