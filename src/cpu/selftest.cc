#include "cpu/selftest.h"

#include <deque>

#include "cpu/case_inputs.h"
#include "cpu/cpu_ops.h"
#include "ops/reference_ops.h"

namespace hadal {
namespace {

constexpr DType kBoth[] = {DType::kBF16, DType::kF32};
constexpr WeightFormat kFormats[] = {WeightFormat::kF32, WeightFormat::kBF16, WeightFormat::kFP8,
                                     WeightFormat::kFP4};

// Adds a case for bf16 and one for f32.
template <class F>
void both(std::vector<SelftestCase>& cases, std::string_view op, F body) {
  for (const DType dtype : kBoth) cases.push_back({op, [dtype, body](OpCase& c) { body(c, dtype); }});
}

void linear_cases(std::vector<SelftestCase>& cases) {
  both(cases, "embed", [](OpCase& c, DType dtype) {
    c.ops().embed(c.output("out", dtype, {5, 4, 100}), c.weight(WeightFormat::kBF16, 37, 100),
                  c.integers(DType::kI32, {5}, 0, 37));
  });
  for (const WeightFormat format : kFormats)
    for (const int64_t tokens : {1, 3, 13})
      both(cases, "matmul", [format, tokens](OpCase& c, DType dtype) {
        c.ops().matmul(c.output("out", dtype, {tokens, 140}), c.tensor(dtype, {tokens, 1184}),
                       c.weight(format, 140, 1184));
      });
  both(cases, "grouped_matmul", [](OpCase& c, DType dtype) {
    c.ops().grouped_matmul(c.output("out", dtype, {3, 4, 96}), c.tensor(dtype, {3, 4, 512}),
                           c.weight(WeightFormat::kFP8, 384, 512));
  });
}

void row_cases(std::vector<SelftestCase>& cases) {
  both(cases, "rms_norm", [](OpCase& c, DType dtype) {
    c.ops().rms_norm(c.output("out", dtype, {3, 1000}), c.tensor(dtype, {3, 1000}),
                     c.tensor(DType::kBF16, {1000}), 1e-6f);
  });
  both(cases, "head_norm",
       [](OpCase& c, DType dtype) { c.ops().head_norm(c.inout("x", c.tensor(dtype, {3, 7, 512})), 1e-6f); });
  cases.push_back({"rope_angles", [](OpCase& c) {
                     const View freqs = c.tensor(DType::kF32, {32});
                     for (int i = 0; i < 32; ++i)
                       freqs.as<float>()[i] = 1.0f / static_cast<float>(1 + i * i * 37);
                     c.ops().rope_angles(c.output("out", DType::kF32, {9, 32, 2}),
                                         c.integers(DType::kI64, {9}, 0, 1 << 20), freqs);
                   }});
  for (const Direction direction : {Direction::kForward, Direction::kInverse})
    both(cases, "rope", [direction](OpCase& c, DType dtype) {
      c.ops().rope(c.inout("x", c.tensor(dtype, {3, 5, 96})), c.tensor(DType::kF32, {3, 32, 2}), direction);
    });
  for (const QuantSim sim : {QuantSim::kFp8Block128, QuantSim::kFp8Block64, QuantSim::kFp4Block32})
    both(cases, "fake_quant", [sim](OpCase& c, DType dtype) {
      c.ops().fake_quant(c.output("out", dtype, {6, 300}), c.tensor(dtype, {6, 300}, Spread::kWide), sim);
    });
  both(cases, "hadamard",
       [](OpCase& c, DType dtype) { c.ops().hadamard(c.inout("x", c.tensor(dtype, {3, 5, 128}))); });
  both(cases, "scale",
       [](OpCase& c, DType dtype) { c.ops().scale(c.inout("x", c.tensor(dtype, {3, 77})), 0.011f); });
  both(cases, "add_broadcast", [](OpCase& c, DType dtype) {
    c.ops().add_broadcast(c.output("out", dtype, {3, 4, 77}), c.tensor(dtype, {3, 4, 77}),
                          c.tensor(dtype, {3, 77}));
  });
  both(cases, "gather_rows", [](OpCase& c, DType dtype) {
    c.ops().gather_rows(c.output("out", dtype, {4, 3, 20}), c.tensor(dtype, {9, 3, 20}),
                        c.integers(DType::kI32, {4}, 0, 9));
  });
}

void stream_cases(std::vector<SelftestCase>& cases) {
  for (const bool full : {true, false})
    for (const int64_t tokens : {1, 18})
      both(cases, "hc_mix",
           [full, tokens](OpCase& c, DType dtype) { hc_mix_case(c, dtype, tokens, 4, 520, full); });
  both(cases, "hc_pre", [](OpCase& c, DType dtype) {
    c.ops().hc_pre(c.output("out", dtype, {3, 333}), c.tensor(dtype, {3, 4, 333}),
                   c.tensor(DType::kF32, {3, 4}));
  });
  both(cases, "hc_post", [](OpCase& c, DType dtype) {
    c.ops().hc_post(c.output("out", dtype, {3, 4, 333}), c.tensor(dtype, {3, 333}),
                    c.tensor(dtype, {3, 4, 333}), c.tensor(DType::kF32, {3, 4}),
                    c.tensor(DType::kF32, {3, 4, 4}));
  });
}

void state_cases(std::vector<SelftestCase>& cases) {
  both(cases, "compress", [](OpCase& c, DType dtype) { compress_case(c, dtype, 4, 96, true, 10, 23); });
  both(cases, "compress", [](OpCase& c, DType dtype) { compress_case(c, dtype, 128, 80, false, 250, 140); });
  constexpr RowFormat kRowFormats[] = {RowFormat::kF32, RowFormat::kPackedKv, RowFormat::kPackedIndex};
  for (const RowFormat format : kRowFormats)
    both(cases, "pack_rows", [format](OpCase& c, DType dtype) {
      const RowLayout layout{format, 160, format == RowFormat::kPackedKv ? 32 : 0};
      c.ops().pack_rows(c.output_bytes("rows", 7 * layout.bytes()), c.tensor(dtype, {7, 160}, Spread::kWide),
                        layout);
    });
  for (const RowFormat format : kRowFormats)
    both(cases, "append_rows", [format](OpCase& c, DType dtype) {
      const RowLayout layout{format, 160, format == RowFormat::kPackedKv ? 32 : 0};
      std::byte* blocks[] = {c.output_bytes("block 0", 3 * layout.bytes() + 16),
                             c.output_bytes("block 1", 3 * layout.bytes() + 16)};
      c.ops().append_rows({blocks, 16, layout.bytes(), 3}, 1, c.tensor(dtype, {4, 160}), layout);
    });
  cases.push_back({"ring_write", [](OpCase& c) {
                     std::byte* rows = c.bytes(11 * 24);
                     for (int i = 0; i < 11 * 24; ++i) rows[i] = std::byte(static_cast<uint8_t>(c.random()));
                     c.ops().ring_write({c.output_bytes("ring", 8 * 24), 24, 8}, 5, rows, 11);
                   }});
}

void attention_cases(std::vector<SelftestCase>& cases) {
  both(cases, "index_select",
       [](OpCase& c, DType dtype) { index_case(c, dtype, {.heads = 8, .dim = 128, .k = 20}); });
  both(cases, "attention", [](OpCase& c, DType dtype) {
    attention_case(c, dtype, {.heads = 10, .dim = 160, .rope_dim = 32, .ratio = 4, .k = 9});
  });
  both(cases, "attention", [](OpCase& c, DType dtype) {
    attention_case(c, dtype, {.heads = 3, .dim = 96, .rope_dim = 16, .ratio = 128});
  });
  for (const bool hashed : {false, true})
    cases.push_back({"route", [hashed](OpCase& c) { route_case(c, 5, 40, 6, hashed); }});
  for (const WeightFormat format : kFormats)
    for (const int64_t tokens : {1, 15})
      both(cases, "expert_ffn", [format, tokens](OpCase& c, DType dtype) {
        expert_case(c, dtype, {.tokens = tokens, .routed = format, .shared = WeightFormat::kFP8});
      });
}

}  // namespace

std::vector<SelftestCase> selftest_cases() {
  std::vector<SelftestCase> cases;
  linear_cases(cases);
  row_cases(cases);
  stream_cases(cases);
  state_cases(cases);
  attention_cases(cases);
  return cases;
}

std::vector<SelftestResult> run_selftest(uint64_t seed, int threads) {
  ReferenceOps reference;
  std::deque<CpuOps> backends;
  for (const std::string& isa : available_isas())
    backends.emplace_back(CpuOptions{.threads = threads, .isa = isa});
  std::vector<SelftestResult> results;
  std::string_view op;
  for (const SelftestCase& one : selftest_cases()) {
    if (one.op != op)
      for (const CpuOps& backend : backends)
        results.push_back({std::string(one.op), std::string(backend.isa()), {}});
    op = one.op;
    OpCase expected(reference, ++seed);
    one.body(expected);
    for (size_t i = 0; i < backends.size(); ++i) {
      SelftestResult& result = results[results.size() - backends.size() + i];
      if (result.difference) continue;
      OpCase got(backends[i], seed);
      one.body(got);
      result.difference = OpCase::compare(expected, got);
    }
  }
  return results;
}

}  // namespace hadal
