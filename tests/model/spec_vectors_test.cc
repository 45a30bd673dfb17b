// The tiny model of spec/model.md section 12.1: every weight and token comes from a formula, so the logits,
// streams and MTP outputs listed there can be checked without any file.
#include <gtest/gtest.h>

#include <cmath>

#include "model/model.h"
#include "ops/reference_ops.h"
#include "ops/scalar.h"
#include "support/formula_model.h"
#include "support/forwarding_ops.h"
#include "support/rho.h"
#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

test::Json tiny_json() {
  test::Json c = test::released_config();
  c.erase("quantization_config");
  c.erase("expert_dtype");
  c["torch_dtype"] = "float32";
  c["rope_scaling"]["original_max_position_embeddings"] = 64;
  c.update({{"vocab_size", 97},
            {"hidden_size", 128},
            {"moe_intermediate_size", 64},
            {"num_hidden_layers", 5},
            {"num_hash_layers", 1},
            {"num_attention_heads", 4},
            {"head_dim", 128},
            {"q_lora_rank", 64},
            {"o_groups", 2},
            {"o_lora_rank", 32},
            {"n_routed_experts", 8},
            {"num_experts_per_tok", 2},
            {"routed_scaling_factor", 1.5},
            {"index_n_heads", 8},
            {"index_head_dim", 128},
            {"index_topk", 5},
            {"sliding_window", 8},
            {"compress_ratios", {0, 4, 16, 4, 16, 0}}});
  return c;
}

// Rows rounded to the quantised grid before they are stored, as the released numerics do, in an otherwise
// unrounded model (test B of the section).
class GridOps : public test::ForwardingOps<ReferenceOps> {
 public:
  void pack_rows(std::byte* out, View rows, const RowLayout& layout) override {
    ops_.pack_rows(out, on_grid(rows, layout), layout);
  }
  void append_rows(const RowTable& table, int64_t first, View rows, const RowLayout& layout) override {
    ops_.append_rows(table, first, on_grid(rows, layout), layout);
  }
  void index_select(const IndexArgs& args) override {
    ops_.hadamard(args.q);
    ops_.fake_quant(args.q, args.q, QuantSim::kFp4Block32);
    ops_.index_select(args);
  }

 private:
  // Index rows have no RoPE part of their own in the layout.
  View on_grid(View rows, const RowLayout& layout) {
    if (layout.rope_dim == 0) {
      ops_.hadamard(rows);
      ops_.fake_quant(rows, rows, QuantSim::kFp4Block32);
    } else {
      const View nope = rows.slice(1, 0, layout.dim - layout.rope_dim);
      ops_.fake_quant(nope, nope, QuantSim::kFp8Block64);
    }
    return rows;
  }
};

class TinyModel : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Config config = test::parse_config(tiny_json());
    folder_ = new test::TempFolder;
    test::write_model(*folder_, tiny_json(), test::formula_tensors(config));
    model_ = Model::open(folder_->path(), Numerics::kFp32);
  }
  static void TearDownTestSuite() {
    model_.reset();
    delete folder_;
    folder_ = nullptr;
  }

  static std::vector<int32_t> tokens(int n) {
    std::vector<int32_t> ids;
    for (int t = 0; t < n; ++t) ids.push_back((37 * t + 11) % 97);
    return ids;
  }
  static std::vector<float> last_logits(Ops& ops, int n, const StreamHook* hook = nullptr) {
    SequenceState state(model_->state_layout(), ops);
    const std::vector<int32_t> ids = tokens(n);
    const Segment segment{&state, 0, n, LogitsWanted::kLast};
    std::vector<float> logits(97);
    model_->forward(Ctx{ops, hook}, Batch{ids, {&segment, 1}},
                    {View(logits.data(), DType::kF32, {1, 97}), {}});
    return logits;
  }
  static std::vector<float> mtp_logits(Ops& ops) {
    SequenceState state(model_->state_layout(), ops);
    std::vector<float> hidden(20 * 4 * 128), logits(97);
    for (size_t i = 0; i < hidden.size(); ++i) hidden[i] = static_cast<float>(test::rho("mtp_hidden", i));
    const std::vector<int32_t> ids = tokens(20);
    const Segment segment{&state, 0, 20, LogitsWanted::kLast};
    model_->draft(Ctx{ops}, Batch{ids, {&segment, 1}}, View(hidden.data(), DType::kF32, {20, 4, 128}),
                  {View(logits.data(), DType::kF32, {1, 97}), {}});
    return logits;
  }

  static inline test::TempFolder* folder_ = nullptr;
  static inline std::shared_ptr<const Model> model_;
};

constexpr double kUnlisted = 0;  // the section gives no norm

struct Expected {
  int tokens, argmax;
  double first[6], norm;
};

void check(const std::vector<float>& logits, const Expected& want, double tolerance) {
  double norm = 0;
  int argmax = 0;
  for (int i = 0; i < 97; ++i) {
    norm += std::fabs(logits[i]);
    if (logits[i] > logits[argmax]) argmax = i;
  }
  EXPECT_EQ(argmax, want.argmax) << want.tokens << " tokens";
  for (int i = 0; i < 6; ++i)
    EXPECT_NEAR(logits[i], want.first[i], tolerance) << want.tokens << " tokens, " << i;
  if (want.norm != kUnlisted) {
    EXPECT_NEAR(norm, want.norm, 97 * tolerance / 4) << want.tokens << " tokens";
  }
}

