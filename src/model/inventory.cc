#include "model/inventory.h"

#include <algorithm>

#include "model/weights_layout.h"

namespace hadal {
namespace {

int64_t blocks(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

class Lister : public WeightVisitor {
 public:
  std::vector<InventoryEntry> entries;

 protected:
  void add_linear(const std::string& name, int64_t out, int64_t in, WeightFormat format) {
    const int64_t n = out * in;
    switch (format) {
      case WeightFormat::kF32:
        add(name + ".weight", DType::kF32, {out, in}, n);
        return;
      case WeightFormat::kBF16:
        add(name + ".weight", DType::kBF16, {out, in}, n);
        return;
      case WeightFormat::kFP8:
        add(name + ".weight", DType::kF8E4M3, {out, in}, n);
        add(name + ".scale", DType::kF8E8M0, {blocks(out, 128), blocks(in, 128)}, 0);
        return;
      case WeightFormat::kFP4:
        add(name + ".weight", DType::kI8, {out, in / 2}, n);
        add(name + ".scale", DType::kF8E8M0, {out, in / 32}, 0);
        return;
    }
  }

  void add_tensor(const std::string& name, const Shape& shape, TensorKind kind, DType dtype) {
    const bool parameter = kind != TensorKind::kTable && !name.ends_with("ffn.gate.bias");
    add(name, dtype, std::vector<int64_t>(shape.dim, shape.dim + shape.rank),
        parameter ? shape.elements() : 0);
  }

 private:
  void add(std::string name, DType dtype, std::vector<int64_t> shape, int64_t parameters) {
    InventoryEntry entry;
    entry.bytes = dtype_bytes(dtype);
    for (const int64_t dim : shape) entry.bytes *= dim;
    entry.dtype = dtype;
    entry.shape = std::move(shape);
    entry.parameters = parameters;
    entry.mtp = name.starts_with("mtp.");
    entry.routed_expert = name.find(".ffn.experts.") != std::string::npos;
    entry.embedding = name == "embed.weight";
    entry.name = std::move(name);
    entries.push_back(std::move(entry));
  }
};

class ReleasedLister : public Lister {
 public:
  explicit ReleasedLister(const Config& config)
      : plain_(config.torch_dtype == "float32" ? WeightFormat::kF32 : WeightFormat::kBF16),
        dense_(config.quantization_config ? WeightFormat::kFP8 : plain_),
        expert_(config.expert_dtype == "fp4"   ? WeightFormat::kFP4
                : config.expert_dtype == "fp8" ? WeightFormat::kFP8
                                               : dense_) {}

  void linear(Weight&, const std::string& name, int64_t out, int64_t in, LinearKind kind) override {
    add_linear(name, out, in,
               kind == LinearKind::kExpert  ? expert_
               : kind == LinearKind::kDense ? dense_
                                            : plain_);
  }
  void tensor(View&, const std::string& name, const Shape& shape, TensorKind kind) override {
    const DType gain = plain_ == WeightFormat::kF32 ? DType::kF32 : DType::kBF16;
    add_tensor(name, shape, kind,
               kind == TensorKind::kGain    ? gain
               : kind == TensorKind::kFloat ? DType::kF32
                                            : DType::kI64);
  }

 private:
  WeightFormat plain_, dense_, expert_;
};

class BoundLister : public Lister {
 public:
  void linear(Weight& weight, const std::string& name, int64_t out, int64_t in, LinearKind) override {
    add_linear(name, out, in, weight.format);
  }
  void tensor(View& view, const std::string& name, const Shape& shape, TensorKind kind) override {
    add_tensor(name, shape, kind, view.dtype);
  }
};

}  // namespace

std::vector<InventoryEntry> inventory(const Config& config) {
  Weights unbound;
  if (config.mtp_layers() > 0) unbound.mtp.emplace();
  ReleasedLister lister(config);
  visit_weights(unbound, config, lister);
  return std::move(lister.entries);
}

std::vector<InventoryEntry> inventory(const Config& config, const Weights& weights) {
  Weights records = weights;  // the visitor asks for places it could fill
  BoundLister lister;
  visit_weights(records, config, lister);
  return std::move(lister.entries);
}

ModelSize model_size(const Config& config, const std::vector<InventoryEntry>& tensors) {
  ModelSize out;
  int64_t expert_parameters = 0, expert_bytes = 0;
  for (const InventoryEntry& entry : tensors) {
    ++out.tensors;
    out.bytes += entry.bytes;
    if (entry.mtp) {
      out.mtp_parameters += entry.parameters;
      continue;
    }
    out.parameters += entry.parameters;
    if (entry.embedding) {
      out.embedding_parameters += entry.parameters;
    } else if (entry.routed_expert) {
      expert_parameters += entry.parameters;
      expert_bytes += entry.bytes;
    } else if (entry.name.ends_with("tid2eid")) {
      out.bytes_per_token += entry.shape[1] * dtype_bytes(entry.dtype);  // one row
    } else {
      out.active_parameters += entry.parameters;
      out.bytes_per_token += entry.bytes;
    }
  }
  // All routed experts have one shape, so the share of those used is exact.
  out.active_parameters += expert_parameters / config.n_routed_experts * config.num_experts_per_tok;
  out.bytes_per_token += expert_bytes / config.n_routed_experts * config.num_experts_per_tok;
  return out;
}

SequenceBytes sequence_bytes(const Config& config, int64_t tokens) {
  SequenceBytes out;
  const int64_t row = config.kv_row_bytes();
  for (int i = 0; i < config.num_hidden_layers; ++i) {
    out.window += std::min(tokens, config.sliding_window) * row;
    const int ratio = config.ratio(i);
    if (ratio == 0) continue;
    (config.has_indexer(i) ? out.csa_rows : out.hca_rows) += tokens / ratio * row;
    if (config.has_indexer(i)) out.index_rows += tokens / ratio * config.index_row_bytes();
  }
  return out;
}

int64_t longest_sequence(const Config& config, int64_t bytes) {
  int64_t fits = 0, too_long = config.max_position_embeddings + 1;
  while (too_long - fits > 1) {
    const int64_t middle = fits + (too_long - fits) / 2;
    (sequence_bytes(config, middle).total() <= bytes ? fits : too_long) = middle;
  }
  return fits;
}

std::string shape_name(const Config& c) {
  const auto is = [&](int64_t hidden, int64_t inner, int layers, int heads, int64_t q_lora, int groups,
                      int experts) {
    return c.hidden_size == hidden && c.moe_intermediate_size == inner && c.num_hidden_layers == layers &&
           c.num_attention_heads == heads && c.q_lora_rank == q_lora && c.o_groups == groups &&
           c.n_routed_experts == experts && c.head_dim == 512 && c.o_lora_rank == 1024 &&
           c.vocab_size == 129280;
  };
  if (is(4096, 2048, 43, 64, 1024, 8, 256)) return "DeepSeek-V4-Flash";
  if (is(7168, 3072, 61, 128, 1536, 16, 384)) return "DeepSeek-V4-Pro";
  return "custom";
}

}  // namespace hadal
