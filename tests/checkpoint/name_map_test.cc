// Every spelling of a tensor's name leads to the inference name.
#include "checkpoint/name_map.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace hadal {
namespace {

TEST(NameMap, InferenceNamesStayAsTheyAre) {
  for (const char* name : {"embed.weight",
                           "norm.weight",
                           "head.weight",
                           "hc_head_fn",
                           "hc_head_base",
                           "hc_head_scale",
                           "layers.0.attn_norm.weight",
                           "layers.12.hc_attn_fn",
                           "layers.0.hc_ffn_scale",
                           "layers.0.attn.attn_sink",
                           "layers.0.attn.wq_a.weight",
                           "layers.0.attn.wq_a.scale",
                           "layers.0.attn.kv_norm.weight",
                           "layers.2.attn.compressor.ape",
                           "layers.2.attn.compressor.wkv.weight",
                           "layers.2.attn.compressor.norm.weight",
                           "layers.2.attn.indexer.wq_b.scale",
                           "layers.2.attn.indexer.weights_proj.weight",
                           "layers.2.attn.indexer.compressor.ape",
                           "layers.2.attn.indexer.compressor.wgate.weight",
                           "layers.2.attn.indexer.compressor.norm.weight",
                           "layers.0.ffn.gate.tid2eid",
                           "layers.3.ffn.gate.bias",
                           "layers.3.ffn.experts.17.w2.scale",
                           "layers.3.ffn.shared_experts.w3.weight",
                           "mtp.0.e_proj.weight",
                           "mtp.0.norm.weight",
                           "mtp.0.hc_head_fn",
                           "mtp.0.ffn.experts.0.w1.weight",
                           "stream.3",
                           "A.fp32.logits",
                           "",
                           ".",
                           "model",
                           "layers",
                           "layers.",
                           "layers.0",
                           "layers.0.",
                           "layers.0.attn",
                           "layers.0.attn.compressor",
                           "layers.0.attn.indexer",
                           "layers.0.attn.compressor.indexer",
                           "layers.0.ffn.experts"})
    EXPECT_EQ(canonical_name(name), name);
}

TEST(NameMap, ALeadingModelIsDropped) {
  EXPECT_EQ(canonical_name("model.embed.weight"), "embed.weight");
  EXPECT_EQ(canonical_name("model.layers.3.attn.wo_b.scale"), "layers.3.attn.wo_b.scale");
  EXPECT_EQ(canonical_name("model.mtp.0.h_proj.weight"), "mtp.0.h_proj.weight");
}

TEST(NameMap, NamesThatThePublishedConverterCleansUp) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"model.embed_tokens.weight", "embed.weight"},
      {"lm_head.weight", "head.weight"},
      {"model.layers.1.input_layernorm.weight", "layers.1.attn_norm.weight"},
      {"model.layers.1.post_attention_layernorm.weight", "layers.1.ffn_norm.weight"},
      {"model.layers.1.self_attn.q_a_proj.weight", "layers.1.attn.wq_a.weight"},
      {"model.layers.1.self_attn.q_a_proj.weight_scale_inv", "layers.1.attn.wq_a.scale"},
      {"model.layers.1.self_attn.q_a_layernorm.weight", "layers.1.attn.q_norm.weight"},
      {"model.layers.1.self_attn.q_b_proj.weight", "layers.1.attn.wq_b.weight"},
      {"model.layers.1.self_attn.kv_a_layernorm.weight", "layers.1.attn.kv_norm.weight"},
      {"model.layers.1.mlp.gate.e_score_correction_bias", "layers.1.ffn.gate.bias"},
      {"model.layers.1.mlp.experts.7.gate_proj.weight", "layers.1.ffn.experts.7.w1.weight"},
      {"model.layers.1.mlp.experts.7.up_proj.weight_scale_inv", "layers.1.ffn.experts.7.w3.scale"},
      {"model.layers.1.mlp.experts.7.down_proj.weight", "layers.1.ffn.experts.7.w2.weight"},
      {"layers.1.ffn.shared_experts.gate_proj.weight", "layers.1.ffn.shared_experts.w1.weight"},
      {"mtp.0.self_attn.q_a_proj.weight", "mtp.0.attn.wq_a.weight"},
  };
  for (const auto& [from, to] : cases) EXPECT_EQ(canonical_name(from), to);
}

