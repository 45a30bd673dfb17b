// Element types of tensors, in files and in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace hadal {

enum class DType : uint8_t {
  kF32,
  kBF16,
  kF8E4M3,
  kF8E8M0,
  kI8,  // in released checkpoints: two FP4 e2m1 values a byte
  kI32,
  kI64,
};

constexpr int dtype_bytes(DType type) {
  switch (type) {
    case DType::kF32:
      return 4;
    case DType::kBF16:
      return 2;
    case DType::kF8E4M3:
      return 1;
    case DType::kF8E8M0:
      return 1;
    case DType::kI8:
      return 1;
    case DType::kI32:
      return 4;
    case DType::kI64:
      return 8;
  }
  return 0;
}

// The safetensors spelling: "F32", "BF16", "F8_E4M3", "F8_E8M0", "I8", "I32", "I64".
std::string_view dtype_name(DType type);
std::optional<DType> dtype_from_name(std::string_view name);

}  // namespace hadal
