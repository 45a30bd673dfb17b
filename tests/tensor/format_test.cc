// The number formats against the check values of spec/model.md section 9 and against double arithmetic.
#include "tensor/format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hadal {
namespace {

TEST(E4m3, ChecksOfTheSpecification) {
  const std::vector<std::pair<float, int>> cases = {
      {1.0f, 0x38},   {1.0625f, 0x38},  {1.1875f, 0x3a}, {17.0f, 0x58},  {18.0f, 0x59}, {19.0f, 0x5a},
      {0.001f, 0x01}, {0x1p-10f, 0x00}, {0x3p-10f, 2},   {447.0f, 0x7e}, {-3.3f, 0xc5}, {1e9f, 0x7e}};
  for (const auto& [value, code] : cases) EXPECT_EQ(encode_e4m3(value), code) << value;
}

TEST(E4m3, EveryCodeRoundTripsAndNeighboursRoundToNearestEven) {
  for (int code = 0; code < 256; ++code) {
    if ((code & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(decode_e4m3(static_cast<uint8_t>(code))));
      continue;
    }
    EXPECT_EQ(encode_e4m3(decode_e4m3(static_cast<uint8_t>(code))), code);
    if ((code & 0x7f) == 0x7e) continue;
    const float a = decode_e4m3(static_cast<uint8_t>(code)), b = decode_e4m3(static_cast<uint8_t>(code + 1));
    const float middle = 0.5f * (a + b);
    EXPECT_EQ(encode_e4m3(middle), (code & 1) ? code + 1 : code) << middle;
    EXPECT_EQ(encode_e4m3(std::nextafter(middle, a)), code);
    EXPECT_EQ(encode_e4m3(std::nextafter(middle, b)), code + 1);
  }
}

TEST(E2m1, EveryCodeRoundTripsAndTiesAreEven) {
  for (int code = 0; code < 16; ++code) EXPECT_EQ(encode_e2m1(decode_e2m1(static_cast<uint8_t>(code))), code);
  const std::vector<std::pair<float, float>> ties = {{0.25f, 0}, {0.75f, 1}, {1.25f, 1}, {1.75f, 2},
                                                     {2.5f, 2},  {3.5f, 4},  {5.0f, 4},  {7.0f, 6}};
  for (const auto& [value, rounded] : ties) {
    EXPECT_EQ(decode_e2m1(encode_e2m1(value)), rounded) << value;
    EXPECT_EQ(decode_e2m1(encode_e2m1(-value)), -rounded) << value;
  }
}

TEST(E8m0, IsAPureExponent) {
  EXPECT_EQ(decode_e8m0(127), 1.0f);
  EXPECT_EQ(decode_e8m0(120), 0x1p-7f);
  EXPECT_EQ(decode_e8m0(254), 0x1p127f);
  EXPECT_TRUE(std::isnan(decode_e8m0(255)));
}

TEST(Bf16, RoundsToNearestEvenAndKeepsNan) {
  EXPECT_EQ(to_bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(round_bf16(1.00390625f), 1.0f);       // tie to even
  EXPECT_EQ(round_bf16(1.01171875f), 1.015625f);  // tie to even, upwards
  EXPECT_TRUE(std::isnan(round_bf16(std::bit_cast<float>(0x7f800001u))));
  EXPECT_TRUE(std::isinf(round_bf16(3.4e38f)));
}

TEST(Pow2Ceil, RoundsUp) {
  const float r448 = 1.0f / 448.0f;
  const std::vector<std::pair<float, float>> fp8 = {{448, 1},          {449, 2},         {1.0f, 0x1p-8f},
                                                    {0.875f, 0x1p-9f}, {3.5f, 0x1p-7f},  {7, 0x1p-6f},
                                                    {7.01f, 0x1p-5f},  {1e-4f, 0x1p-22f}};
  for (const auto& [amax, scale] : fp8) EXPECT_EQ(pow2ceil(amax * r448), scale) << amax;
  const float r6 = 1.0f / 6.0f;
  const std::vector<std::pair<float, float>> fp4 = {
      {6, 1}, {6.01f, 2}, {3, 0.5f}, {1, 0.25f}, {0.75f, 0.125f}};
  for (const auto& [amax, scale] : fp4) EXPECT_EQ(pow2ceil(amax * r6), scale) << amax;
}

}  // namespace
}  // namespace hadal
