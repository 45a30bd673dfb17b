#include "model/weights_layout.h"

#include "base/check.h"

namespace hadal {
namespace {

// Names of one layer, sizes of the config and the visitor, to keep the lists below readable.
class Layout {
 public:
  Layout(const Config& config, WeightVisitor& visitor) : c_(config), visitor_(visitor) {}

  void global(Weights& w) {
    linear(w.embed, "embed", c_.vocab_size, c_.hidden_size, LinearKind::kTable);
    gain(w.norm, "norm.weight", c_.hidden_size);
    linear(w.head, "head", c_.vocab_size, c_.hidden_size, LinearKind::kTable);
    hc_head(w.hc_head);
  }

  void layer(LayerWeights& w, int index) {
    prefix_ = layer_prefix(c_, index);
    gain(w.attn_norm, "attn_norm.weight", c_.hidden_size);
    gain(w.ffn_norm, "ffn_norm.weight", c_.hidden_size);
    hyper_connection(w.hc_attn, "hc_attn_");
    hyper_connection(w.hc_ffn, "hc_ffn_");
    attention(w.attn, index);
    moe(w.ffn, index);
    prefix_.clear();
  }

  void mtp(MtpWeights& w) {
    layer(w.layer, c_.num_hidden_layers);
    prefix_ = layer_prefix(c_, c_.num_hidden_layers);
    linear(w.e_proj, "e_proj", c_.hidden_size, c_.hidden_size, LinearKind::kDense);
    linear(w.h_proj, "h_proj", c_.hidden_size, c_.hidden_size, LinearKind::kDense);
    gain(w.enorm, "enorm.weight", c_.hidden_size);
    gain(w.hnorm, "hnorm.weight", c_.hidden_size);
    gain(w.norm, "norm.weight", c_.hidden_size);
    hc_head(w.hc_head);
    prefix_.clear();
  }

 private:
  void linear(Weight& w, const std::string& name, int64_t out, int64_t in, LinearKind kind) {
    visitor_.linear(w, prefix_ + name, out, in, kind);
  }
  void gain(View& v, const std::string& name, int64_t n) {
    visitor_.tensor(v, prefix_ + name, {n}, TensorKind::kGain);
  }
  void floats(View& v, const std::string& name, const Shape& shape) {
    visitor_.tensor(v, prefix_ + name, shape, TensorKind::kFloat);
  }

  void hc_head(HcHeadWeights& w) {
    floats(w.fn, "hc_head_fn", {c_.hc_mult, c_.hc_dim()});
    floats(w.base, "hc_head_base", {c_.hc_mult});
    floats(w.scale, "hc_head_scale", {1});
  }

  void hyper_connection(HcWeights& w, const std::string& name) {
    floats(w.fn, name + "fn", {c_.hc_mix_rows(), c_.hc_dim()});
    floats(w.base, name + "base", {c_.hc_mix_rows()});
    floats(w.scale, name + "scale", {3});
  }

  void attention(AttentionWeights& w, int index) {
    floats(w.attn_sink, "attn.attn_sink", {c_.num_attention_heads});
    linear(w.wq_a, "attn.wq_a", c_.q_lora_rank, c_.hidden_size, LinearKind::kDense);
    gain(w.q_norm, "attn.q_norm.weight", c_.q_lora_rank);
    linear(w.wq_b, "attn.wq_b", c_.q_dim(), c_.q_lora_rank, LinearKind::kDense);
    linear(w.wkv, "attn.wkv", c_.head_dim, c_.hidden_size, LinearKind::kDense);
    gain(w.kv_norm, "attn.kv_norm.weight", c_.head_dim);
    linear(w.wo_a, "attn.wo_a", c_.o_groups * c_.o_lora_rank, c_.group_dim(), LinearKind::kDense);
    linear(w.wo_b, "attn.wo_b", c_.hidden_size, c_.o_groups * c_.o_lora_rank, LinearKind::kDense);
    if (c_.has_compressor(index)) {
      if (!w.compressor) w.compressor.emplace();
      compressor(*w.compressor, "attn.compressor.", c_.head_dim, index);
    }
    if (c_.has_indexer(index)) {
      if (!w.indexer) w.indexer.emplace();
      linear(w.indexer->wq_b, "attn.indexer.wq_b", c_.index_n_heads * c_.index_head_dim, c_.q_lora_rank,
             LinearKind::kDense);
      linear(w.indexer->weights_proj, "attn.indexer.weights_proj", c_.index_n_heads, c_.hidden_size,
             LinearKind::kPlain);
      compressor(w.indexer->compressor, "attn.indexer.compressor.", c_.index_head_dim, index);
    }
  }

  void compressor(CompressorWeights& w, const std::string& name, int64_t dim, int index) {
    const int64_t channels = c_.compressor_width(index) * dim;
    floats(w.ape, name + "ape", {c_.ratio(index), channels});
    linear(w.wkv, name + "wkv", channels, c_.hidden_size, LinearKind::kPlain);
    linear(w.wgate, name + "wgate", channels, c_.hidden_size, LinearKind::kPlain);
    gain(w.norm, name + "norm.weight", dim);
  }

  void moe(MoeWeights& w, int index) {
    linear(w.gate, "ffn.gate", c_.n_routed_experts, c_.hidden_size, LinearKind::kPlain);
    if (c_.is_hash_layer(index))
      visitor_.tensor(w.tid2eid, prefix_ + "ffn.gate.tid2eid", {c_.vocab_size, c_.num_experts_per_tok},
                      TensorKind::kTable);
    else
      floats(w.bias, "ffn.gate.bias", {c_.n_routed_experts});
    expert(w.shared, "ffn.shared_experts", LinearKind::kDense);
    w.experts.resize(static_cast<size_t>(c_.n_routed_experts));
    for (size_t e = 0; e < w.experts.size(); ++e)
      expert(w.experts[e], "ffn.experts." + std::to_string(e), LinearKind::kExpert);
  }

  void expert(ExpertWeights& w, const std::string& name, LinearKind kind) {
    linear(w.w1, name + ".w1", c_.moe_intermediate_size, c_.hidden_size, kind);
    linear(w.w2, name + ".w2", c_.hidden_size, c_.moe_intermediate_size, kind);
    linear(w.w3, name + ".w3", c_.moe_intermediate_size, c_.hidden_size, kind);
  }

  const Config& c_;
  WeightVisitor& visitor_;
  std::string prefix_;
};

}  // namespace

std::string layer_prefix(const Config& config, int layer) {
  HADAL_CHECK(layer >= 0 && layer <= config.num_hidden_layers);
  return layer == config.num_hidden_layers ? "mtp.0." : "layers." + std::to_string(layer) + ".";
}

void visit_weights(Weights& weights, const Config& config, WeightVisitor& visitor) {
  Layout layout(config, visitor);
  layout.global(weights);
  weights.layers.resize(static_cast<size_t>(config.num_hidden_layers));
  for (int i = 0; i < config.num_hidden_layers; ++i) layout.layer(weights.layers[static_cast<size_t>(i)], i);
  if (weights.mtp) layout.mtp(*weights.mtp);
}

}  // namespace hadal
