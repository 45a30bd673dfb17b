#include "cpu/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#endif

namespace hadal {

#if defined(__x86_64__)

namespace {

struct Registers {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r;
  if (__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx) == 0) return {};
  return r;
}

bool bit(unsigned word, int n) {
  return ((word >> n) & 1) != 0;
}

// Register files that the operating system saves for a thread (XCR0).
uint64_t saved_state() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

}  // namespace

CpuFeatures detect_cpu_features() {
  CpuFeatures f;
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0), seven_one = cpuid(7, 1);
  constexpr int kOsxsave = 27, kAvx = 28, kFma = 12, kF16c = 29;
  if (!bit(one.ecx, kOsxsave)) return f;
  const uint64_t saved = saved_state();
  const bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xe6) == 0xe6;
  f.avx2 = ymm && bit(one.ecx, kAvx) && bit(one.ecx, kFma) && bit(one.ecx, kF16c) && bit(seven.ebx, 5) &&
           bit(seven.ebx, 8);
  f.avx512 = f.avx2 && zmm && bit(seven.ebx, 16) && bit(seven.ebx, 17) && bit(seven.ebx, 28) &&
             bit(seven.ebx, 30) && bit(seven.ebx, 31);
  f.avx512bf16 =
      f.avx512 && bit(seven_one.eax, 5) && bit(seven.ecx, 1) && bit(seven.ecx, 6) && bit(seven.ecx, 11);
  return f;
}

#else

CpuFeatures detect_cpu_features() {
  return {};
}

#endif

}  // namespace hadal
