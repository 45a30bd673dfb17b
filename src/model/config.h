// What a checkpoint's config.json says (spec/model.md section 1.1): every hyper-parameter, checked. A Config
// that came out of load() or parse() is free of contradictions, so nothing behind it has to ask again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hadal {

// YaRN (spec 4.5); used by the layers with a compressor only.
struct RopeScaling {
  std::string type = "yarn";
  double factor = 16.0;
  int64_t original_max_position_embeddings = 65536;
  double beta_fast = 32.0;
  double beta_slow = 1.0;
};

// How the dense linears are stored. Informative: the tensors of the file say what is decoded.
struct QuantizationConfig {
  std::string quant_method = "fp8";
  std::string fmt = "e4m3";
  std::string activation_scheme = "dynamic";
  std::string scale_fmt = "ue8m0";
  int weight_block_size[2] = {128, 128};
};

// A value type; members are named and spelled as in config.json. Defaults are what an absent key means; keys
// without one (the sizes, routed_scaling_factor, num_hash_layers, compress_ratios) are required.
struct Config {
  std::string architecture = "DeepseekV4ForCausalLM";  // architectures[0]
  std::string model_type = "deepseek_v4";
  std::string torch_dtype = "bfloat16";

  int64_t vocab_size = 0;
  int64_t hidden_size = 0;            // D
  int64_t moe_intermediate_size = 0;  // I
  int num_hidden_layers = 0;          // L
  int num_hash_layers = 0;            // the first layers, routed by token id
  int num_nextn_predict_layers = 0;   // as written; see mtp_layers()

  int num_attention_heads = 0;  // H
  int num_key_value_heads = 1;
  int64_t head_dim = 0;           // dh
  int64_t qk_rope_head_dim = 64;  // dr, the last ones of a head
  int64_t q_lora_rank = 0;
  int o_groups = 0;
  int64_t o_lora_rank = 0;  // of one group
  int64_t sliding_window = 128;

  int n_routed_experts = 0;  // E
  int n_shared_experts = 1;
  int num_experts_per_tok = 0;  // K
  std::string scoring_func = "sqrtsoftplus";
  std::string topk_method = "noaux_tc";
  bool norm_topk_prob = true;
  double routed_scaling_factor = 0.0;
  double swiglu_limit = 10.0;  // 0: no clamp
  std::string hidden_act = "silu";

  int index_n_heads = 0;       // required when a layer has ratio 4
  int64_t index_head_dim = 0;  // required when a layer has ratio 4
  int64_t index_topk = 0;      // required when a layer has ratio 4

  int hc_mult = 4;  // M, copies of the residual stream
  int hc_sinkhorn_iters = 20;
  double hc_eps = 1e-6;
  double rms_norm_eps = 1e-6;

  double rope_theta = 10000.0;
  double compress_rope_theta = 160000.0;
  std::optional<RopeScaling> rope_scaling;  // none: no YaRN
  int64_t max_position_embeddings = 1048576;

  std::vector<int> compress_ratios;  // L entries, then those of the drafter if the file lists them

  std::string expert_dtype;  // "fp4", "fp8"; empty when absent (Base: FP8 experts)
  std::optional<QuantizationConfig> quantization_config;  // none: an unquantised checkpoint

  bool tie_word_embeddings = false;
  bool attention_bias = false;
  double attention_dropout = 0.0;
  int64_t bos_token_id = 0;
  std::vector<int64_t> eos_token_ids = {1};  // config.json: eos_token_id, a number or a list
  double initializer_range = 0.02;

  // True for a checkpoint whose mtp.* tensors are a DSpark drafter (dspark_* keys): the backbone is run
  // without it.
  bool dspark = false;

  // Reads folder/config.json. Throws Error: kNotFound, kInvalidFile (names the field, what was found, what is
  // expected), kUnsupported (a model or a setting this program does not run). Logs a warning for a DSpark
  // checkpoint.
  static Config load(const std::filesystem::path& folder);
  // The same for text; name stands for the file in messages.
  static Config parse(std::string_view json_text, const std::string& name);

  // layer: 0 .. num_hidden_layers - 1 for the backbone, num_hidden_layers for the MTP block (always 0).
  int ratio(int layer) const;
  bool has_compressor(int layer) const { return ratio(layer) != 0; }
  bool has_indexer(int layer) const { return ratio(layer) == 4; }
  bool is_hash_layer(int layer) const { return layer < num_hash_layers; }
  // Layers whose compressor overlaps (ratio 4) project 2 * head_dim channels.
  int compressor_width(int layer) const { return ratio(layer) == 4 ? 2 : 1; }  // c
  int count_layers(int with_ratio) const;                                      // of the backbone

  // MTP blocks this program can run: 0 or 1.
  int mtp_layers() const { return dspark ? 0 : num_nextn_predict_layers; }

  int64_t nope_dim() const { return head_dim - qk_rope_head_dim; }  // dn
  int64_t q_dim() const { return num_attention_heads * head_dim; }  // H * dh
  int64_t group_dim() const {
    return q_dim() / (o_groups == 0 ? 1 : o_groups);
  }  // inputs of one group of wo_a
  int64_t hc_dim() const { return hc_mult * hidden_size; }  // M * D
  int64_t hc_mix_rows() const {
    return static_cast<int64_t>(hc_mult) * (2 + hc_mult);
  }  // 24: pre, post, comb

  // Packed bytes of a row of the window or of the compressed cache (spec 10.1): e4m3 non-rotary part, bf16
  // rotary part, one E8M0 scale for 64 values, rounded up to 8. 584 for 512/64.
  int64_t kv_row_bytes() const;
  // Packed bytes of an index row: e2m1 values and one E8M0 scale for 32 of them. 68 for 128; 0 without an
  // indexer.
  int64_t index_row_bytes() const { return index_head_dim / 2 + index_head_dim / 32; }
};

// generation_config.json: what to do when the user does not say. Absent file or field: these values.
struct GenerationConfig {
  bool do_sample = true;
  double temperature = 1.0;
  double top_p = 1.0;
  int64_t top_k = 0;           // 0: off
  int64_t max_new_tokens = 0;  // 0: not said
  std::optional<int64_t> bos_token_id;
  std::vector<int64_t> eos_token_ids;  // empty: as config.json says
  // Hadal's own key: which prompt format the checkpoint was trained with (api.md A1), by name; empty: not
  // said.
  std::string prompt_generation;

  // Throws Error(kInvalidFile) for a file that is there and wrong.
  static GenerationConfig load(const std::filesystem::path& folder);
  static GenerationConfig parse(std::string_view json_text, const std::string& name);
};

}  // namespace hadal
