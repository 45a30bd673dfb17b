// The floating-point state that every arithmetic thread runs in: round to nearest, denormals flushed on input
// and output, as `vdpbf16ps` does unconditionally (docs/numerics.md section 1).
#pragma once

#include <cstdint>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

namespace hadal {

// Sets the state of this thread for a scope and gives back what was there: callers' threads are not ours to
// change.
class ScopedFloatMode {
 public:
#if defined(__SSE__)
  ScopedFloatMode() : saved_(_mm_getcsr()) { _mm_setcsr((saved_ & ~0x6000u) | 0x8040u); }  // RNE, FTZ, DAZ
  ~ScopedFloatMode() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#elif defined(__aarch64__)
  ScopedFloatMode() {
    asm volatile("mrs %0, fpcr" : "=r"(saved_));
    asm volatile("msr fpcr, %0" ::"r"((saved_ & ~uint64_t{0xc00000}) | (uint64_t{1} << 24)));  // RNE, FZ
  }
  ~ScopedFloatMode() { asm volatile("msr fpcr, %0" ::"r"(saved_)); }

 private:
  uint64_t saved_;
#else
#error "ScopedFloatMode: tell this architecture how to flush denormals"
#endif

 public:
  ScopedFloatMode(const ScopedFloatMode&) = delete;
  ScopedFloatMode& operator=(const ScopedFloatMode&) = delete;
};

}  // namespace hadal
