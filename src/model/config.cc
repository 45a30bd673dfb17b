// Reads the fields of config.json; what they must have to do with each other is config_check.cc.
#include "model/config.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "model/config_check.h"
#include "model/json_fields.h"

namespace hadal {
namespace {

constexpr size_t kMaxFileBytes = size_t{16} << 20;
constexpr int64_t kMaxWidth = 1 << 17;  // of any projection: 16 times what exists
constexpr const char* kArchitecture = "DeepseekV4ForCausalLM";
constexpr const char* kModelType = "deepseek_v4";

// Only the exact names: deepseek_v41 is another architecture.
void read_identity(Config& config, const JsonFields& fields) {
  const std::string supported = fmt::format(
      "supported are {} / {}: DeepSeek-V4-Flash and -Pro, their Base and later post-trained checkpoints",
      kArchitecture, kModelType);
  if (!fields.has("architectures") && !fields.has("model_type")) {
    if (fields.has("dim") && fields.has("n_layers"))
      fields.contradiction(
          "dim",
          "this is the configuration of the inference code; the config.json beside the released "
          "safetensors files is wanted (hidden_size, num_hidden_layers, ...)");
    fields.wrong("architectures", fmt::format("[\"{}\"]", kArchitecture));
  }
  if (const auto* list = fields.find("architectures")) {
    if (!list->is_array() || list->empty() ||
        !std::all_of(list->begin(), list->end(), [](const auto& entry) { return entry.is_string(); }))
      fields.wrong("architectures", fmt::format("[\"{}\"]", kArchitecture));
    config.architecture = list->front().get<std::string>();
    if (config.architecture != kArchitecture)
      fields.unsupported("architectures", fmt::format("{} is not a model this program runs; {}",
                                                      list->front().dump(), supported));
  }
  config.model_type = fields.text("model_type", kModelType);
  if (config.model_type != kModelType)
    fields.unsupported("model_type", fmt::format("{} is not a model this program runs; {}",
                                                 fields.find("model_type")->dump(), supported));
}

std::optional<RopeScaling> read_rope_scaling(const JsonFields& fields) {
  if (!fields.has("rope_scaling")) return std::nullopt;
  const JsonFields scaling = fields.object("rope_scaling");
  RopeScaling out;
  const char* key = scaling.has("type") ? "type" : "rope_type";
  if (!scaling.has(key)) scaling.wrong("type", "\"yarn\"");
  out.type = scaling.text(key, "");
  if (out.type == "default") return std::nullopt;
  scaling.only(key, "yarn");
  out.factor = scaling.number("factor", 1.0, 1e6);
  out.original_max_position_embeddings =
      scaling.integer("original_max_position_embeddings", 1, int64_t{1} << 40);
  out.beta_fast = scaling.number("beta_fast", 1e-3, 1e6, out.beta_fast);
  out.beta_slow = scaling.number("beta_slow", 1e-3, 1e6, out.beta_slow);
  if (out.beta_fast < out.beta_slow)
    scaling.contradiction("beta_fast", fmt::format("{} is below beta_slow {}", out.beta_fast, out.beta_slow));
  return out;
}

std::optional<QuantizationConfig> read_quantization(const JsonFields& fields) {
  if (!fields.has("quantization_config")) return std::nullopt;
  const JsonFields quantization = fields.object("quantization_config");
  QuantizationConfig out;
  quantization.only("quant_method", out.quant_method);
  quantization.only("fmt", out.fmt);
  quantization.only("activation_scheme", out.activation_scheme);
  quantization.only("scale_fmt", out.scale_fmt);
  if (quantization.has("weight_block_size")) {
    const auto block = quantization.integers("weight_block_size", 1, 1 << 20, false);
    if (block.size() != 2) quantization.wrong("weight_block_size", "[128, 128]");
    if (block[0] != 128 || block[1] != 128)
      quantization.unsupported(
          "weight_block_size",
          fmt::format("[{}, {}] is not supported, only [128, 128] is", block[0], block[1]));
  }
  return out;
}

void read_attention(Config& c, const JsonFields& fields) {
  c.num_attention_heads = static_cast<int>(fields.integer("num_attention_heads", 1, 4096));
  c.num_key_value_heads = static_cast<int>(fields.integer("num_key_value_heads", 1, 4096, 1));
  c.head_dim = fields.integer("head_dim", 2, 4096);
  c.qk_rope_head_dim = fields.integer("qk_rope_head_dim", 2, 4096, c.qk_rope_head_dim);
  c.q_lora_rank = fields.integer("q_lora_rank", 1, kMaxWidth);
  c.o_groups = static_cast<int>(fields.integer("o_groups", 1, 4096));
  c.o_lora_rank = fields.integer("o_lora_rank", 1, kMaxWidth);
  c.sliding_window = fields.integer("sliding_window", 1, 65536, c.sliding_window);
  c.compress_ratios.clear();
  for (const int64_t ratio : fields.integers("compress_ratios", 0, 1 << 20, false))
    c.compress_ratios.push_back(static_cast<int>(ratio));
  const bool indexer = std::count(c.compress_ratios.begin(), c.compress_ratios.end(), 4) > 0;
  if (indexer || fields.has("index_n_heads"))
    c.index_n_heads = static_cast<int>(fields.integer("index_n_heads", 1, 4096));
  if (indexer || fields.has("index_head_dim")) c.index_head_dim = fields.integer("index_head_dim", 1, 4096);
  if (indexer || fields.has("index_topk")) c.index_topk = fields.integer("index_topk", 1, 1 << 20);
  c.rope_theta = fields.number("rope_theta", 1.001, 1e12, c.rope_theta);
  c.compress_rope_theta = fields.number("compress_rope_theta", 1.001, 1e12, c.compress_rope_theta);
  c.rope_scaling = read_rope_scaling(fields);
  c.max_position_embeddings =
      fields.integer("max_position_embeddings", 1, int64_t{1} << 40, c.max_position_embeddings);
  c.attention_bias = fields.boolean("attention_bias", false);
  c.attention_dropout = fields.number("attention_dropout", 0.0, 1.0, 0.0);
}

void read_experts(Config& c, const JsonFields& fields) {
  c.moe_intermediate_size = fields.integer("moe_intermediate_size", 1, kMaxWidth);
  c.n_routed_experts = static_cast<int>(fields.integer("n_routed_experts", 1, 16384));
  c.n_shared_experts = static_cast<int>(fields.integer("n_shared_experts", 0, 16384, 1));
  c.num_experts_per_tok = static_cast<int>(fields.integer("num_experts_per_tok", 1, 16384));
  c.num_hash_layers = static_cast<int>(fields.integer("num_hash_layers", 0, 1024));
  c.routed_scaling_factor = fields.number("routed_scaling_factor", 1e-6, 1e6);
  c.swiglu_limit = fields.number("swiglu_limit", 0.0, 1e30, c.swiglu_limit);
  c.norm_topk_prob = fields.boolean("norm_topk_prob", true);
  fields.only("scoring_func", c.scoring_func);
  fields.only("topk_method", c.topk_method);
  fields.only("hidden_act", c.hidden_act);
  c.expert_dtype = fields.text("expert_dtype", "");
}

}  // namespace

Config Config::parse(std::string_view json_text, const std::string& name) {
  const nlohmann::json document = parse_json_object(json_text, name);
  const JsonFields fields(document, name);
  Config c;
  read_identity(c, fields);
  c.torch_dtype = fields.text("torch_dtype", fields.text("dtype", c.torch_dtype));
  c.vocab_size = fields.integer("vocab_size", 1, 1 << 24);
  c.hidden_size = fields.integer("hidden_size", 1, kMaxWidth);
  c.num_hidden_layers = static_cast<int>(fields.integer("num_hidden_layers", 1, 1024));
  c.num_nextn_predict_layers = static_cast<int>(fields.integer("num_nextn_predict_layers", 0, 16, 0));
  read_attention(c, fields);
  read_experts(c, fields);
  c.hc_mult = static_cast<int>(fields.integer("hc_mult", 1, 8, c.hc_mult));
  c.hc_sinkhorn_iters = static_cast<int>(fields.integer("hc_sinkhorn_iters", 1, 1000, c.hc_sinkhorn_iters));
  c.hc_eps = fields.number("hc_eps", 0.0, 1.0, c.hc_eps);
  c.rms_norm_eps = fields.number("rms_norm_eps", 0.0, 1.0, c.rms_norm_eps);
  c.quantization_config = read_quantization(fields);
  c.tie_word_embeddings = fields.boolean("tie_word_embeddings", false);
  c.bos_token_id = fields.integer("bos_token_id", 0, c.vocab_size - 1, 0);
  if (fields.has("eos_token_id"))
    c.eos_token_ids = fields.integers("eos_token_id", 0, c.vocab_size - 1, true);
  c.initializer_range = fields.number("initializer_range", 0.0, 1e3, c.initializer_range);
  for (const auto& [key, value] : document.items()) c.dspark = c.dspark || key.starts_with("dspark_");
  check_config(c, fields);
  return c;
}

Config Config::load(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored))
    fail(ErrorCode::kNotFound, "{}: there is no config.json, expected a model folder in the released format",
         folder.string());
  Config config = parse(read_text_file(file, kMaxFileBytes), file.string());
  if (config.dspark)
    log_warning("{}: a checkpoint with a DSpark drafter; the model is run without it (mtp.* is not used)",
                file.string());
  return config;
}

