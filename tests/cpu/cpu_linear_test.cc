// embed, matmul and grouped_matmul against the reference.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cpu/backends.h"
#include "tensor/format.h"

namespace hadal::test {
namespace {

class CpuLinear : public CpuOpsTest {};

std::string describe(WeightFormat format, DType dtype, int64_t tokens, int64_t rows, int64_t k) {
  return fmt::format("format {}, {}, [{}, {}] by [{}, {}]", static_cast<int>(format), dtype_name(dtype),
                     tokens, k, rows, k);
}

TEST_F(CpuLinear, Embed) {
  for (const DType dtype : kBoth)
    for (const WeightFormat format : {WeightFormat::kBF16, WeightFormat::kF32})
      for (const int64_t n : {1, 15, 16, 33, 100})
        expect_same("embed", [&](OpCase& c) {
          c.ops().embed(c.output("out", dtype, {5, 2, n}, 3), c.weight(format, 11, n, true, 2),
                        c.integers(DType::kI32, {5}, 0, 11));
        });
}

// Depths around every step of the dot products, odd numbers of rows and tokens.
TEST_F(CpuLinear, SizesAndTails) {
  for (const WeightFormat format : kFormats)
    for (const DType dtype : kBoth)
      for (const int64_t k : {1, 15, 31, 32, 63, 64, 65, 127, 160, 191, 257})
        for (const int64_t tokens : {1, 2, 5, 17}) {
          if (format == WeightFormat::kFP4 && k % 32 != 0) continue;
          expect_same(describe(format, dtype, tokens, 11, k), [&](OpCase& c) {
            c.ops().matmul(c.output("out", dtype, {tokens, 11}), c.tensor(dtype, {tokens, k}),
                           c.weight(format, 11, k));
          });
        }
}

TEST_F(CpuLinear, TokensAndRows) {
  for (const WeightFormat format : kFormats)
    for (const DType dtype : kBoth)
      for (const int64_t tokens : {1, 2, 3, 4, 6, 7, 8, 13, 16, 17, 65, 67})
        for (const int64_t rows : {1, 6, 130}) {
          if (tokens > 8 && rows != 130) continue;
          expect_same(describe(format, dtype, tokens, rows, 96), [&](OpCase& c) {
            c.ops().matmul(c.output("out", dtype, {tokens, rows}), c.tensor(dtype, {tokens, 96}),
                           c.weight(format, rows, 96));
          });
        }
}

// Longer than a block of K, and than the scales widened at a time.
TEST_F(CpuLinear, Deep) {
  for (const WeightFormat format : kFormats)
    for (const DType dtype : kBoth)
      for (const int64_t tokens : {1, 2, 4, 9, 18})
        expect_same(describe(format, dtype, tokens, 9, 4128), [&](OpCase& c) {
          c.ops().matmul(c.output("out", dtype, {tokens, 9}), c.tensor(dtype, {tokens, 4128}),
                         c.weight(format, 9, 4128));
        });
}

// Large, small and special numbers; scales up to the edges that the loader allows.
TEST_F(CpuLinear, Extremes) {
  for (const WeightFormat format : kFormats)
    for (const DType dtype : kBoth)
      for (const Spread spread : kSpreads)
        for (const int64_t tokens : {1, 3, 9, 18})
          for (const bool wide : {false, true})
            expect_same(describe(format, dtype, tokens, 40, 160), [&](OpCase& c) {
              c.ops().matmul(c.output("out", dtype, {tokens, 40}), c.tensor(dtype, {tokens, 160}, spread),
                             c.weight(format, 40, 160, wide));
            });
}

// Activations and scales of about one size each, all over their ranges: kernels keep scales out of the
// weights where exponents allow it, and the borders of that are somewhere here.
TEST_F(CpuLinear, ScalesApart) {
  for (const WeightFormat format : {WeightFormat::kFP8, WeightFormat::kFP4})
    for (const DType dtype : kBoth)
      for (int exponent = -124; exponent <= 124; exponent += 31)
        for (int scale = 2; scale <= 252; scale += 25)
          for (const int spread : {1, 12, 100})
            expect_same(fmt::format("{}, activations about 2^{}, scales {} to {}",
                                    describe(format, dtype, 2, 5, 288), exponent, scale, scale + spread - 1),
                        [&](OpCase& c) {
                          const View x = c.tensor(dtype, {2, 288});
                          for (int64_t i = 0; i < x.elements(); ++i) {
                            const bool bf16_input = dtype == DType::kBF16;
                            const float value = std::ldexp(
                                bf16_input ? to_float(x.as<bf16>()[i]) : x.as<float>()[i], exponent);
                            if (bf16_input)
                              x.as<bf16>()[i] = to_bf16(value);
                            else
                              x.as<float>()[i] = value;
                          }
                          Weight w = c.weight(format, 5, 288);
                          for (int64_t i = 0; i < w.scale.elements(); ++i)
                            w.scale.data[i] =
                                static_cast<std::byte>(std::min<int64_t>(scale + c.below(spread), 252));
                          c.ops().matmul(c.output("out", dtype, {2, 5}), x, w);
                        });
}

// FP4 takes bf16 activations as integers: with and without a lowest digit in each group of 128, at depths
// around the groups and the lanes.
TEST_F(CpuLinear, ActivationsAsIntegers) {
  for (const int64_t k : {32, 96, 128, 480, 512, 544, 1056})
    for (const int64_t tokens : {1, 2, 3, 4, 5, 7, 17, 65})
      for (const int64_t rows : {1, 15, 16, 35}) {
        if (tokens > 7 && rows != 35) continue;
        expect_same(describe(WeightFormat::kFP4, DType::kBF16, tokens, rows, k), [&](OpCase& c) {
          const View x = c.tensor(DType::kBF16, {tokens, k});
          if (tokens % 2 == 1) c.ops().fake_quant(x, x, QuantSim::kFp8Block128);
          // Few low digits, a block of zeros, one of a single number.
          for (int64_t t = 0; t < tokens; ++t)
            for (int64_t b = 0; b < k / 32; ++b) {
              bf16* block = x.row<bf16>(t) + 32 * b;
              const int64_t kind = c.below(8);
              if (kind < 2) std::fill(block, block + 32, to_bf16(0.0f));
              if (kind == 1) block[c.below(32)] = to_bf16(-1.9921875f);
              if (kind == 2) block[c.below(32)] = to_bf16(0x1p-9f);
            }
          c.ops().matmul(c.output("out", DType::kF32, {tokens, rows}), x,
                         c.weight(WeightFormat::kFP4, rows, k));
        });
      }
}

// Numbers whose blocks have no units, and a NaN and an infinity, which spoil their rows only.
TEST_F(CpuLinear, IntegersOfExtremes) {
  const float specials[] = {0x1p-126f, 0x1p-110f, 0x1p-108f, 0x1.fep127f, -0x1.fcp127f, INFINITY, NAN};
  for (const float special : specials)
    for (const int64_t tokens : {1, 6})
      expect_same(fmt::format("{} tokens, {}", tokens, special), [&](OpCase& c) {
        const View x = c.tensor(DType::kBF16, {tokens, 320});
        bf16* block = x.row<bf16>(tokens / 2) + 160;
        std::fill(block, block + 32, to_bf16(0.0f));
        block[7] = to_bf16(special);
        c.ops().matmul(c.output("out", DType::kF32, {tokens, 40}), x, c.weight(WeightFormat::kFP4, 40, 320));
      });
}

// Units and scales at both ends of where the exponent of their product is the sum of theirs.
TEST_F(CpuLinear, ProductsOfUnitsAndScales) {
  for (const int unit : {62, 63, 64, 65, 127, 189, 190, 191, 192, 235})
    for (const int scale : {2, 62, 63, 64, 65, 127, 190, 191, 192, 252})
      expect_same(fmt::format("unit {}, scale {}", unit, scale), [&](OpCase& c) {
        const int64_t tokens = 5 + c.below(3), rows = 16 + c.below(8);
        const View x = c.tensor(DType::kBF16, {tokens, 544});
        for (int64_t t = 0; t < tokens; ++t)
          for (int64_t i = 0; i < 544; ++i) {
            // A block's unit comes from its largest exponent, eighteen above it.
            const int64_t exponent = i % 32 == 0 ? unit + 18 : c.below(unit + 18);
            x.row<bf16>(t)[i].bits = static_cast<uint16_t>(c.below(2) << 15 | exponent << 7 | c.below(127));
          }
        Weight w = c.weight(WeightFormat::kFP4, rows, 544);
        std::fill_n(w.scale.data, w.scale.elements(), std::byte(static_cast<uint8_t>(scale)));
        // Somewhere in between, as others have them.
        if (c.below(2) == 0) w.scale.data[c.below(w.scale.elements())] = std::byte{127};
        c.ops().matmul(c.output("out", DType::kF32, {tokens, rows}), x, w);
      });
}

TEST_F(CpuLinear, EveryE4m3Code) {
  for (const DType dtype : kBoth)
    for (const int64_t tokens : {1, 9, 17})
      expect_same("e4m3 codes", [&](OpCase& c) {
        // One weight per row that counts: the output is the code's value times x.
        Weight w = c.weight(WeightFormat::kFP8, 256, 64);
        for (int64_t r = 0; r < 256; ++r)
          for (int64_t i = 0; i < 64; ++i)
            w.data.data[r * 64 + i] = std::byte(static_cast<uint8_t>(i == r % 64 ? r : 0));
        c.ops().matmul(c.output("out", DType::kF32, {tokens, 256}), c.tensor(dtype, {tokens, 64}), w);
      });
}

TEST_F(CpuLinear, OtherOutputTypeAndStrides) {
  for (const WeightFormat format : kFormats)
    for (const DType dtype : kBoth)
      for (const DType out : kBoth)
        for (const int64_t tokens : {1, 6})
          expect_same(describe(format, dtype, tokens, 37, 224), [&](OpCase& c) {
            c.ops().matmul(c.output("out", out, {tokens, 37}, 5),
                           c.tensor(dtype, {tokens, 224}, Spread::kNormal, 9),
                           c.weight(format, 37, 224, false, 7));
          });
}

TEST_F(CpuLinear, RankThreeInput) {
  for (const DType dtype : kBoth)
    expect_same("rank 3", [&](OpCase& c) {
      c.ops().matmul(c.output("out", dtype, {3, 5, 21}, 2), c.tensor(dtype, {3, 5, 64}, Spread::kNormal, 4),
                     c.weight(WeightFormat::kBF16, 21, 64));
    });
}

TEST_F(CpuLinear, NoTokens) {
  expect_same("no tokens", [&](OpCase& c) {
    c.ops().matmul(c.output("out", DType::kBF16, {0, 21}), c.tensor(DType::kBF16, {0, 64}),
                   c.weight(WeightFormat::kFP8, 21, 64));
  });
}

// Groups whose borders do not fall on borders of scales.
TEST_F(CpuLinear, Grouped) {
  for (const WeightFormat format : kFormats)
    for (const DType dtype : kBoth)
      for (const int64_t tokens : {1, 2, 18})
        for (const int64_t rows : {8, 100, 128})
          expect_same(describe(format, dtype, tokens, rows, 192), [&](OpCase& c) {
            c.ops().grouped_matmul(c.output("out", dtype, {tokens, 3, rows}, 1),
                                   c.tensor(dtype, {tokens, 3, 192}, Spread::kNormal, 2),
                                   c.weight(format, 3 * rows, 192));
          });
}

}  // namespace
}  // namespace hadal::test
