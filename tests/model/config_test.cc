// config.json: what good ones mean and how each field can be wrong.
#include "model/config.h"

#include <gmock/gmock.h>

#include "support/synthetic_checkpoint.h"

namespace hadal {
namespace {

using test::error_of;
using test::invalid_file;
using test::Json;
using test::parse_config;
using test::TempFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;

// The message for the tiny config with one field replaced; a null value removes it.
std::string error_with(ErrorCode code, const std::string& field, const Json& value) {
  Json config = test::tiny_config();
  config[field] = value;
  if (value.is_null()) config.erase(field);
  return error_of(code, [&] { parse_config(config); });
}

TEST(Config, Flash) {
  const Config c = parse_config(test::flash_config());
  EXPECT_EQ(c.vocab_size, 129280);
  EXPECT_EQ(c.hidden_size, 4096);
  EXPECT_EQ(c.num_hidden_layers, 43);
  EXPECT_EQ(c.q_dim(), 32768);
  EXPECT_EQ(c.group_dim(), 4096);
  EXPECT_EQ(c.nope_dim(), 448);
  EXPECT_EQ(c.hc_dim(), 16384);
  EXPECT_EQ(c.hc_mix_rows(), 24);
  EXPECT_EQ(c.kv_row_bytes(), 584);
  EXPECT_EQ(c.index_row_bytes(), 68);
  EXPECT_EQ(c.ratio(0), 0);
  EXPECT_EQ(c.ratio(2), 4);
  EXPECT_EQ(c.ratio(3), 128);
  EXPECT_EQ(c.ratio(42), 4);
  EXPECT_EQ(c.ratio(43), 0);
  EXPECT_TRUE(c.has_indexer(42));
  EXPECT_FALSE(c.has_indexer(41));
  EXPECT_FALSE(c.has_compressor(1));
  EXPECT_EQ(c.compressor_width(2), 2);
  EXPECT_EQ(c.compressor_width(3), 1);
  EXPECT_TRUE(c.is_hash_layer(2));
  EXPECT_FALSE(c.is_hash_layer(3));
  EXPECT_EQ(c.count_layers(4), 21);
  EXPECT_EQ(c.count_layers(128), 20);
  EXPECT_EQ(c.count_layers(0), 2);
  EXPECT_EQ(c.mtp_layers(), 1);
  ASSERT_TRUE(c.rope_scaling);
  EXPECT_EQ(c.rope_scaling->factor, 16.0);
  EXPECT_EQ(c.rope_scaling->original_max_position_embeddings, 65536);
  ASSERT_TRUE(c.quantization_config);
  EXPECT_EQ(c.expert_dtype, "fp4");
  EXPECT_EQ(c.eos_token_ids, std::vector<int64_t>{1});
}

TEST(Config, Pro) {
  const Config c = parse_config(test::pro_config());
  EXPECT_EQ(c.count_layers(4), 30);
  EXPECT_EQ(c.count_layers(128), 31);
  EXPECT_EQ(c.routed_scaling_factor, 2.5);
  EXPECT_EQ(c.index_topk, 1024);
}

TEST(Config, RowsOfSmallModels) {
  Config c;
  c.head_dim = 128;
  EXPECT_EQ(c.kv_row_bytes(), 200);  // 64 + 128 + 1, rounded up to 8
  c.index_head_dim = 64;
  EXPECT_EQ(c.index_row_bytes(), 34);
}

TEST(Config, AbsentOptionalFieldsHaveDefaults) {
  Json json = test::tiny_config();
  for (const char* key : {"attention_bias",
                          "attention_dropout",
                          "bos_token_id",
                          "eos_token_id",
                          "expert_dtype",
                          "hc_eps",
                          "hc_mult",
                          "hc_sinkhorn_iters",
                          "hidden_act",
                          "initializer_range",
                          "max_position_embeddings",
                          "n_shared_experts",
                          "norm_topk_prob",
                          "num_key_value_heads",
                          "num_nextn_predict_layers",
                          "qk_rope_head_dim",
                          "quantization_config",
                          "rms_norm_eps",
                          "rope_theta",
                          "compress_rope_theta",
                          "scoring_func",
                          "rope_scaling",
                          "sliding_window",
                          "swiglu_limit",
                          "tie_word_embeddings",
                          "topk_method",
                          "torch_dtype",
                          "use_cache",
                          "model_type"})
    json.erase(key);
  json["compress_ratios"] = {0, 4, 128};
  const Config c = parse_config(json);
  EXPECT_EQ(c.sliding_window, 128);
  EXPECT_EQ(c.swiglu_limit, 10.0);
  EXPECT_EQ(c.hc_mult, 4);
  EXPECT_EQ(c.hc_sinkhorn_iters, 20);
  EXPECT_EQ(c.rope_theta, 10000.0);
  EXPECT_EQ(c.compress_rope_theta, 160000.0);
  EXPECT_EQ(c.num_nextn_predict_layers, 0);
  EXPECT_EQ(c.expert_dtype, "");
  EXPECT_FALSE(c.rope_scaling);
  EXPECT_FALSE(c.quantization_config);
  json.erase("architectures");
  json["model_type"] = "deepseek_v4";
  json["rope_scaling"] = nullptr;
  json["eos_token_id"] = {1, 7};
  json["index_head_dim"] = 64;
  EXPECT_EQ(parse_config(json).eos_token_ids, (std::vector<int64_t>{1, 7}));
}

TEST(Config, WithoutAnIndexerItsSizesAreNotAsked) {
  Json json = test::tiny_config();
  json["compress_ratios"] = {0, 128, 16, 0};
  for (const char* key : {"index_n_heads", "index_head_dim", "index_topk"}) json.erase(key);
  EXPECT_EQ(parse_config(json).ratio(2), 16);
}

TEST(Config, RequiredFieldsAreAskedByName) {
  for (const char* key : {"vocab_size", "hidden_size", "moe_intermediate_size", "num_hidden_layers",
                          "num_hash_layers", "num_attention_heads", "head_dim", "q_lora_rank", "o_groups",
                          "o_lora_rank", "n_routed_experts", "num_experts_per_tok", "routed_scaling_factor",
                          "compress_ratios", "index_n_heads", "index_head_dim", "index_topk"})
    EXPECT_THAT(error_with(ErrorCode::kInvalidFile, key, nullptr),
                AllOf(HasSubstr("config.json: "), HasSubstr(std::string(key) + " is missing"),
                      HasSubstr("expected")));
}

TEST(Config, WrongTypesAndRanges) {
  const auto invalid = [](const std::string& field, const Json& value) {
    return error_with(ErrorCode::kInvalidFile, field, value);
  };
  EXPECT_THAT(invalid("hidden_size", 1.5),
              HasSubstr("hidden_size is 1.5, expected a whole number from 1 to"));
  EXPECT_THAT(invalid("hidden_size", "64"), HasSubstr("hidden_size is \"64\", expected a whole number"));
  EXPECT_THAT(invalid("hidden_size", -64), HasSubstr("hidden_size is -64"));
  EXPECT_THAT(invalid("hidden_size", 0), HasSubstr("hidden_size is 0"));
  EXPECT_THAT(invalid("hidden_size", 18446744073709551615u),
              HasSubstr("hidden_size is 18446744073709551615"));
  EXPECT_THAT(invalid("hidden_size", true), HasSubstr("hidden_size is true"));
  EXPECT_THAT(invalid("hidden_size", 48), HasSubstr("a multiple of 32"));
  EXPECT_THAT(invalid("moe_intermediate_size", 40), HasSubstr("a multiple of 32"));
  EXPECT_THAT(invalid("num_hidden_layers", 100000), HasSubstr("from 1 to 1024"));
  EXPECT_THAT(invalid("rms_norm_eps", "1e-6"), HasSubstr("rms_norm_eps is \"1e-6\", expected a number"));
  EXPECT_THAT(invalid("rope_theta", -1.0), HasSubstr("rope_theta is -1.0"));
  EXPECT_THAT(invalid("swiglu_limit", -10), HasSubstr("swiglu_limit is -10"));
  EXPECT_THAT(invalid("tie_word_embeddings", 0),
              HasSubstr("tie_word_embeddings is 0, expected true or false"));
  EXPECT_THAT(invalid("sliding_window", 0),
              HasSubstr("sliding_window is 0, expected a whole number from 1 to 65536"));
  EXPECT_THAT(invalid("compress_ratios", 4), HasSubstr("compress_ratios is 4, expected a list"));
  EXPECT_THAT(invalid("compress_ratios", {0, 4, 128.0, 0}), HasSubstr("compress_ratios is"));
  EXPECT_THAT(invalid("rope_scaling", "yarn"), HasSubstr("rope_scaling is \"yarn\", expected an object"));
  EXPECT_THAT(invalid("eos_token_id", 50), HasSubstr("eos_token_id is 50"));
  EXPECT_THAT(invalid("eos_token_id", {"a"}), HasSubstr("eos_token_id"));
  EXPECT_THAT(invalid("hc_mult", 9), HasSubstr("hc_mult is 9"));
  EXPECT_THAT(invalid("architectures", "DeepseekV4ForCausalLM"), HasSubstr("architectures is \"Deep"));
  Json config = test::tiny_config();
  config["rope_scaling"].erase("factor");
  EXPECT_THAT(invalid_file([&] { parse_config(config); }), HasSubstr("rope_scaling.factor is missing"));
  config = test::tiny_config();
  config["rope_scaling"]["beta_fast"] = 0.5;
  EXPECT_THAT(invalid_file([&] { parse_config(config); }), HasSubstr("rope_scaling.beta_fast"));
}

TEST(Config, NotANumberNamesTheLine) {
  std::string text = test::tiny_config().dump(1);
  text.replace(text.find("\"hc_eps\": 1e-06"), 15, "\"hc_eps\": NaN");
  EXPECT_THAT(invalid_file([&] { Config::parse(text, "config.json"); }),
              AllOf(HasSubstr("config.json: not JSON at line "), HasSubstr("\"hc_eps\": NaN")));
  text.replace(text.find("\"hc_eps\": NaN"), 13, "\"hc_eps\": 1e999");
  EXPECT_THAT(invalid_file([&] { Config::parse(text, "config.json"); }), HasSubstr("config.json"));
}

TEST(Config, OtherModelsAreRefusedByName) {
  const auto refused = [](const char* architecture, const char* type) {
    Json config = test::tiny_config();
    config["architectures"] = {architecture};
    config["model_type"] = type;
    return error_of(ErrorCode::kUnsupported, [&] { parse_config(config); });
  };
  EXPECT_THAT(refused("DeepseekV3ForCausalLM", "deepseek_v3"),
              AllOf(HasSubstr("DeepseekV3ForCausalLM"), HasSubstr("DeepSeek-V4-Flash and -Pro")));
  EXPECT_THAT(refused("DeepseekV41ForCausalLM", "deepseek_v41"), HasSubstr("DeepseekV41ForCausalLM"));
  EXPECT_THAT(refused("DeepseekV4ForCausalLM", "deepseek_v41"), HasSubstr("deepseek_v41"));
  EXPECT_THAT(refused("LlamaForCausalLM", "llama"), HasSubstr("LlamaForCausalLM"));
  EXPECT_THAT(refused("deepseekv4forcausallm", "deepseek_v4"), HasSubstr("deepseekv4forcausallm"));
  Json v3 = {{"architectures", {"DeepseekV3ForCausalLM"}}, {"hidden_size", 7168}};
  error_of(ErrorCode::kUnsupported, [&] { parse_config(v3); });
}

TEST(Config, TheInferenceConfigIsNotTheOne) {
  const Json inference = {{"vocab_size", 129280}, {"dim", 4096}, {"n_layers", 43}};
  EXPECT_THAT(invalid_file([&] { parse_config(inference); }),
              HasSubstr("the config.json beside the released"));
  EXPECT_THAT(invalid_file([&] { parse_config(Json::object()); }), HasSubstr("architectures is missing"));
}

TEST(Config, ADsparkDrafterIsLeftOut) {
  Json config = test::tiny_config();
  config["dspark_block_size"] = 5;
  config["compress_ratios"] = {0, 4, 128, 0, 0, 0};
  const Config c = parse_config(config);
  EXPECT_TRUE(c.dspark);
  EXPECT_EQ(c.mtp_layers(), 0);
  EXPECT_EQ(c.ratio(2), 128);
  config.erase("dspark_block_size");
  EXPECT_THAT(invalid_file([&] { parse_config(config); }), HasSubstr("compress_ratios: 6 entries"));
}

TEST(Config, LoadReadsTheFolder) {
  const TempFolder folder;
  EXPECT_THAT(error_of(ErrorCode::kNotFound, [&] { Config::load(folder.path()); }),
              HasSubstr("no config.json"));
  folder.write("config.json", test::tiny_config().dump());
  EXPECT_EQ(Config::load(folder.path()).hidden_size, 64);
  folder.write("config.json", "");
  EXPECT_THAT(invalid_file([&] { Config::load(folder.path()); }),
              HasSubstr((folder / "config.json").string()));
}

TEST(Config, TheReferenceFolders) {
  const std::filesystem::path shared = HADAL_SOURCE_DIR "/../shared/golden";
  if (!std::filesystem::exists(shared)) GTEST_SKIP() << "the reference checkpoints are not here";
  for (const char* name : {"tiny-f32", "tiny-fp8fp4", "tiny-base", "pro-like", "flash-like", "story"}) {
    const Config c = Config::load(shared / name);
    EXPECT_EQ(c.hc_mult, 4) << name;
    EXPECT_EQ(c.mtp_layers(), 1) << name;
    const GenerationConfig generation = GenerationConfig::load(shared / name);
    EXPECT_EQ(generation.eos_token_ids, std::vector<int64_t>{1});
    EXPECT_EQ(generation.temperature, 1.0);
  }
}

TEST(GenerationConfig, ValuesAndDefaults) {
  const TempFolder folder;
  GenerationConfig c = GenerationConfig::load(folder.path());
  EXPECT_TRUE(c.do_sample);
  EXPECT_EQ(c.top_p, 1.0);
  EXPECT_TRUE(c.eos_token_ids.empty());
  c = GenerationConfig::parse(
      R"({"temperature":0.6,"top_p":0.95,"do_sample":false,"eos_token_id":[1,5],"top_k":20,
                                  "bos_token_id":0,"pad_token_id":2})",
      "g");
  EXPECT_EQ(c.temperature, 0.6);
  EXPECT_EQ(c.top_p, 0.95);
  EXPECT_EQ(c.top_k, 20);
  EXPECT_EQ(c.max_new_tokens, 0);
  EXPECT_EQ(GenerationConfig::parse(R"({"max_new_tokens":7})", "g").max_new_tokens, 7);
  EXPECT_FALSE(c.do_sample);
  EXPECT_EQ(c.eos_token_ids, (std::vector<int64_t>{1, 5}));
  EXPECT_EQ(c.bos_token_id, 0);
  EXPECT_EQ(GenerationConfig::parse(R"({"eos_token_id":3})", "g").eos_token_ids, std::vector<int64_t>{3});
  EXPECT_THAT(invalid_file([] { GenerationConfig::parse(R"({"temperature":"hot"})", "g"); }),
              HasSubstr("g: temperature is \"hot\""));
  EXPECT_THAT(invalid_file([] { GenerationConfig::parse(R"({"top_p":1.5})", "g"); }),
              HasSubstr("top_p is 1.5"));
  EXPECT_THAT(invalid_file([] { GenerationConfig::parse(R"({"eos_token_id":-1})", "g"); }),
              HasSubstr("eos_token_id"));
  EXPECT_THAT(invalid_file([] { GenerationConfig::parse("[]", "g"); }), HasSubstr("a JSON object expected"));
}

}  // namespace
}  // namespace hadal
