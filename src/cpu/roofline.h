// What the machine can do at most, measured: the ceilings that ops are compared with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/kernel_table.h"
#include "tensor/storage.h"

namespace hadal {

// Per second, of all threads of a pool together.
struct Roofline {
  double read_bytes = 0;     // from main memory
  double flops = 0;          // two a multiply-add, of the kind that linear layers take
  double integer_flops = 0;  // the same in byte dot products; 0 where there are none
};

// Measures them as often as is wanted: machines that are shared change their speed. Borrows kernels and pool.
class RooflineMeter {
 public:
  // buffer_bytes: read over and over; larger than the caches, or it measures those. Throws
  // Error{kOutOfMemory}.
  RooflineMeter(const KernelTable& kernels, ThreadPool& pool, int64_t buffer_bytes = int64_t{1} << 30);

  // `seconds` for each of the three.
  Roofline measure(double seconds = 0.3);
  // Bytes per second from these places, in whole MiB; 0 where they hold less than `least` bytes, which caches
  // might. Memory is not equally fast everywhere: pages lie as the system found room for them.
  double measure_read(std::span<const std::span<const std::byte>> places, double seconds = 0.3,
                      int64_t least = int64_t{1} << 30);

 private:
  // Of 64 pieces at a time.
  double read_rate(std::span<const std::byte* const> pieces, double seconds);

  const KernelTable& kernels_;
  ThreadPool& pool_;
  Storage buffer_;
  std::vector<const std::byte*> buffer_pieces_;
};

}  // namespace hadal