TEST_F(TinyModel, GeneratorChecks) {
  const double embed[] = {0.035040, 0.889699, 0.659263, 0.522226};
  for (int i = 0; i < 4; ++i)
    EXPECT_NEAR(test::value_of("embed.weight", static_cast<uint64_t>(i), 128), embed[i], 1e-6);
}

TEST_F(TinyModel, TestAWithoutRounding) {
  const Expected cases[] = {
      {1, 31, {1.069461, 0.274686, -0.646276, -1.279083, 2.979162, -3.297997}, 117.81948},
      {4, 4, {-0.881616, 0.084060, -2.064211, 0.386064, 4.766545, -0.495049}, 124.79823},
      {8, 33, {0.428212, 1.433726, -0.345246, 0.523468, 1.546594, -0.476713}, 123.69715},
      {17, 67, {0.752464, -2.052146, 0.180594, 2.031788, -0.046069, -0.549519}, 123.44135},
      {40, 59, {2.934822, 1.291003, 2.620582, -2.455969, -0.539048, -1.551807}, 119.01099},
      {75, 55, {-0.939119, 0.196276, 0.130972, -2.720718, -2.392846, 1.296423}, 133.40610}};
  ReferenceOps ops;
  for (const Expected& want : cases) check(last_logits(ops, want.tokens), want, 1e-4);
  check(mtp_logits(ops), {20, 80, {1.312868, 3.483015, -0.865425, 0.331583, -2.546356, 1.030033}, 125.04989},
        1e-4);
}

TEST_F(TinyModel, TestBWithQuantisedRows) {
  const Expected exact[] = {
      {1, 38, {1.103379, 0.283909, -0.640168, -1.323274, 2.908702, -3.376483}, 117.51619},
      {4, 4, {-0.827210, 0.116566, -2.086453, 0.472446, 4.714329, -0.482039}, 125.44840}};
  // Small differences of single values next to an FP8 boundary show from here on.
  const Expected near[] = {
      {8, 33, {0.412063, 1.396130, -0.254065, 0.380500, 1.619875, -0.441246}, 123.86942},
      {17, 67, {0.607676, -1.902961, 0.451037, 1.878206, -0.573239, -0.425444}, 127.27019}};
  const Expected flips[] = {
      {40, 70, {2.392397, 0.054699, 2.875780, -2.391316, 0.186993, -1.572599}, 119.55399},
      {75, 55, {-0.439435, -0.320201, 0.105699, -2.513992, -1.985126, 0.946200}, 134.75005}};
  GridOps ops;
  for (const Expected& want : exact) check(last_logits(ops, want.tokens), want, 1e-4);
  for (const Expected& want : near) check(last_logits(ops, want.tokens), want, 1e-3);
  for (const Expected& want : flips) check(last_logits(ops, want.tokens), want, 2e-2);
  check(mtp_logits(ops), {20, 80, {1.328279, 3.515330, -0.869298, 0.335193, -2.580550, 1.022863}, kUnlisted},
        2e-2);
}

TEST_F(TinyModel, StreamsAfterEachLayer) {
  struct Row {
    int pos, layer;
    double copy0[4], copy3[2];
  };
  const Row rows[] = {{0, 0, {-0.347944, 0.065085, 2.335674, -2.387415}, {-0.126597, -0.027718}},
                      {0, 1, {0.836825, -0.878990, 2.160223, -0.739701}, {0.828068, -0.616592}},
                      {0, 4, {0.644132, -0.340604, 2.373351, 2.189158}, {0.642143, -0.316615}},
                      {7, 0, {0.673180, 0.454019, 1.359892, 0.397889}, {0.692732, 0.425820}},
                      {7, 1, {1.345962, -0.769239, 2.060759, -0.202381}, {1.301494, -0.446384}},
                      {7, 4, {4.218180, 0.392882, 1.408563, -0.474714}, {4.289983, 0.442952}},
                      {40, 0, {-0.116150, 2.136474, -0.358065, 1.671093}, {-0.221249, 1.979573}},
                      {40, 1, {-2.306171, 1.732874, -0.131168, 1.349042}, {-1.552003, 1.579830}},
                      {40, 2, {-2.824967, 1.965561, -0.296138, 0.712004}, {-2.828029, 2.004892}},
                      {40, 3, {-2.275376, 3.406480, 0.171167, -0.211950}, {-2.257696, 3.341579}},
                      {40, 4, {-2.788158, 2.357073, 1.156308, 0.566509}, {-2.790674, 2.379073}},
                      {74, 0, {0.320745, 0.613420, -0.048131, -0.922875}, {0.251067, 0.153951}},
                      {74, 1, {0.069412, -0.062640, 0.734228, -0.658140}, {0.052502, 0.014314}},
                      {74, 4, {0.884742, -0.404545, -0.101439, -0.059783}, {0.662736, -0.802064}}};
  ReferenceOps ops;
  int seen = 0;
  const StreamHook hook = [&](int layer, View stream) {
    for (const Row& row : rows) {
      if (row.layer != layer - 1) continue;
      ++seen;
      const std::vector<float> copy0 = scalar::row(stream, row.pos * 4),
                               copy3 = scalar::row(stream, row.pos * 4 + 3);
      for (int d = 0; d < 4; ++d) EXPECT_NEAR(copy0[d], row.copy0[d], 1e-4) << row.pos << ' ' << row.layer;
      for (int d = 0; d < 2; ++d) EXPECT_NEAR(copy3[d], row.copy3[d], 1e-4) << row.pos << ' ' << row.layer;
    }
  };
  last_logits(ops, 75, &hook);
  EXPECT_EQ(seen, static_cast<int>(std::size(rows)));
}

}  // namespace
}  // namespace hadal
