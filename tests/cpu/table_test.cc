// The kernel tables themselves: what the ops do not show.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/float_mode.h"
#include "cpu/dispatch.h"
#include "ops/math.h"
#include "tensor/format.h"

namespace hadal {
namespace {

TEST(KernelTable, NamesItself) {
  for (const std::string& isa : available_isas()) EXPECT_EQ(kernel_table(isa).name, isa);
}

// The vector text of an elementary function is the scalar one, over all exponents.
TEST(KernelTable, SqrtSoftplusOfEveryExponent) {
  const ScopedFloatMode mode;
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 1'000'003)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  std::vector<float> y(x.size());
  for (const std::string& isa : available_isas()) {
    kernel_table(isa).sqrt_softplus(y.data(), x.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      const float expected = math::sqrt_softplus(F1(x[i])).v;
      ASSERT_TRUE(std::bit_cast<uint32_t>(y[i]) == std::bit_cast<uint32_t>(expected) ||
                  (std::isnan(y[i]) && std::isnan(expected)))
          << isa << " of " << x[i] << ": " << y[i] << ", " << expected;
    }
  }
}

TEST(KernelTable, RoundingToBf16) {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 99'991)
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  std::vector<bf16> y(x.size());
  for (const std::string& isa : available_isas()) {
    kernel_table(isa).convert({reinterpret_cast<std::byte*>(y.data()), true},
                              {reinterpret_cast<const std::byte*>(x.data()), false},
                              static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i]))
        ASSERT_TRUE(std::isnan(to_float(y[i])));
      else
        ASSERT_EQ(y[i].bits, to_bf16(x[i]).bits) << isa << " of " << x[i];
    }
  }
}

// Rows that need no preparing are their own prepared form.
TEST(KernelTable, UsableAsIs) {
  for (const std::string& isa : available_isas())
    for (const KernelFormat format :
         {KernelFormat::kF32, KernelFormat::kBF16, KernelFormat::kFP8, KernelFormat::kFP4})
      for (const bool bf16_input : {false, true})
        for (const int64_t k : {16, 32, 48, 64, 65}) {
          const KernelTable& table = kernel_table(isa);
          const KernelInput input = bf16_input ? KernelInput::kBF16 : KernelInput::kF32;
          const int64_t bytes = table.prepared_bytes(format, input, k);
          EXPECT_EQ(bytes % 64, 0);
          EXPECT_GE(bytes, k * (bf16_input ? 2 : 4));
          EXPECT_GE(table.prepared_bytes(format, KernelInput::kWideBF16, k), k * 4);
          if (!table.usable_as_is(format, input, k)) continue;
          ASSERT_EQ(bytes, k * (bf16_input ? 2 : 4));
          std::vector<std::byte> row(static_cast<size_t>(bytes)), prepared(static_cast<size_t>(bytes));
          for (size_t i = 0; i < row.size(); ++i) row[i] = std::byte(static_cast<uint8_t>(i % 61));
          table.prepare(prepared.data(), {row.data(), bf16_input}, {0, k, k}, format, input);
          EXPECT_EQ(prepared, row) << isa;
        }
}

// Queries on the FP4 grid take the way of integers, others do not.
TEST(KernelTable, IndexIntegers) {
  constexpr int64_t kDim = 64, kHeads = 2;
  const ScopedFloatMode mode;
  const KernelRowLayout layout{KernelRowFormat::kPackedIndex, kDim, 0};
  for (const std::string& isa : available_isas()) {
    const KernelTable& table = kernel_table(isa);
    EXPECT_EQ(table.index_integer_bytes(layout, false, kHeads), 0);
    const int64_t bytes = table.index_integer_bytes(layout, true, kHeads);
    EXPECT_EQ(bytes > 0, table.peak_bytes.run != nullptr) << isa;
    if (bytes == 0) continue;
    const auto accepts = [&](float element, float weight) {
      std::vector<bf16> q(kDim * kHeads, to_bf16(1.5f));
      q[3] = to_bf16(0.0f);
      q[17] = to_bf16(-6.0f);
      q[70] = to_bf16(element);
      const std::byte* rows[kHeads] = {reinterpret_cast<const std::byte*>(q.data()),
                                       reinterpret_cast<const std::byte*>(q.data() + kDim)};
      const float weights[kHeads] = {0.25f, weight};
      std::vector<std::byte> out(static_cast<size_t>(bytes));
      return table.index_integers(out.data(), rows, weights, kHeads, kDim);
    };
    EXPECT_TRUE(accepts(0.5f, 0.1f));
    EXPECT_TRUE(accepts(-0.0f, 0.0f));
    EXPECT_TRUE(accepts(48.0f, -3.0f));
    EXPECT_FALSE(accepts(96.0f, 1.0f));  // 1.5 and 96 are too far apart
    EXPECT_FALSE(accepts(1.0f / 256, 1.0f));
    EXPECT_FALSE(accepts(std::numeric_limits<float>::infinity(), 1.0f));
    EXPECT_FALSE(accepts(std::numeric_limits<float>::quiet_NaN(), 1.0f));
    EXPECT_FALSE(accepts(0.5f, std::numeric_limits<float>::quiet_NaN()));
    EXPECT_FALSE(accepts(0.5f, std::numeric_limits<float>::infinity()));
    EXPECT_FALSE(accepts(0.5f, 0x1p-60f));
  }
}

}  // namespace
}  // namespace hadal
