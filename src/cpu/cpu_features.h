// What this CPU and this operating system let a program use. All false on other machines than x86-64.
#pragma once

namespace hadal {

struct CpuFeatures {
  bool avx2 = false;        // AVX2, FMA, F16C, BMI2
  bool avx512 = false;      // and AVX-512 F, CD, BW, DQ, VL
  bool avx512bf16 = false;  // and AVX-512 BF16, VBMI, VBMI2
};

CpuFeatures detect_cpu_features();

}  // namespace hadal
