// Fields that contradict each other, and settings that no released model has.
#include "model/config_check.h"

#include <gmock/gmock.h>

#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using test::error_of;
using test::Json;
using test::parse_config;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error(ErrorCode code, const Json& changes) {
  Json config = test::tiny_config();
  config.update(changes);
  return error_of(code, [&] { parse_config(config); });
}
std::string contradiction(const Json& changes) {
  return error(ErrorCode::kInvalidFile, changes);
}
std::string unsupported(const Json& changes) {
  return error(ErrorCode::kUnsupported, changes);
}

TEST(ConfigCheck, CompressRatios) {
  EXPECT_THAT(contradiction({{"compress_ratios", {0, 4}}}),
              AllOf(HasSubstr("compress_ratios: 2 entries"), HasSubstr("num_hidden_layers (3)")));
  EXPECT_THAT(contradiction({{"compress_ratios", {0, 4, 128, 0, 0}}}), HasSubstr("5 entries"));
  EXPECT_THAT(contradiction({{"compress_ratios", Json::array()}}), HasSubstr("0 entries"));
  for (const int ratio : {1, 2, 3, 5, 12, 100, 256})
    EXPECT_THAT(unsupported({{"compress_ratios", {0, ratio, 128, 0}}}),
                HasSubstr("compress_ratios: entry 1 is " + std::to_string(ratio)));
  EXPECT_THAT(unsupported({{"compress_ratios", {0, 4, 128, 4}}}), HasSubstr("entry 3 is 4"));
  EXPECT_THAT(unsupported({{"num_nextn_predict_layers", 2}, {"compress_ratios", {0, 4, 128}}}),
              HasSubstr("num_nextn_predict_layers: 2"));
  for (const int ratio : {8, 16, 32, 64}) {
    Json config = test::tiny_config();
    config["compress_ratios"] = {0, ratio, 128, 0};
    EXPECT_EQ(parse_config(config).ratio(1), ratio);
  }
}

TEST(ConfigCheck, Heads) {
  EXPECT_THAT(contradiction({{"qk_rope_head_dim", 63}}),
              HasSubstr("qk_rope_head_dim is 63, expected an even number"));
  EXPECT_THAT(contradiction({{"qk_rope_head_dim", 256}}), HasSubstr("at most head_dim (128)"));
  EXPECT_THAT(contradiction({{"head_dim", 160}}),
              AllOf(HasSubstr("head_dim"), HasSubstr("a multiple of 64")));
  EXPECT_THAT(contradiction({{"o_groups", 3}}),
              HasSubstr("o_groups: 3 does not divide num_attention_heads (4)"));
  for (const int dim : {16, 96, 2048})
    EXPECT_THAT(contradiction({{"index_head_dim", dim}}),
                HasSubstr("index_head_dim is " + std::to_string(dim)));
  EXPECT_THAT(contradiction({{"index_head_dim", 32}}), HasSubstr("at least qk_rope_head_dim (64)"));
  EXPECT_THAT(unsupported({{"num_key_value_heads", 4}}), HasSubstr("num_key_value_heads: 4"));
  EXPECT_THAT(unsupported({{"attention_bias", true}}), HasSubstr("attention_bias"));
}

TEST(ConfigCheck, Experts) {
  EXPECT_THAT(contradiction({{"num_experts_per_tok", 5}}), HasSubstr("5 is more than n_routed_experts (4)"));
  EXPECT_THAT(contradiction({{"num_hash_layers", 4}}), HasSubstr("4 is more than num_hidden_layers (3)"));
  for (const int shared : {0, 2})
    EXPECT_THAT(unsupported({{"n_shared_experts", shared}}), HasSubstr("only 1 is"));
  EXPECT_THAT(unsupported({{"scoring_func", "sigmoid"}}), HasSubstr("\"sigmoid\" is not supported"));
  EXPECT_THAT(unsupported({{"topk_method", "greedy"}}), HasSubstr("topk_method"));
  EXPECT_THAT(unsupported({{"hidden_act", "gelu"}}), HasSubstr("only \"silu\" is"));
  EXPECT_THAT(unsupported({{"norm_topk_prob", false}}), HasSubstr("norm_topk_prob"));
  EXPECT_THAT(unsupported({{"expert_dtype", "int4"}}), HasSubstr("\"int4\" is not supported"));
  EXPECT_THAT(unsupported({{"n_group", 8}}), HasSubstr("n_group"));
}

TEST(ConfigCheck, FormatsAndTies) {
  const auto quantization = [](const Json& changes) {
    Json value = test::released_config()["quantization_config"];
    value.update(changes);
    return unsupported({{"quantization_config", value}});
  };
  EXPECT_THAT(quantization({{"weight_block_size", {32, 32}}}),
              HasSubstr("quantization_config.weight_block_size: [32, 32] is not supported"));
  EXPECT_THAT(quantization({{"scale_fmt", "float"}}), HasSubstr("quantization_config.scale_fmt"));
  EXPECT_THAT(quantization({{"quant_method", "awq"}}), HasSubstr("quantization_config.quant_method"));
  EXPECT_THAT(quantization({{"fmt", "e5m2"}}), HasSubstr("quantization_config.fmt"));
  EXPECT_THAT(quantization({{"activation_scheme", "static"}}), HasSubstr("activation_scheme"));
  Json scaling = test::released_config()["rope_scaling"];
  scaling["type"] = "linear";
  EXPECT_THAT(unsupported({{"rope_scaling", scaling}}),
              HasSubstr("rope_scaling.type: \"linear\" is not supported"));
  EXPECT_THAT(unsupported({{"tie_word_embeddings", true}}), HasSubstr("tie_word_embeddings"));
}

TEST(ConfigCheck, SizesThatMultiplyToTooMuch) {
  Json config = test::tiny_config();
  config.update({{"hidden_size", 131072},
                 {"moe_intermediate_size", 131072},
                 {"n_routed_experts", 16384},
                 {"num_hidden_layers", 1024},
                 {"compress_ratios", std::vector<int>(1024, 0)}});
  EXPECT_THAT(test::invalid_file([&] { parse_config(config); }), HasSubstr("more than 2^50 parameters"));
}

}  // namespace
}  // namespace hadal
