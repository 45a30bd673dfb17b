// Names and sizes of the element types.
#include "tensor/dtype.h"

#include <gtest/gtest.h>

#include <string>

namespace hadal {
namespace {

TEST(DType, NamesAndSizesOfTheFileFormat) {
  const struct {
    DType type;
    std::string name;
    int bytes;
  } cases[] = {{DType::kF32, "F32", 4},        {DType::kBF16, "BF16", 2}, {DType::kF8E4M3, "F8_E4M3", 1},
               {DType::kF8E8M0, "F8_E8M0", 1}, {DType::kI8, "I8", 1},     {DType::kI32, "I32", 4},
               {DType::kI64, "I64", 8}};
  for (const auto& c : cases) {
    EXPECT_EQ(dtype_name(c.type), c.name);
    EXPECT_EQ(dtype_from_name(c.name), c.type);
    EXPECT_EQ(dtype_bytes(c.type), c.bytes) << c.name;
  }
}

TEST(DType, OtherNamesAreUnknown) {
  for (const char* name : {"", "f32", "F16", "F8_E5M2", "F32 ", "BF161"})
    EXPECT_EQ(dtype_from_name(name), std::nullopt);
}

}  // namespace
}  // namespace hadal
