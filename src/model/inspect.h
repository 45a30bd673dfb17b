// What a checkpoint is and what it needs, from its headers alone: the facts behind `hadal inspect`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/checkpoint.h"
#include "model/inventory.h"

namespace hadal {

struct DTypeCount {
  DType dtype = DType::kF32;
  int64_t tensors = 0, bytes = 0;
};

struct ContextBytes {
  int64_t tokens = 0;
  SequenceBytes bytes;
};

// How a machine with so much memory holds the model. Caches of a sequence get what weights and `reserved`
// leave.
struct MemoryFit {
  int64_t memory = 0, reserved = 0;
  bool whole = false;            // every weight fits at once
  bool without_experts = false;  // all but the routed experts fit; those would be read from disk
  int64_t always_read = 0;       // bytes of weights that every token needs
  int64_t longest_context =
      0;  // tokens of one sequence beside the weights that fit; 0 when not even those do
};

struct Inspection {
  std::string shape;    // shape_name()
  std::string experts;  // how routed experts are stored: "FP4", "FP8", "BF16", "F32"
  std::string dense;    // how the dense linears are
  int64_t shards = 0, stored_tensors = 0, stored_bytes = 0;
  int64_t unused_tensors =
      0;  // of those stored, what this program does not use (another drafter, for example)
  std::vector<DTypeCount> by_dtype;  // of all stored tensors, in the order of DType
  ModelSize size;                    // of what is used
  bool mtp = false;
  std::vector<ContextBytes> contexts;  // 4K, 128K, 1M
  MemoryFit fit;
};

// weights: bound from the checkpoint. memory: bytes of main memory.
Inspection inspect(const Config& config, const Weights& weights, int64_t memory);

// MemTotal of the machine in bytes; 0 when it cannot be told.
int64_t machine_memory();

}  // namespace hadal
