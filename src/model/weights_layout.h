// Which tensors a model has, under which names and with which shapes: the one place that spells spec/model.md
// sections 2.3 to 2.5. Binding a checkpoint, checking values and listing an inventory are visitors over it.
#pragma once

#include <cstdint>
#include <string>

#include "model/config.h"
#include "model/weights.h"

namespace hadal {

// How a released checkpoint stores a linear.
enum class LinearKind {
  kTable,   // embed, head: BF16, never quantised
  kPlain,   // router, compressors, weights_proj: BF16
  kDense,   // the other dense linears: FP8
  kExpert,  // routed experts: FP4, in Base checkpoints FP8
};

enum class TensorKind {
  kGain,   // an RMSNorm gain: BF16 or F32
  kFloat,  // F32
  kTable,  // tid2eid: I64
};

class WeightVisitor {
 public:
  virtual ~WeightVisitor() = default;
  // name without ".weight"; the scales, if any, are name + ".scale".
  virtual void linear(Weight& weight, const std::string& name, int64_t out, int64_t in, LinearKind kind) = 0;
  virtual void tensor(View& view, const std::string& name, const Shape& shape, TensorKind kind) = 0;
};

// Visits every part in file order of the specification; vectors and optionals get the sizes the config asks
// for. The MTP block is visited when weights.mtp is set.
void visit_weights(Weights& weights, const Config& config, WeightVisitor& visitor);

// "layers.3." or, for layer == num_hidden_layers, "mtp.0.".
std::string layer_prefix(const Config& config, int layer);

}  // namespace hadal
