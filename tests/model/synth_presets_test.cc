#include <gtest/gtest.h>

#include "base/error.h"
#include "model/inventory.h"
#include "model/synth.h"

namespace hadal {
namespace {

Config preset(const std::string& name, int layers = 0, int experts = 0) {
  return Config::parse(synth_config(name, layers, experts), name);
}

ModelSize size_of(const Config& config) {
  return model_size(config, inventory(config));
}

// Tensors and bytes of the released checkpoints (spec/model.md section 1.3).
TEST(SynthPresets, ReleasedShapes) {
  const Config flash = preset("v4-flash"), pro = preset("v4-pro");
  EXPECT_EQ(shape_name(flash), "DeepSeek-V4-Flash");
  EXPECT_EQ(size_of(flash).tensors, 69'187);
  EXPECT_EQ(size_of(flash).bytes, 159'609'485'896);
  EXPECT_EQ(shape_name(pro), "DeepSeek-V4-Pro");
  EXPECT_EQ(size_of(pro).tensors, 145'116);
  EXPECT_EQ(size_of(pro).bytes, 864'704'792'696);
}

TEST(SynthPresets, LongHasRealRows) {
  const Config config = preset("long");
  EXPECT_EQ(config.kv_row_bytes(), 584);
  EXPECT_EQ(config.index_row_bytes(), 68);
  for (const int ratio : {0, 4, 128}) EXPECT_GE(config.count_layers(ratio), 1) << ratio;
  EXPECT_GE(config.max_position_embeddings, 1 << 20);
  EXPECT_LT(size_of(config).bytes, 20 << 20);
}

TEST(SynthPresets, FewerLayersAndExperts) {
  for (const SynthPreset& known : synth_presets()) {
    const Config config = preset(known.name, 2, 3);
    EXPECT_EQ(config.num_hidden_layers, 2);
    EXPECT_EQ(config.n_routed_experts, 3);
    EXPECT_LE(config.num_experts_per_tok, 3);
    EXPECT_LE(config.num_hash_layers, 2);
    EXPECT_EQ(config.ratio(1), preset(known.name).ratio(1));
  }
}

TEST(SynthPresets, Refusals) {
  EXPECT_THROW(synth_config("v5"), Error);
  EXPECT_THROW(synth_config("tiny", 4), Error);
  EXPECT_THROW(synth_config("tiny", -1), Error);
  EXPECT_THROW(synth_config("tiny", 1, 20'000), Error);
}

}  // namespace
}  // namespace hadal
