// A linear weight as it lies in the checkpoint: logical [out, in], row-major, in one of the released
// encodings (spec/model.md section 2.2). Never repacked, never copied.
#pragma once

#include <cstdint>

#include "tensor/view.h"

namespace hadal {

enum class WeightFormat : uint8_t {
  kF32,
  kBF16,
  kFP8,  // e4m3 bytes [out, in], E8M0 scales [ceil(out/128), ceil(in/128)]
  kFP4,  // e2m1 nibbles [out, in/2], low nibble first, E8M0 scales [out, in/32]
};

struct Weight {
  WeightFormat format = WeightFormat::kF32;
  int64_t out = 0, in = 0;
  View data;   // bytes as stored
  View scale;  // empty for kF32 and kBF16

  bool empty() const { return data.empty(); }
  bool quantised() const { return format == WeightFormat::kFP8 || format == WeightFormat::kFP4; }
};

}  // namespace hadal
