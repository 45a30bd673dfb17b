// The weights of a model by name, as they lie in the mapped checkpoint: views and Weight records, nothing
// copied. Shapes of spec/model.md sections 2.3 to 2.5; D hidden_size, H heads, dh head_dim, M hc_mult, E
// experts, K experts a token, I moe_intermediate_size, r ratio of the layer, c = 2 for r = 4 and 1 otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/config.h"
#include "ops/args.h"
#include "tensor/storage.h"
#include "tensor/weight.h"

namespace hadal {

// d: head_dim of the main compressor, index_head_dim of the indexer's.
struct CompressorWeights {
  View ape;           // F32 [r, c * d]
  Weight wkv, wgate;  // [c * d, D]
  View norm;          // [d]
};

struct IndexerWeights {
  Weight wq_b;                   // [index_n_heads * index_head_dim, q_lora_rank]
  Weight weights_proj;           // [index_n_heads, D]
  CompressorWeights compressor;  // d = index_head_dim
};

struct AttentionWeights {
  Weight wq_a;     // [q_lora_rank, D]
  Weight wq_b;     // [H * dh, q_lora_rank]
  Weight wkv;      // [dh, D]
  Weight wo_a;     // [o_groups * o_lora_rank, H * dh / o_groups]
  Weight wo_b;     // [D, o_groups * o_lora_rank]
  View q_norm;     // [q_lora_rank]
  View kv_norm;    // [dh]
  View attn_sink;  // F32 [H]
  std::optional<CompressorWeights> compressor;
  std::optional<IndexerWeights> indexer;
};

struct HcWeights {
  View fn;     // F32 [(2 + M) * M, M * D]: rows pre, post, comb
  View base;   // F32 [(2 + M) * M]
  View scale;  // F32 [3]
};

struct MoeWeights {
  Weight gate;                         // [E, D]
  View bias;                           // F32 [E]; empty for hash layers
  View tid2eid;                        // I64 [vocab, K]; empty otherwise
  std::vector<ExpertWeights> experts;  // E
  ExpertWeights shared;
};

struct LayerWeights {
  View attn_norm, ffn_norm;  // [D]
  HcWeights hc_attn, hc_ffn;
  AttentionWeights attn;
  MoeWeights ffn;
};

struct HcHeadWeights {
  View fn;     // F32 [M, M * D]
  View base;   // F32 [M]
  View scale;  // F32 [1]
};

struct MtpWeights {
  LayerWeights layer;       // ratio 0, score routed
  Weight e_proj, h_proj;    // [D, D]
  View enorm, hnorm, norm;  // [D]
  HcHeadWeights hc_head;
};

class ExpertValidator;

// Norm gains are BF16 or F32. Any linear is F32, BF16 or FP8, routed experts may be FP4 too, embed and head
// are F32 or BF16. Safe to read from any number of threads. Copies share the checkpoint and the record of
// what was validated.
struct Weights {
  std::shared_ptr<const Checkpoint> source;  // keeps the mappings alive
  Weight embed, head;                        // [vocab, D]
  View norm;                                 // [D]
  HcHeadWeights hc_head;
  std::vector<LayerWeights> layers;
  std::optional<MtpWeights> mtp;  // none when the checkpoint has no block this program runs
  std::shared_ptr<ExpertValidator> experts;
  std::vector<std::shared_ptr<const Storage>> realigned;  // see load()

  // Finds every tensor the config asks for and checks dtype and shape; then checks the values of the dense
  // scales and of tid2eid, and those of the expert scales when they are at most kEagerScaleBytes together.
  // Throws Error(kInvalidFile) naming file and tensor, what was found and what is expected. A tensor that its
  // file puts at an address its type cannot have (published files never do) is copied to memory.
  static Weights load(std::shared_ptr<const Checkpoint> checkpoint, const Config& config);

  // Like load, without reading a single value: only headers are touched (inspect).
  static Weights bind(std::shared_ptr<const Checkpoint> checkpoint, const Config& config);

  static constexpr int64_t kEagerScaleBytes = int64_t{512} << 20;
};

// Values that no kernel could run: a scale that is NaN (255) or whose weights would leave the normal bf16
// range (FP4: bytes 2 to 252 are fine, FP8: 10 to 246), expert ids outside [0, E). Throw Error(kInvalidFile)
// naming file, tensor and position. config is the one the weights were loaded with. Everything but the scales
// of routed experts.
void validate_dense_values(const Weights& weights, const Config& config);
// All of it, reading every scale of the file.
void validate_values(const Weights& weights, const Config& config);

// The scales of routed experts are gigabytes in the large models, so there they are checked when an expert is
// first used. check() is thread-safe and costs one load after the first call for an expert.
class ExpertValidator {
 public:
  // all_checked: load() has looked at every expert.
  ExpertValidator(const Config& config, bool all_checked);
  // layer: as in Config::ratio. weights: those this belongs to. Throws Error(kInvalidFile) for an expert with
  // bad scales, each time.
  void check(const Weights& weights, int layer, int expert);

 private:
  std::vector<std::string> prefixes_;  // of tensor names, by layer
  int experts_;
  std::vector<std::atomic<bool>>
      checked_;  // [layers + 1, experts]; empty when everything was checked at load
};

}  // namespace hadal
