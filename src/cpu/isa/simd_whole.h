// The lanes of one register where it holds all sixteen. Included by the simd_*.h of such an ISA.
#pragma once

namespace hadal::HADAL_ISA {
namespace {

constexpr int kLaneParts = 1;
using f32part = f32x16;
using i32part = i32x16;
HADAL_INLINE f32part load_part(const float* p, int) {
  return load(p);
}
HADAL_INLINE f32part load_part(const f32x16& a, int) {
  return a;
}
HADAL_INLINE void store_part(f32x16& a, int, f32part x) {
  a = x;
}

}  // namespace
}  // namespace hadal::HADAL_ISA
