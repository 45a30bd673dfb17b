// What a configuration amounts to, before any file is opened: its tensors in the released format, parameters,
// bytes, and the memory of a sequence (spec/model.md sections 1.3 and 10.2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/weights.h"
#include "tensor/dtype.h"

namespace hadal {

// A tensor of a checkpoint in the released format.
struct InventoryEntry {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // as stored: FP4 linears are I8 [out, in/2]
  int64_t parameters = 0;      // of the model; none for scales, gate.bias and tid2eid
  int64_t bytes = 0;
  bool mtp = false;            // part of the draft block
  bool routed_expert = false;  // weight or scale of one of them
  bool embedding = false;      // read by row
};

// Every tensor of the model, the MTP block included when the config has one. Dense linears are FP8 when there
// is a quantization_config, otherwise F32 or BF16 as torch_dtype says; routed experts are FP4 when
// expert_dtype is "fp4" and else like the dense linears.
std::vector<InventoryEntry> inventory(const Config& config);

// The tensors that a model bound from a checkpoint has, in the types of that checkpoint.
std::vector<InventoryEntry> inventory(const Config& config, const Weights& weights);

// Of the backbone, embedding and head (mtp apart). Active: what one token uses, K of the routed experts;
// decoded bytes: weight bytes read for one token, all but the embedding table.
struct ModelSize {
  int64_t tensors = 0, bytes = 0;  // mtp included
  int64_t parameters = 0, mtp_parameters = 0;
  int64_t active_parameters = 0;     // of the layers, norms and head
  int64_t embedding_parameters = 0;  // of the table, not in active_parameters
  int64_t bytes_per_token = 0;
};
ModelSize model_size(const Config& config, const std::vector<InventoryEntry>& tensors);

// Bytes of the packed caches of one sequence of `tokens` tokens (section 10.2), without the draft block.
struct SequenceBytes {
  int64_t window = 0, csa_rows = 0, hca_rows = 0, index_rows = 0;
  int64_t total() const { return window + csa_rows + hca_rows + index_rows; }
};
SequenceBytes sequence_bytes(const Config& config, int64_t tokens);

// The longest sequence whose packed caches fit in `bytes`, at most max_position_embeddings; 0 when none does.
int64_t longest_sequence(const Config& config, int64_t bytes);

// "DeepSeek-V4-Flash" or "DeepSeek-V4-Pro" for a config with exactly their shape, otherwise "custom".
std::string shape_name(const Config& config);

}  // namespace hadal
