// Configurations and checkpoints made up for tests: the released sizes, and tiny ones whose tensors can be
// spoilt.
#pragma once

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "checkpoint/writer.h"
#include "model/config.h"
#include "model/inventory.h"
#include "support/files.h"

namespace hadal::test {

using Json = nlohmann::json;

// What Flash and Pro have in common.
inline Json released_config() {
  return Json::parse(R"({
    "architectures": ["DeepseekV4ForCausalLM"], "model_type": "deepseek_v4", "attention_bias": false,
    "attention_dropout": 0.0, "bos_token_id": 0, "eos_token_id": 1, "expert_dtype": "fp4", "hc_eps": 1e-06,
    "hc_mult": 4, "hc_sinkhorn_iters": 20, "head_dim": 512, "hidden_act": "silu", "index_head_dim": 128,
    "index_n_heads": 64, "initializer_range": 0.02, "max_position_embeddings": 1048576, "n_shared_experts": 1,
    "norm_topk_prob": true, "num_experts_per_tok": 6, "num_hash_layers": 3, "num_key_value_heads": 1,
    "num_nextn_predict_layers": 1, "o_lora_rank": 1024, "qk_rope_head_dim": 64,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "scale_fmt": "ue8m0", "weight_block_size": [128, 128]},
    "rms_norm_eps": 1e-06, "rope_theta": 10000, "compress_rope_theta": 160000, "scoring_func": "sqrtsoftplus",
    "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 16, "original_max_position_embeddings": 65536,
                     "type": "yarn"},
    "sliding_window": 128, "swiglu_limit": 10.0, "tie_word_embeddings": false, "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 129280})");
}

inline Json flash_config() {
  Json c = released_config();
  c.update({{"hidden_size", 4096},
            {"moe_intermediate_size", 2048},
            {"num_hidden_layers", 43},
            {"num_attention_heads", 64},
            {"q_lora_rank", 1024},
            {"o_groups", 8},
            {"n_routed_experts", 256},
            {"routed_scaling_factor", 1.5},
            {"index_topk", 512}});
  std::vector<int> ratios = {0, 0};
  for (int i = 0; i < 20; ++i) ratios.insert(ratios.end(), {4, 128});
  ratios.insert(ratios.end(), {4, 0});
  c["compress_ratios"] = ratios;
  return c;
}

inline Json pro_config() {
  Json c = released_config();
  c.update({{"hidden_size", 7168},
            {"moe_intermediate_size", 3072},
            {"num_hidden_layers", 61},
            {"num_attention_heads", 128},
            {"q_lora_rank", 1536},
            {"o_groups", 16},
            {"n_routed_experts", 384},
            {"routed_scaling_factor", 2.5},
            {"index_topk", 1024}});
  std::vector<int> ratios = {128, 128};
  for (int i = 0; i < 29; ++i) ratios.insert(ratios.end(), {4, 128});
  ratios.insert(ratios.end(), {4, 0});
  c["compress_ratios"] = ratios;
  return c;
}

// A model of a few hundred kilobytes with every kind of layer: ratio 0 and hash routed, 4, 128, and a draft
// block.
inline Json tiny_config() {
  Json c = released_config();
  c.update({{"vocab_size", 50},
            {"hidden_size", 64},
            {"moe_intermediate_size", 32},
            {"num_hidden_layers", 3},
            {"num_hash_layers", 1},
            {"num_attention_heads", 4},
            {"head_dim", 128},
            {"q_lora_rank", 32},
            {"o_groups", 2},
            {"o_lora_rank", 16},
            {"n_routed_experts", 4},
            {"num_experts_per_tok", 2},
            {"routed_scaling_factor", 1.5},
            {"index_n_heads", 2},
            {"index_head_dim", 64},
            {"index_topk", 8},
            {"sliding_window", 8},
            {"compress_ratios", {0, 4, 128, 0}}});
  return c;
}

inline Config parse_config(const Json& json) {
  return Config::parse(json.dump(), "config.json");
}

// One tensor of a synthetic checkpoint, open to change before it is written.
struct SyntheticTensor {
  TensorSpec spec;
  std::string bytes;
};
using Tensors = std::map<std::string, SyntheticTensor>;

// All tensors of a config with harmless values: small integers' bytes in the weights, scales of 2^-7, valid
// expert ids.
inline Tensors synthetic_tensors(const Config& config) {
  Tensors out;
  uint32_t state = 1;
  for (const InventoryEntry& entry : inventory(config)) {
    SyntheticTensor tensor{{entry.name, entry.dtype, entry.shape},
                           std::string(static_cast<size_t>(entry.bytes), '\0')};
    if (entry.dtype == DType::kI64) {
      std::vector<int64_t> ids(tensor.bytes.size() / 8);
      for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i) % config.n_routed_experts;
      std::memcpy(tensor.bytes.data(), ids.data(), tensor.bytes.size());
    } else if (entry.dtype == DType::kF8E8M0) {
      tensor.bytes.assign(tensor.bytes.size(), static_cast<char>(120));
    } else {
      for (char& byte : tensor.bytes) {
        state = state * 1664525u + 1013904223u;
        byte = static_cast<char>((state >> 24) & 0x3f);  // small positive in every format
      }
    }
    out.emplace(entry.name, std::move(tensor));
  }
  return out;
}

// Without the writer's fsync: some tests write hundreds of files. Aligned as the writer does it.
inline void write_tensors(const std::filesystem::path& file, const Tensors& tensors) {
  Json header = Json::object();
  std::string data;
  for (const int size : {8, 4, 2, 1})
    for (const auto& [name, tensor] : tensors) {
      if (dtype_bytes(tensor.spec.dtype) != size) continue;
      const size_t end = data.size() + tensor.bytes.size();
      header[tensor.spec.name] = {{"dtype", dtype_name(tensor.spec.dtype)},
                                  {"shape", tensor.spec.shape},
                                  {"data_offsets", {data.size(), end}}};
      data += tensor.bytes;
    }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  std::ofstream(file, std::ios::binary) << safetensors_bytes(text, 0) << data;
}

// config.json and model.safetensors in a folder.
inline void write_model(const TempFolder& folder, const Json& config, const Tensors& tensors) {
  folder.write("config.json", config.dump(1));
  write_tensors(folder / "model.safetensors", tensors);
}

}  // namespace hadal::test