TEST(NameMap, NamesOfTransformers) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"model.norm.weight", "norm.weight"},
      {"model.hc_head.hc_fn", "hc_head_fn"},
      {"model.hc_head.hc_base", "hc_head_base"},
      {"model.hc_head.hc_scale", "hc_head_scale"},
      {"model.layers.5.attn_hc.fn", "layers.5.hc_attn_fn"},
      {"model.layers.5.attn_hc.base", "layers.5.hc_attn_base"},
      {"model.layers.5.ffn_hc.scale", "layers.5.hc_ffn_scale"},
      {"model.layers.5.self_attn.q_a_norm.weight", "layers.5.attn.q_norm.weight"},
      {"model.layers.5.self_attn.kv_proj.weight", "layers.5.attn.wkv.weight"},
      {"model.layers.5.self_attn.kv_norm.weight", "layers.5.attn.kv_norm.weight"},
      {"model.layers.5.self_attn.o_a_proj.weight", "layers.5.attn.wo_a.weight"},
      {"model.layers.5.self_attn.o_b_proj.weight_scale_inv", "layers.5.attn.wo_b.scale"},
      {"model.layers.5.self_attn.sinks", "layers.5.attn.attn_sink"},
      {"model.layers.5.self_attn.compressor.kv_proj.weight", "layers.5.attn.compressor.wkv.weight"},
      {"model.layers.5.self_attn.compressor.gate_proj.weight", "layers.5.attn.compressor.wgate.weight"},
      {"model.layers.5.self_attn.compressor.position_bias", "layers.5.attn.compressor.ape"},
      {"model.layers.5.self_attn.compressor.kv_norm.weight", "layers.5.attn.compressor.norm.weight"},
      {"model.layers.5.self_attn.compressor.indexer.q_b_proj.weight", "layers.5.attn.indexer.wq_b.weight"},
      {"model.layers.5.self_attn.compressor.indexer.q_b_proj.weight_scale_inv",
       "layers.5.attn.indexer.wq_b.scale"},
      {"model.layers.5.self_attn.compressor.indexer.scorer.weights_proj.weight",
       "layers.5.attn.indexer.weights_proj.weight"},
      {"model.layers.5.self_attn.compressor.indexer.kv_proj.weight",
       "layers.5.attn.indexer.compressor.wkv.weight"},
      {"model.layers.5.self_attn.compressor.indexer.gate_proj.weight",
       "layers.5.attn.indexer.compressor.wgate.weight"},
      {"model.layers.5.self_attn.compressor.indexer.position_bias", "layers.5.attn.indexer.compressor.ape"},
      {"model.layers.5.self_attn.compressor.indexer.kv_norm.weight",
       "layers.5.attn.indexer.compressor.norm.weight"},
      {"model.layers.5.mlp.gate.weight", "layers.5.ffn.gate.weight"},
      {"model.layers.5.mlp.gate.tid2eid", "layers.5.ffn.gate.tid2eid"},
      {"model.layers.5.mlp.shared_experts.gate_proj.weight", "layers.5.ffn.shared_experts.w1.weight"},
      {"model.layers.5.mlp.shared_experts.up_proj.weight", "layers.5.ffn.shared_experts.w3.weight"},
      {"model.layers.5.mlp.shared_experts.down_proj.weight_scale_inv",
       "layers.5.ffn.shared_experts.w2.scale"},
  };
  for (const auto& [from, to] : cases) EXPECT_EQ(canonical_name(from), to);
}

TEST(NameMap, FusedExperts) {
  struct Case {
    const char* name;
    bool gate_up, scale;
  };
  for (const Case& c : {Case{"model.layers.5.mlp.experts.gate_up_proj", true, false},
                        Case{"layers.5.ffn.experts.gate_up_proj.weight", true, false},
                        Case{"model.layers.5.mlp.experts.gate_up_proj_scale_inv", true, true},
                        Case{"model.layers.5.mlp.experts.gate_up_proj_scale", true, true},
                        Case{"layers.5.ffn.experts.gate_up_proj.scale", true, true},
                        Case{"model.layers.5.mlp.experts.down_proj", false, false},
                        Case{"model.layers.5.mlp.experts.down_proj.weight_scale_inv", false, true}}) {
    const auto fused = fused_experts(c.name);
    ASSERT_TRUE(fused) << c.name;
    EXPECT_EQ(fused->prefix, "layers.5.ffn.experts.");
    EXPECT_EQ(fused->gate_up, c.gate_up) << c.name;
    EXPECT_EQ(fused->scale, c.scale) << c.name;
  }
  for (const char* name :
       {"layers.5.ffn.experts.3.w1.weight", "model.layers.5.mlp.experts.3.down_proj.weight",
        "model.layers.5.mlp.shared_experts.down_proj.weight", "layers.5.ffn.experts.gate_up_proj.bias",
        "layers.5.ffn.experts.down_proj_extra", "experts.down_proj",
        "layers.5.ffn.experts.down_proj_scale.weight"})
    EXPECT_FALSE(fused_experts(name)) << name;
}

}  // namespace
}  // namespace hadal
