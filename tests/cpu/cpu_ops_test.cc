// Norms, RoPE, quantisation, Hadamard and the other row ops against the reference.
#include <fmt/format.h>

#include "cpu/backends.h"

namespace hadal::test {
namespace {

class CpuRows : public CpuOpsTest {};

TEST_F(CpuRows, RmsNorm) {
  for (const DType x : kBoth)
    for (const DType out : kBoth)
      for (const DType gain : kBoth)
        for (const int64_t n : {1, 15, 16, 17, 48, 100, 1029})
          for (const Spread spread : kSpreads)
            expect_same(fmt::format("rms_norm of {}", n), [&](OpCase& c) {
              c.ops().rms_norm(c.output("out", out, {3, n}, 1), c.tensor(x, {3, n}, spread, 2),
                               c.tensor(gain, {n}), 1e-6f);
            });
}

TEST_F(CpuRows, RmsNormInPlaceManyRows) {
  for (const DType dtype : kBoth)
    expect_same("in place", [&](OpCase& c) {
      const View x = c.inout("x", c.tensor(dtype, {300, 70}));
      c.ops().rms_norm(x, x, c.tensor(DType::kF32, {70}), 1e-6f);
    });
}

TEST_F(CpuRows, HeadNorm) {
  for (const DType dtype : kBoth)
    for (const int64_t n : {1, 16, 40, 512})
      for (const Spread spread : kSpreads)
        expect_same(fmt::format("head_norm of {}", n), [&](OpCase& c) {
          c.ops().head_norm(c.inout("x", c.tensor(dtype, {3, 9, n}, spread, 3)), 1e-6f);
        });
}

TEST_F(CpuRows, RopeAngles) {
  expect_same("angles", [&](OpCase& c) {
    const View freqs = c.tensor(DType::kF32, {32});
    for (int i = 0; i < 32; ++i) freqs.as<float>()[i] = std::pow(10000.0f, -static_cast<float>(i) / 32);
    c.ops().rope_angles(c.output("out", DType::kF32, {300, 32, 2}),
                        c.integers(DType::kI64, {300}, 0, 1 << 20), freqs);
  });
}

TEST_F(CpuRows, Rope) {
  for (const DType dtype : kBoth)
    for (const Direction direction : {Direction::kForward, Direction::kInverse})
      for (const int64_t pairs : {1, 7, 8, 9, 32})
        for (const Spread spread : kSpreads)
          expect_same(fmt::format("rope of {} pairs", pairs), [&](OpCase& c) {
            c.ops().rope(c.inout("x", c.tensor(dtype, {5, 3, 71}, spread, 1)),
                         c.tensor(DType::kF32, {5, pairs, 2}), direction);
            c.ops().rope(c.inout("row", c.tensor(dtype, {5, 64}, spread)),
                         c.tensor(DType::kF32, {5, pairs, 2}), direction);
          });
}

TEST_F(CpuRows, FakeQuant) {
  for (const DType x : kBoth)
    for (const DType out : kBoth)
      for (const QuantSim sim : {QuantSim::kFp8Block128, QuantSim::kFp8Block64, QuantSim::kFp4Block32})
        for (const int64_t n : {1, 31, 32, 64, 100, 128, 448, 600})
          for (const Spread spread : kSpreads)
            expect_same(fmt::format("fake_quant of {}", n), [&](OpCase& c) {
              c.ops().fake_quant(c.output("out", out, {4, n}, 1), c.tensor(x, {4, n}, spread, 1), sim);
            });
}

// Every bf16 number between the smallest and the largest of a block, at a scale of one: all ties of the
// grids.
TEST_F(CpuRows, FakeQuantOfEveryTie) {
  for (const QuantSim sim : {QuantSim::kFp8Block128, QuantSim::kFp4Block32}) {
    const int block = sim == QuantSim::kFp4Block32 ? 32 : 128;
    const uint32_t top = sim == QuantSim::kFp4Block32 ? 0x40c0 : 0x43e0;  // 6 and 448
    expect_same("every bf16", [&](OpCase& c) {
      const int64_t rows = top / static_cast<uint32_t>(block - 1) + 1;
      const View x = c.tensor(DType::kBF16, {rows, block});
      uint32_t code = 0;
      for (int64_t r = 0; r < rows; ++r) {
        auto* row = x.row<uint16_t>(r);
        row[0] = static_cast<uint16_t>(top);
        for (int i = 1; i < block; ++i, ++code)
          row[i] = static_cast<uint16_t>(std::min(code, top) | ((i & 1) << 15));
      }
      c.ops().fake_quant(c.output("out", DType::kBF16, {rows, block}), x, sim);
    });
  }
}

TEST_F(CpuRows, Hadamard) {
  for (const DType dtype : kBoth)
    for (const int64_t n : {1, 2, 4, 8, 16, 32, 64, 128, 256})
      for (const Spread spread : kSpreads)
        expect_same(fmt::format("hadamard of {}", n), [&](OpCase& c) {
          c.ops().hadamard(c.inout("x", c.tensor(dtype, {3, 5, n}, spread, 1)));
        });
}

TEST_F(CpuRows, ScaleAddGather) {
  for (const DType dtype : kBoth)
    for (const int64_t n : {1, 16, 29})
      for (const Spread spread : kSpreads) {
        expect_same("scale", [&](OpCase& c) {
          c.ops().scale(c.inout("x", c.tensor(dtype, {3, n}, spread, 1)), 0.37f);
        });
        expect_same("add", [&](OpCase& c) {
          c.ops().add_broadcast(c.output("out", dtype, {5, 3, n}, 1), c.tensor(dtype, {5, 3, n}, spread, 2),
                                c.tensor(dtype, {5, n}, spread, 3));
        });
        expect_same("gather", [&](OpCase& c) {
          c.ops().gather_rows(c.output("out", dtype, {4, 3, n}, 1), c.tensor(dtype, {5, 3, n}, spread, 2),
                              c.integers(DType::kI32, {4}, 0, 5));
        });
        expect_same("gather rank 2", [&](OpCase& c) {
          c.ops().gather_rows(c.output("out", dtype, {4, n}), c.tensor(dtype, {5, n}, spread),
                              c.integers(DType::kI32, {4}, 0, 5));
        });
      }
}

TEST_F(CpuRows, ManyRowsOverThreads) {
  for (const DType dtype : kBoth) {
    expect_same("head_norm",
                [&](OpCase& c) { c.ops().head_norm(c.inout("x", c.tensor(dtype, {40, 16, 64})), 1e-6f); });
    expect_same("hadamard",
                [&](OpCase& c) { c.ops().hadamard(c.inout("x", c.tensor(dtype, {40, 16, 64}))); });
    expect_same("fake_quant", [&](OpCase& c) {
      c.ops().fake_quant(c.output("out", dtype, {90, 512}), c.tensor(dtype, {90, 512}),
                         QuantSim::kFp8Block128);
    });
  }
}

}  // namespace
}  // namespace hadal::test
