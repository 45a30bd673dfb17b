// Models whose every weight comes from the formula of spec/model.md section 12.1: small, unquantised and well
// behaved, so that any change of a state shows in the logits.
#pragma once

#include <string>
#include <vector>

#include "support/rho.h"
#include "support/synthetic_checkpoint.h"

namespace hadal::test {

inline double value_of(const std::string& name, uint64_t i, int64_t last_dim) {
  const double r = rho(name, i);
  const std::string tail = name.substr(name.rfind('.') + 1);
  if (name.find("norm") != std::string::npos) return 1 + 0.25 * r;
  if (tail == "attn_sink" || tail == "ape") return r;
  if (tail == "bias") return 0.25 * r;
  if (name.ends_with("_fn")) return 0.0625 * r;
  if (name.ends_with("_base")) return 0.5 * r;
  if (name.ends_with("_scale")) return 0.75 + 0.25 * r;
  if (name == "embed.weight") return r;
  if (name == "head.weight") return 0.25 * r;
  return r * (last_dim <= 64 ? 0.25 : 0.125);
}

// All tensors of an unquantised config, in f32.
inline Tensors formula_tensors(const Config& config) {
  Tensors tensors;
  for (const InventoryEntry& entry : inventory(config)) {
    SyntheticTensor tensor{{entry.name, entry.dtype, entry.shape}, {}};
    const auto experts = static_cast<size_t>(config.n_routed_experts);
    size_t n = 1;
    for (const int64_t d : entry.shape) n *= static_cast<size_t>(d);
    if (entry.dtype == DType::kI64) {
      std::vector<int64_t> ids(n);
      for (size_t i = 0; i < n; ++i)
        ids[i] = static_cast<int64_t>(i % 2 == 0 ? (i / 2) % experts : (3 * (i / 2) + 1) % experts);
      tensor.bytes.assign(reinterpret_cast<const char*>(ids.data()), n * 8);
    } else {
      std::vector<float> values(n);
      for (size_t i = 0; i < n; ++i)
        values[i] = static_cast<float>(value_of(entry.name, i, entry.shape.back()));
      tensor.spec.dtype = DType::kF32;
      tensor.bytes.assign(reinterpret_cast<const char*>(values.data()), n * 4);
    }
    tensors.emplace(entry.name, std::move(tensor));
  }
  return tensors;
}

}  // namespace hadal::test
