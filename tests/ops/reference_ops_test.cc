// The reference against the vectors of the specification and against the same formulas in double.
#include "ops/reference_ops.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "ops/scalar.h"
#include "support/rho.h"
#include "tensor/format.h"

namespace hadal {
namespace {

View f32(std::vector<float>& values, const Shape& shape) {
  return View(values.data(), DType::kF32, shape);
}

std::vector<float> random_values(size_t n, uint32_t seed, float spread = 1.0f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> out(n);
  for (float& x : out) x = normal(random);
  return out;
}

// spec/model.md section 12.3: K = 256, N = 128.
class QuantisedGemm : public testing::Test {
 protected:
  static constexpr int kIn = 256, kOut = 128;
  void SetUp() override {
    for (int i = 0; i < kIn; ++i) {
      float value = round_bf16(static_cast<float>(3 * test::rho("op.x", static_cast<uint64_t>(i))));
      if (i >= 128) value = round_bf16(static_cast<float>(static_cast<double>(value) * 0.01));
      x_[i] = to_bf16(value);
    }
    for (int i = 0; i < kIn * kOut; ++i)
      w_[i] = static_cast<float>(0.1 * test::rho("op.w", static_cast<uint64_t>(i)));
  }

  // W as FP8, one scale per block of 128 columns.
  Weight fp8() {
    for (int b = 0; b < 2; ++b) {
      float amax = 0;
      for (int r = 0; r < kOut; ++r)
        for (int i = 0; i < 128; ++i) amax = std::max(amax, std::fabs(w_[r * kIn + b * 128 + i]));
      const float scale = pow2ceil(amax / 448.0f);
      scales_[b] = static_cast<uint8_t>(std::ilogb(scale) + 127);
      for (int r = 0; r < kOut; ++r)
        for (int i = 0; i < 128; ++i)
          codes_[r * kIn + b * 128 + i] = encode_e4m3(w_[r * kIn + b * 128 + i] / scale);
    }
    return {WeightFormat::kFP8, kOut, kIn, View(codes_, DType::kF8E4M3, {kOut, kIn}),
            View(scales_, DType::kF8E8M0, {1, 2})};
  }
  Weight fp4() {
    for (int r = 0; r < kOut; ++r)
      for (int b = 0; b < kIn / 32; ++b) {
        float amax = 0;
        for (int i = 0; i < 32; ++i) amax = std::max(amax, std::fabs(w_[r * kIn + b * 32 + i]));
        const float scale = pow2ceil(amax / 6.0f);
        scales_[r * kIn / 32 + b] = static_cast<uint8_t>(std::ilogb(scale) + 127);
        for (int i = 0; i < 32; i += 2)
          codes_[(r * kIn + b * 32 + i) / 2] =
              static_cast<uint8_t>(encode_e2m1(w_[r * kIn + b * 32 + i] / scale) |
                                   (encode_e2m1(w_[r * kIn + b * 32 + i + 1] / scale) << 4));
      }
    return {WeightFormat::kFP4, kOut, kIn, View(codes_, DType::kI8, {kOut, kIn / 2}),
            View(scales_, DType::kF8E8M0, {kOut, kIn / 32})};
  }
  std::vector<float> multiply(const Weight& w, DType out_dtype) {
    ReferenceOps ops;
    const View input = ops.arena().alloc({1, kIn}, DType::kBF16);
    ops.fake_quant(input, View(x_, DType::kBF16, {1, kIn}), QuantSim::kFp8Block128);
    const View out = ops.arena().alloc({1, kOut}, out_dtype);
    ops.matmul(out, input, w);
    return scalar::row(out, 0);
  }

