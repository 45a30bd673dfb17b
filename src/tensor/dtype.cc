#include "tensor/dtype.h"

#include <array>
#include <utility>

namespace hadal {
namespace {

constexpr std::array<std::pair<DType, std::string_view>, 7> kNames = {{{DType::kF32, "F32"},
                                                                       {DType::kBF16, "BF16"},
                                                                       {DType::kF8E4M3, "F8_E4M3"},
                                                                       {DType::kF8E8M0, "F8_E8M0"},
                                                                       {DType::kI8, "I8"},
                                                                       {DType::kI32, "I32"},
                                                                       {DType::kI64, "I64"}}};

}  // namespace

std::string_view dtype_name(DType type) {
  for (const auto& [value, name] : kNames)
    if (value == type) return name;
  return "?";
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (const auto& [value, spelled] : kNames)
    if (spelled == name) return value;
  return std::nullopt;
}

}  // namespace hadal
