// Tensor names: the spellings under which DeepSeek-V4 weights circulate, all brought to the inference names
// of spec/model.md sections 2.3 to 2.5 ("layers.0.attn.wq_a.weight"). Understood besides: a leading "model.",
// the names that the published converter cleans up (2.6), and the module names of `transformers` (2.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hadal {

// The inference name; a name that follows no known spelling is returned as it is. "X.weight_scale_inv" is
// "X.scale". Fused experts are not one tensor of the model and are left to fused_experts().
std::string canonical_name(std::string_view name);

// A tensor that holds one matrix (or its scales) of every routed expert of a layer, experts outermost.
struct FusedExperts {
  std::string prefix;    // "layers.3.ffn.experts."
  bool gate_up = false;  // true: w1 over w3 along the rows; false: w2
  bool scale = false;    // scales of the matrices, not the matrices
};
std::optional<FusedExperts> fused_experts(std::string_view name);

}  // namespace hadal
