// What the machine can do at most, measured: the ceilings that ops are compared with.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "cpu/kernel_table.h"

namespace hadal {

// Per second, of all threads of a pool together.
struct Roofline {
  double read_bytes = 0;     // from main memory
  double flops = 0;          // two a multiply-add, of the kind that linear layers take
  double integer_flops = 0;  // the same in byte dot products; 0 where there are none
};

// `seconds` for each of the three. buffer_bytes: read over and over; larger than the caches, or it measures
// those. Throws Error{kOutOfMemory}.
Roofline measure_roofline(const KernelTable& kernels, ThreadPool& pool, double seconds = 0.3,
                          int64_t buffer_bytes = int64_t{1} << 30);

}  // namespace hadal
