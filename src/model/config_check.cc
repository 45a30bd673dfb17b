#include "model/config_check.h"

#include <bit>

#include "base/error.h"

namespace hadal {
namespace {

void check_ratios(const Config& c, const JsonFields& fields) {
  const auto entries = static_cast<int>(c.compress_ratios.size());
  const int layers = c.num_hidden_layers, drafters = c.num_nextn_predict_layers;
  constexpr int kDsparkStages = 3;
  if (entries != layers && entries != layers + drafters && !(c.dspark && entries == layers + kDsparkStages))
    fields.contradiction(
        "compress_ratios",
        fmt::format("{} entries, expected num_hidden_layers ({}) of them, and num_nextn_predict_layers "
                    "({}) more if the drafter is listed{}",
                    entries, layers, drafters, c.dspark ? ", or 3 more for a DSpark drafter" : ""));
  for (int i = 0; i < entries; ++i) {
    const int ratio = c.compress_ratios[static_cast<size_t>(i)];
    if (i >= layers && ratio != 0)
      fields.unsupported("compress_ratios",
                         fmt::format("entry {} is {}, but the drafter's layers have no compressor: "
                                     "expected 0",
                                     i, ratio));
    if (ratio != 0 && ratio != 4 && !(ratio > 4 && 128 % ratio == 0))
      fields.unsupported("compress_ratios",
                         fmt::format("entry {} is {}, expected 0, 4, 8, 16, 32, 64 or 128", i, ratio));
  }
  if (drafters > 1 && !c.dspark)
    fields.unsupported("num_nextn_predict_layers",
                       fmt::format("{} is not supported, only 0 and 1 are", drafters));
}

void check_attention(const Config& c, const JsonFields& fields) {
  if (c.num_key_value_heads != 1)
    fields.unsupported("num_key_value_heads",
                       fmt::format("{} is not supported, the heads of this model share one "
                                   "row: expected 1",
                                   c.num_key_value_heads));
  if (c.qk_rope_head_dim % 2 != 0 || c.qk_rope_head_dim > c.head_dim)
    fields.wrong("qk_rope_head_dim", fmt::format("an even number, at most head_dim ({})", c.head_dim));
  if (c.nope_dim() % 64 != 0)
    fields.contradiction(
        "head_dim", fmt::format("{} less qk_rope_head_dim {} leaves {}, expected a multiple of 64 (rows are "
                                "quantised in blocks of 64)",
                                c.head_dim, c.qk_rope_head_dim, c.nope_dim()));
  if (c.num_attention_heads % c.o_groups != 0)
    fields.contradiction("o_groups", fmt::format("{} does not divide num_attention_heads ({})", c.o_groups,
                                                 c.num_attention_heads));
  if (c.index_head_dim != 0) {
    const auto dim = static_cast<uint64_t>(c.index_head_dim);
    if (!std::has_single_bit(dim) || dim < 32 || dim > 1024 || c.index_head_dim < c.qk_rope_head_dim)
      fields.wrong("index_head_dim",
                   fmt::format("a power of two from 32 to 1024 (it is Hadamard transformed), at least "
                               "qk_rope_head_dim ({})",
                               c.qk_rope_head_dim));
  }
  if (c.attention_bias)
    fields.unsupported("attention_bias", "true is not supported, no linear of this model has a bias");
}

void check_experts(const Config& c, const JsonFields& fields) {
  if (c.num_hash_layers > c.num_hidden_layers)
    fields.contradiction("num_hash_layers", fmt::format("{} is more than num_hidden_layers ({})",
                                                        c.num_hash_layers, c.num_hidden_layers));
  if (c.num_experts_per_tok > c.n_routed_experts)
    fields.contradiction("num_experts_per_tok", fmt::format("{} is more than n_routed_experts ({})",
                                                            c.num_experts_per_tok, c.n_routed_experts));
  if (c.n_shared_experts != 1)
    fields.unsupported("n_shared_experts", fmt::format("{} is not supported, only 1 is", c.n_shared_experts));
  if (!c.norm_topk_prob)
    fields.unsupported("norm_topk_prob", "false is not supported, the weights are always normalised");
  if (!c.expert_dtype.empty() && c.expert_dtype != "fp4" && c.expert_dtype != "fp8")
    fields.unsupported(
        "expert_dtype",
        fmt::format("\"{}\" is not supported, expected \"fp4\", \"fp8\" or no such key", c.expert_dtype));
  if (c.hidden_size % 32 != 0) fields.wrong("hidden_size", "a multiple of 32");
  if (c.expert_dtype == "fp4" && c.moe_intermediate_size % 32 != 0)
    fields.wrong("moe_intermediate_size", "a multiple of 32 (FP4 experts are scaled in blocks of 32)");
  for (const char* key : {"n_group", "topk_group"})
    if (fields.integer(key, 0, 1 << 20, 1) > 1)
      fields.unsupported(key, "more than 1 is not supported, this model has no group-limited routing");
}

}  // namespace

void check_config(const Config& c, const JsonFields& fields) {
  check_ratios(c, fields);
  check_attention(c, fields);
  check_experts(c, fields);
  if (c.tie_word_embeddings)
    fields.unsupported("tie_word_embeddings",
                       "true is not supported, the model has a head.weight of its own");
  // Every single size is bounded; together they must stay far from what 64-bit byte counts hold.
  const double experts = 3.0 * static_cast<double>(c.moe_intermediate_size) *
                         static_cast<double>(c.hidden_size) * c.n_routed_experts *
                         (c.num_hidden_layers + 1.0);
  const double dense =
      (static_cast<double>(c.q_lora_rank) + static_cast<double>(c.o_lora_rank) * c.o_groups) *
      (static_cast<double>(c.hidden_size) + static_cast<double>(c.q_dim())) * (c.num_hidden_layers + 1.0);
  constexpr double kMostParameters = 0x1p50;
  if (experts + dense > kMostParameters)
    fields.contradiction("hidden_size",
                         fmt::format("with {} layers of {} experts of {} the sizes multiply to more than "
                                     "2^50 parameters",
                                     c.num_hidden_layers, c.n_routed_experts, c.moe_intermediate_size));
}

}  // namespace hadal
