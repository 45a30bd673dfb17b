// The one list of names and shapes.
#include "model/weights_layout.h"

#include <gtest/gtest.h>

#include <set>

#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

class Recorder : public WeightVisitor {
 public:
  std::map<std::string, std::vector<int64_t>> linears, tensors;

  void linear(Weight&, const std::string& name, int64_t out, int64_t in, LinearKind) override {
    EXPECT_TRUE(linears.emplace(name, std::vector<int64_t>{out, in}).second) << name;
  }
  void tensor(View&, const std::string& name, const Shape& shape, TensorKind) override {
    EXPECT_TRUE(tensors.emplace(name, std::vector<int64_t>(shape.dim, shape.dim + shape.rank)).second)
        << name;
  }
};

TEST(WeightsLayout, NamesAndShapesOfTheSpecification) {
  const Config config = test::parse_config(test::pro_config());
  Weights weights;
  weights.mtp.emplace();
  Recorder seen;
  visit_weights(weights, config, seen);
  using Dims = std::vector<int64_t>;
  EXPECT_EQ(seen.linears.at("embed"), (Dims{129280, 7168}));
  EXPECT_EQ(seen.linears.at("layers.0.attn.wq_b"), (Dims{65536, 1536}));
  EXPECT_EQ(seen.linears.at("layers.0.attn.wo_a"), (Dims{16384, 4096}));
  EXPECT_EQ(seen.linears.at("layers.0.attn.wo_b"), (Dims{7168, 16384}));
  EXPECT_EQ(seen.linears.at("layers.0.attn.compressor.wkv"), (Dims{512, 7168}));
  EXPECT_EQ(seen.linears.at("layers.2.attn.compressor.wgate"), (Dims{1024, 7168}));
  EXPECT_EQ(seen.linears.at("layers.2.attn.indexer.wq_b"), (Dims{8192, 1536}));
  EXPECT_EQ(seen.linears.at("layers.2.attn.indexer.weights_proj"), (Dims{64, 7168}));
  EXPECT_EQ(seen.linears.at("layers.60.ffn.experts.383.w2"), (Dims{7168, 3072}));
  EXPECT_EQ(seen.linears.at("mtp.0.h_proj"), (Dims{7168, 7168}));
  EXPECT_EQ(seen.tensors.at("layers.1.attn.compressor.ape"), (Dims{128, 512}));
  EXPECT_EQ(seen.tensors.at("layers.2.attn.compressor.ape"), (Dims{4, 1024}));
  EXPECT_EQ(seen.tensors.at("layers.2.attn.indexer.compressor.ape"), (Dims{4, 256}));
  EXPECT_EQ(seen.tensors.at("layers.2.ffn.gate.tid2eid"), (Dims{129280, 6}));
  EXPECT_EQ(seen.tensors.at("layers.3.ffn.gate.bias"), (Dims{384}));
  EXPECT_EQ(seen.tensors.at("mtp.0.ffn.gate.bias"), (Dims{384}));
  EXPECT_EQ(seen.tensors.at("mtp.0.hc_head_fn"), (Dims{4, 28672}));
  EXPECT_EQ(seen.tensors.at("hc_head_scale"), (Dims{1}));
  EXPECT_EQ(seen.tensors.count("layers.3.ffn.gate.tid2eid"), 0u);
  EXPECT_EQ(seen.tensors.count("layers.3.attn.indexer.compressor.ape"), 0u);
}

TEST(WeightsLayout, WithoutAnMtpBlockNoneIsVisited) {
  Weights weights;
  Recorder seen;
  visit_weights(weights, test::parse_config(test::tiny_config()), seen);
  for (const auto& [name, shape] : seen.tensors) EXPECT_FALSE(name.starts_with("mtp.")) << name;
}

TEST(WeightsLayout, Prefixes) {
  const Config config = test::parse_config(test::tiny_config());
  EXPECT_EQ(layer_prefix(config, 2), "layers.2.");
  EXPECT_EQ(layer_prefix(config, 3), "mtp.0.");
}

}  // namespace
}  // namespace hadal