  bf16 x_[kIn];
  float w_[kIn * kOut];
  uint8_t codes_[kIn * kOut];
  uint8_t scales_[kOut * kIn / 32];
};

TEST_F(QuantisedGemm, ActivationsAsTheSpecificationSays) {
  const float first[] = {0.8125f, -2.625f, 1.703125f, 2.0625f};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(to_float(x_[i]), first[i]);
  ReferenceOps ops;
  const View q = ops.arena().alloc({1, kIn}, DType::kBF16);
  ops.fake_quant(q, View(x_, DType::kBF16, {1, kIn}), QuantSim::kFp8Block128);
  const std::vector<float> v = scalar::row(q, 0);
  const float low[] = {104, -320, 224, 256}, high[] = {-36, -128, 160, 144};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(v[i], low[i] * 0x1p-7f);
    EXPECT_EQ(v[128 + i], high[i] * 0x1p-13f);
  }
}

TEST_F(QuantisedGemm, Fp8) {
  const Weight w = fp8();
  EXPECT_EQ(scales_[0], 127 - 12);
  EXPECT_EQ(scales_[1], 127 - 12);
  const float codes[] = {-144, 384, 256, 352};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(decode_e4m3(codes_[i]), codes[i]);
  const double exact[] = {0.4308507, -0.3889086, -1.7681862, 1.9476302};
  const std::vector<float> y = multiply(w, DType::kF32);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(y[i], exact[i], 1e-6);
  const float rounded[] = {0.431640625f,    -0.388671875f, -1.765625f, 1.9453125f,
                           0.043701171875f, 1.2734375f,    0.5390625f, 1.2890625f};
  const std::vector<float> b = multiply(w, DType::kBF16);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(b[i], rounded[i]);
}

TEST_F(QuantisedGemm, Fp4) {
  const Weight w = fp4();
  for (int b = 0; b < 8; ++b) EXPECT_EQ(scales_[b], 127 - 5);
  const uint8_t bytes[] = {0x5a, 0x54, 0xac, 0xb2};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(codes_[i], bytes[i]);
  const double exact[] = {0.2023164, -0.1513655, -1.7804716, 1.9750673};
  const std::vector<float> y = multiply(w, DType::kF32);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(y[i], exact[i], 1e-6);
  const float rounded[] = {0.2021484375f,  -0.1513671875f, -1.78125f, 1.9765625f,
                           -0.1044921875f, 1.1328125f,     0.40625f,  1.234375f};
  const std::vector<float> b = multiply(w, DType::kBF16);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(b[i], rounded[i]);
}

TEST(FakeQuant, VectorsOfTheSpecification) {
  ReferenceOps ops;
  std::vector<float> x(64);
  for (int i = 0; i < 64; ++i) x[i] = static_cast<float>(i - 20) / 7.0f;
  ops.fake_quant(f32(x, {1, 64}), f32(x, {1, 64}), QuantSim::kFp8Block64);
  const float first[] = {-2.75f, -2.75f, -2.5f, -2.5f, -2.25f, -2.25f, -2.0f, -1.875f},
              last[] = {5.5f, 6, 6, 6};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(x[i], first[i]);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(x[60 + i], last[i]);

  std::vector<float> y(32);
  for (int i = 0; i < 32; ++i) y[i] = static_cast<float>(i - 10) / 4.0f;
  ops.fake_quant(f32(y, {1, 32}), f32(y, {1, 32}), QuantSim::kFp4Block32);
  const float all[] = {-2,   -2, -2, -2, -1.5f, -1, -1, -1, -0.5f, 0, 0, 0, 0.5f, 1, 1, 1,
                       1.5f, 2,  2,  2,  2,     3,  3,  3,  4,     4, 4, 4, 4,    4, 4, 6};
  for (int i = 0; i < 32; ++i) EXPECT_EQ(y[i], all[i]) << i;
}

TEST(Hadamard, RowsOfTheSylvesterMatrixAndItsOwnInverse) {
  ReferenceOps ops;
  std::vector<float> e(128);
  e[5] = 1;
  ops.hadamard(f32(e, {1, 128}));
  for (int i = 0; i < 128; ++i) {
    const float sign = std::popcount(static_cast<unsigned>(5 & i)) % 2 == 0 ? 1.0f : -1.0f;
    EXPECT_FLOAT_EQ(e[i], sign * 0.0883883476f) << i;
  }
  const std::vector<float> x = random_values(256, 3);
  std::vector<float> twice = x;
  for (int i = 0; i < 2; ++i) ops.hadamard(f32(twice, {2, 128}));
  for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(twice[i], x[i], 1e-5);
}

// spec/model.md section 3.7, through hc_mix: fn = 0, so that C0 is the base.
std::vector<float> sinkhorn(int iterations) {
  ReferenceOps ops;
  std::vector<float> streams(4 * 32, 1.0f), fn(24 * 4 * 32), scale(3, 1.0f), base(24);
  const float c0[] = {0.5f, -1, 2, 0, 1.5f, 0.25f, -0.75f, -2, -0.5f, 3, 0.1f, 0.2f, 0, -0.3f, 0.7f, 1.1f};
  std::memcpy(base.data() + 8, c0, sizeof c0);
  std::vector<float> pre(4), post(4), comb(16);
  HcMixArgs args;
  args.streams = f32(streams, {1, 4, 32});
  args.fn = f32(fn, {24, 128});
  args.base = f32(base, {24});
  args.scale = f32(scale, {3});
  args.sinkhorn_iters = iterations;
  args.pre = f32(pre, {1, 4});
  args.post = f32(post, {1, 4});
  args.comb = f32(comb, {1, 4, 4});
  ops.hc_mix(args);
  for (int j = 0; j < 4; ++j) {
    EXPECT_NEAR(pre[j], 0.5 + 1e-6, 1e-7);
    EXPECT_NEAR(post[j], 1.0, 1e-7);
  }
  return comb;
}

TEST(Sinkhorn, VectorsOfTheSpecification) {
  const double once[] = {.1529486, .0290029, .6283077, .1562926, .6787896, .1652708, .0655790, .0345353,
                         .0254363, .7158084, .0424826, .0862960, .1428244, .0899172, .2636297, .7228744};
  const double full[] = {.1421954, .0230349, .6534639, .1813050, .7248663, .1507734, .0783424, .0460168,
                         .0321106, .7719630, .0599949, .1359302, .1008266, .0542277, .2081979, .6367470};
  const std::vector<float> a = sinkhorn(1), b = sinkhorn(20);
  for (int i = 0; i < 16; ++i) {
    EXPECT_NEAR(a[i], once[i], 1.5e-7) << i;
    EXPECT_NEAR(b[i], full[i], 1.5e-7) << i;
  }
}

TEST(Matmul, EveryFormatAgreesWithDouble) {
  std::mt19937 random(9);
  for (const int in : {32, 96, 128, 200, 256}) {
    const int out = 130;
    std::vector<uint8_t> codes(static_cast<size_t>(in * out * 4)), scales(static_cast<size_t>(out * in));
    std::vector<float> x = random_values(static_cast<size_t>(3 * in), 11);
    for (const WeightFormat format :
         {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kFP8, WeightFormat::kFP4}) {
      if (format == WeightFormat::kFP4 && in % 32 != 0) continue;
      Weight w{format, out, in, {}, {}};
      for (uint8_t& s : scales) s = static_cast<uint8_t>(120 + random() % 10);
      if (format == WeightFormat::kFP8 || format == WeightFormat::kFP4) {
        for (uint8_t& c : codes) c = static_cast<uint8_t>(random());
        if (format == WeightFormat::kFP8)
          for (uint8_t& c : codes) c = (c & 0x7f) == 0x7f ? 0 : c;
        w.data = format == WeightFormat::kFP8 ? View(codes.data(), DType::kF8E4M3, {out, in})
                                              : View(codes.data(), DType::kI8, {out, in / 2});
        w.scale = format == WeightFormat::kFP8 ? View(scales.data(), DType::kF8E8M0, {2, (in + 127) / 128})
                                               : View(scales.data(), DType::kF8E8M0, {out, in / 32});
      } else {
        const std::vector<float> values = random_values(static_cast<size_t>(in * out), 5);
        w.data = View(codes.data(), format == WeightFormat::kF32 ? DType::kF32 : DType::kBF16, {out, in});
        for (int64_t r = 0; r < out; ++r)
          scalar::set_row(w.data, r,
                          std::span(values).subspan(static_cast<size_t>(r * in), static_cast<size_t>(in)));
      }
      ReferenceOps ops;
      const View y = ops.arena().alloc({3, out}, DType::kF32);
      ops.matmul(y, f32(x, {3, in}), w);
      for (int t = 0; t < 3; ++t)
        for (int r = 0; r < out; ++r) {
          const std::vector<float> row = scalar::weight_row(w, r);
          double exact = 0, size = 0;
          for (int i = 0; i < in; ++i) {
            const double weight =
                format == WeightFormat::kFP8
                    ? decode_e4m3(codes[static_cast<size_t>(r * in + i)]) *
                          decode_e8m0(scales[static_cast<size_t>(r / 128 * ((in + 127) / 128) + i / 128)])
                    : row[static_cast<size_t>(i)];
            exact += static_cast<double>(x[t * in + i]) * weight;
            size += std::fabs(static_cast<double>(x[t * in + i]) * weight);
          }
          EXPECT_NEAR(y.row<float>(t)[r], exact, 1e-6 * size);
        }
    }
  }
}

TEST(FixedBlock, UnitsAndRounding) {
  std::vector<float> x(32);
  x[0] = 448;
  x[1] = -0x1p-9f;  // the smallest of the FP8 grid, beside its largest
  x[2] = 0x1p-11f;  // half of the last digit goes to the even side
  x[3] = 0x1.8p-9f;
  const scalar::FixedBlock block = scalar::fixed_block(x);
  EXPECT_EQ(block.unit, 0x1p-9f);
  EXPECT_EQ(block.value[0], 448 * 512);
  EXPECT_EQ(block.value[1], -1);
  EXPECT_EQ(block.value[2], 0);
  EXPECT_EQ(block.value[3], 2);
  // 0x1.fep+8 has no bf16 number above it with its exponent.
  x[0] = 0x1.fep8f;
  EXPECT_EQ(scalar::fixed_block(x).unit, 0x1p-8f);
  x[5] = INFINITY;
  EXPECT_TRUE(std::isnan(scalar::fixed_block(x).unit));
  EXPECT_EQ(scalar::fixed_block(std::vector<float>(32)).unit, 0.0f);
}

// Activations of the FP8 grid and FP4 weights: sums of blocks are exact, so that only sixteen chains of
// K / 512 additions round.
TEST(Matmul, Fp4BlocksAreExact) {
  constexpr int kIn = 512, kOut = 40;
  std::mt19937 random(4);
  std::vector<uint8_t> codes(kIn / 2 * kOut), scales(kIn / 32 * kOut, 127);
  for (uint8_t& c : codes) c = static_cast<uint8_t>(random());
  std::vector<bf16> x(kIn);
  for (bf16& v : x) v = to_bf16(decode_e4m3(static_cast<uint8_t>(random() % 127 + random() % 2 * 128)));
  const Weight w{WeightFormat::kFP4, kOut, kIn, View(codes.data(), DType::kI8, {kOut, kIn / 2}),
                 View(scales.data(), DType::kF8E8M0, {kOut, kIn / 32})};
  ReferenceOps ops;
  const View y = ops.arena().alloc({1, kOut}, DType::kF32);
  ops.matmul(y, View(x.data(), DType::kBF16, {1, kIn}), w);
  for (int r = 0; r < kOut; ++r) {
    const std::vector<float> row = scalar::weight_row(w, r);
    float lane[16] = {};
    for (int b = 0; b < 16; ++b) {
      double exact = 0;
      for (int i = 32 * b; i < 32 * b + 32; ++i) exact += static_cast<double>(to_float(x[i])) * row[i];
      lane[b] = static_cast<float>(exact);
    }
    EXPECT_EQ(y.row<float>(0)[r], scalar::tree_sum(lane)) << r;
  }
}

TEST(Rows, PackingIsLosslessOnTheGrid) {
  for (const RowLayout layout :
       {RowLayout{RowFormat::kPackedKv, 512, 64}, RowLayout{RowFormat::kPackedKv, 128, 64},
        RowLayout{RowFormat::kPackedIndex, 128, 0}, RowLayout{RowFormat::kPackedIndex, 64, 0},
        RowLayout{RowFormat::kF32, 128, 64}}) {
    std::vector<float> x = random_values(static_cast<size_t>(layout.dim), 21, 2.0f);
    for (float& v : x) v = round_bf16(v);
    std::vector<std::byte> packed(static_cast<size_t>(layout.bytes()));
    scalar::pack_row(packed.data(), x, layout);
    std::vector<float> want = x;
    if (layout.format == RowFormat::kPackedKv)
      scalar::fake_quant(std::span(want).first(static_cast<size_t>(layout.dim - layout.rope_dim)),
                         QuantSim::kFp8Block64);
    if (layout.format == RowFormat::kPackedIndex) scalar::fake_quant(want, QuantSim::kFp4Block32);
    const std::vector<float> got = scalar::unpack_row(packed.data(), layout);
    EXPECT_EQ(got, want);
    scalar::pack_row(packed.data(), got, layout);
    EXPECT_EQ(scalar::unpack_row(packed.data(), layout), got);
  }
  EXPECT_EQ((RowLayout{RowFormat::kPackedKv, 512, 64}.bytes()), 584);
  EXPECT_EQ((RowLayout{RowFormat::kPackedIndex, 128, 0}.bytes()), 68);
}

TEST(Attention, OneKeyAndTheSink) {
  ReferenceOps ops;
  std::vector<float> q = random_values(2 * 64, 1), key = random_values(64, 2), out(2 * 64),
                     sink = {0.5f, -1.0f};
  AttentionSegment segment;
  segment.count = 1;
  segment.chunk = reinterpret_cast<const std::byte*>(key.data());
  AttentionArgs args;
  args.out = f32(out, {1, 2, 64});
  args.q = f32(q, {1, 2, 64});
  args.sink = f32(sink, {2});
  args.scale = 0.125f;
  args.layout = {RowFormat::kF32, 64, 64};
  args.segments = {&segment, 1};
  ops.attention(args);
  for (int h = 0; h < 2; ++h) {
    double z = 0;
    for (int d = 0; d < 64; ++d) z += static_cast<double>(q[h * 64 + d]) * key[d];
    const double p = 1 / (1 + std::exp(sink[h] - z * 0.125));
    for (int d = 0; d < 64; ++d) EXPECT_NEAR(out[h * 64 + d], p * key[d], 1e-6);
  }
}

TEST(Route, TiesGoToTheLowerIdAndRepeatsCountOnce) {
  ReferenceOps ops;
  std::vector<float> logits = {1, 2, 2, 0, 2, NAN}, weights(3);
  std::vector<int32_t> ids(3), tokens = {0};
  RouteArgs args;
  args.ids = View(ids.data(), DType::kI32, {1, 3});
  args.weights = f32(weights, {1, 3});
  args.logits = f32(logits, {1, 6});
  args.scale = 1.5f;
  ops.route(args);
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 4}));
  for (const float w : weights) EXPECT_NEAR(w, 0.5, 1e-6);

  std::vector<int64_t> table = {3, 1, 3};
  args.tid2eid = View(table.data(), DType::kI64, {1, 3});
  args.token_ids = View(tokens.data(), DType::kI32, {1});
  ops.route(args);
  EXPECT_EQ(ids, (std::vector<int32_t>{1, 3, -1}));
  EXPECT_EQ(weights[2], 0.0f);
  EXPECT_LT(weights[0] + weights[1], 1.5f);  // the repeat counts in the sum
}

}  // namespace
}  // namespace hadal