int Config::ratio(int layer) const {
  HADAL_CHECK(layer >= 0 && layer <= num_hidden_layers, "layer {} of {}", layer, num_hidden_layers);
  return layer < num_hidden_layers ? compress_ratios[static_cast<size_t>(layer)] : 0;
}

int Config::count_layers(int with_ratio) const {
  return static_cast<int>(
      std::count(compress_ratios.begin(), compress_ratios.begin() + num_hidden_layers, with_ratio));
}

int64_t Config::kv_row_bytes() const {
  const int64_t bytes = nope_dim() + 2 * qk_rope_head_dim + (nope_dim() + 63) / 64;
  return (bytes + 7) / 8 * 8;
}

GenerationConfig GenerationConfig::parse(std::string_view json_text, const std::string& name) {
  const nlohmann::json document = parse_json_object(json_text, name);
  const JsonFields fields(document, name);
  constexpr int64_t kMaxId = std::numeric_limits<int32_t>::max();
  GenerationConfig out;
  out.do_sample = fields.boolean("do_sample", out.do_sample);
  out.temperature = fields.number("temperature", 0.0, 1e3, out.temperature);
  out.top_p = fields.number("top_p", 0.0, 1.0, out.top_p);
  out.top_k = fields.integer("top_k", 0, kMaxId, out.top_k);
  out.max_new_tokens = fields.integer("max_new_tokens", 0, int64_t{1} << 40, out.max_new_tokens);
  out.prompt_generation = fields.text("hadal_prompt_generation", out.prompt_generation);
  if (fields.has("bos_token_id")) out.bos_token_id = fields.integer("bos_token_id", 0, kMaxId);
  if (fields.has("eos_token_id")) out.eos_token_ids = fields.integers("eos_token_id", 0, kMaxId, true);
  return out;
}

GenerationConfig GenerationConfig::load(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "generation_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) return {};
  return parse(read_text_file(file, kMaxFileBytes), file.string());
}

}  // namespace hadal
