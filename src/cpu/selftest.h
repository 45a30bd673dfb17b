// Every op of the CPU backend on seeded random inputs, for every instruction set of this machine, against the
// reference: the promise of docs/numerics.md, checked where the program runs.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/op_case.h"

namespace hadal {

struct SelftestResult {
  std::string op;
  std::string isa;
  std::optional<std::string> difference;  // the first one, for a person
};

struct SelftestCase {
  std::string_view op;
  CaseBody body;
};
// One or more cases of every op of ops/ops.h, in its order.
std::vector<SelftestCase> selftest_cases();

// All cases on all instruction sets with `threads` threads (0: all CPUs). One result per op and instruction
// set, those of an op next to each other, best instruction set first.
std::vector<SelftestResult> run_selftest(uint64_t seed, int threads);

}  // namespace hadal
