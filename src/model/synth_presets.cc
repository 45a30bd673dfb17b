// Shapes of synthetic checkpoints (spec/model.md sections 1.1 and 1.2).
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "model/synth.h"

namespace hadal {
namespace {

using Json = nlohmann::ordered_json;

// What every released checkpoint has in common.
Json common_config() {
  return {{"architectures", {"DeepseekV4ForCausalLM"}},
          {"model_type", "deepseek_v4"},
          {"attention_bias", false},
          {"attention_dropout", 0.0},
          {"bos_token_id", 0},
          {"eos_token_id", 1},
          {"expert_dtype", "fp4"},
          {"hc_eps", 1e-6},
          {"hc_mult", 4},
          {"hc_sinkhorn_iters", 20},
          {"head_dim", 512},
          {"hidden_act", "silu"},
          {"index_head_dim", 128},
          {"index_n_heads", 64},
          {"initializer_range", 0.02},
          {"max_position_embeddings", 1048576},
          {"n_shared_experts", 1},
          {"norm_topk_prob", true},
          {"num_experts_per_tok", 6},
          {"num_hash_layers", 3},
          {"num_key_value_heads", 1},
          {"num_nextn_predict_layers", 1},
          {"o_lora_rank", 1024},
          {"qk_rope_head_dim", 64},
          {"quantization_config",
           {{"activation_scheme", "dynamic"},
            {"fmt", "e4m3"},
            {"quant_method", "fp8"},
            {"scale_fmt", "ue8m0"},
            {"weight_block_size", {128, 128}}}},
          {"rms_norm_eps", 1e-6},
          {"rope_theta", 10000},
          {"compress_rope_theta", 160000},
          {"rope_scaling",
           {{"beta_fast", 32},
            {"beta_slow", 1},
            {"factor", 16},
            {"original_max_position_embeddings", 65536},
            {"type", "yarn"}}},
          {"scoring_func", "sqrtsoftplus"},
          {"sliding_window", 128},
          {"swiglu_limit", 10.0},
          {"tie_word_embeddings", false},
          {"topk_method", "noaux_tc"},
          {"torch_dtype", "bfloat16"},
          {"vocab_size", 129280}};
}

// first, then `pairs` times 4, 128, then 4 and the draft block's 0.
std::vector<int> alternating(std::vector<int> first, int pairs) {
  for (int i = 0; i < pairs; ++i) first.insert(first.end(), {4, 128});
  first.insert(first.end(), {4, 0});
  return first;
}

Json flash_config() {
  Json c = common_config();
  c.update({{"hidden_size", 4096},
            {"moe_intermediate_size", 2048},
            {"num_attention_heads", 64},
            {"q_lora_rank", 1024},
            {"o_groups", 8},
            {"n_routed_experts", 256},
            {"routed_scaling_factor", 1.5},
            {"index_topk", 512},
            {"compress_ratios", alternating({0, 0}, 20)}});
  return c;
}

Json pro_config() {
  Json c = common_config();
  c.update({{"hidden_size", 7168},
            {"moe_intermediate_size", 3072},
            {"num_attention_heads", 128},
            {"q_lora_rank", 1536},
            {"o_groups", 16},
            {"n_routed_experts", 384},
            {"routed_scaling_factor", 2.5},
            {"index_topk", 1024},
            {"compress_ratios", alternating({128, 128}, 29)}});
  return c;
}

// The rows of the state have their real sizes (584 and 68 bytes), everything else is small.
Json long_config() {
  Json c = common_config();
  c.update({{"vocab_size", 320},
            {"hidden_size", 256},
            {"moe_intermediate_size", 128},
            {"num_attention_heads", 2},
            {"q_lora_rank", 128},
            {"o_groups", 2},
            {"o_lora_rank", 64},
            {"n_routed_experts", 4},
            {"num_experts_per_tok", 2},
            {"routed_scaling_factor", 1.5},
            {"index_n_heads", 1},
            {"index_topk", 512},
            {"num_hash_layers", 1},
            {"num_nextn_predict_layers", 0},
            {"compress_ratios", {0, 4, 128, 4}}});
  return c;
}

// Every kind of layer in under a megabyte.
Json tiny_config() {
  Json c = long_config();
  c.update({{"hidden_size", 64},
            {"moe_intermediate_size", 64},
            {"head_dim", 128},
            {"q_lora_rank", 64},
            {"o_lora_rank", 32},
            {"index_n_heads", 2},
            {"index_head_dim", 64},
            {"index_topk", 16},
            {"num_nextn_predict_layers", 1},
            {"compress_ratios", {0, 4, 128, 0}}});
  return c;
}

}  // namespace

const std::vector<SynthPreset>& synth_presets() {
  static const std::vector<SynthPreset> presets = {
      {"v4-flash", "DeepSeek-V4-Flash (160 GB with all 43 layers and 256 experts)"},
      {"v4-pro", "DeepSeek-V4-Pro (865 GB with all 61 layers and 384 experts)"},
      {"long", "real state rows, small otherwise: a million tokens in reach of a small machine"},
      {"tiny", "every kind of layer in under a megabyte"}};
  return presets;
}

std::string synth_config(const std::string& preset, int layers, int experts) {
  Json config;
  if (preset == "v4-flash") config = flash_config();
  if (preset == "v4-pro") config = pro_config();
  if (preset == "long") config = long_config();
  if (preset == "tiny") config = tiny_config();
  if (config.is_null()) {
    std::string names;
    for (const SynthPreset& known : synth_presets())
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    fail(ErrorCode::kInvalidInput, "no preset '{}': expected one of {}", preset, names);
  }
  auto ratios = config["compress_ratios"].get<std::vector<int>>();
  const int drafters = config["num_nextn_predict_layers"].get<int>();
  const int all = static_cast<int>(ratios.size()) - drafters;
  if (layers < 0 || layers > all) fail(ErrorCode::kInvalidInput, "{} layers: {} has {}", layers, preset, all);
  if (layers == 0) layers = all;
  ratios.erase(ratios.begin() + layers, ratios.begin() + all);
  config["compress_ratios"] = ratios;
  config["num_hidden_layers"] = layers;
  config["num_hash_layers"] = std::min(layers, config["num_hash_layers"].get<int>());
  constexpr int kMostExperts = 16384;
  if (experts < 0 || experts > kMostExperts)
    fail(ErrorCode::kInvalidInput, "{} experts: expected 1 to {}", experts, kMostExperts);
  if (experts > 0) config["n_routed_experts"] = experts;
  config["num_experts_per_tok"] =
      std::min(config["num_experts_per_tok"].get<int>(), config["n_routed_experts"].get<int>());
  return config.dump(1) + "\n";
}

}  // namespace hadal
