// Binds the tensors of a checkpoint to the places of a model, checking dtypes and shapes.
#include "model/weights.h"

#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/safetensors.h"
#include "model/weights_layout.h"

namespace hadal {
namespace {

int64_t blocks(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

class Binder : public WeightVisitor {
 public:
  // copies: where tensors that must be moved to an aligned address go; null leaves them where they are.
  Binder(const Checkpoint& source, std::vector<std::shared_ptr<const Storage>>* copies)
      : source_(source), copies_(copies) {}

  void linear(Weight& weight, const std::string& name, int64_t out, int64_t in, LinearKind kind) override {
    const std::string full = name + ".weight";
    const TensorInfo& info = find(full);
    weight.out = out;
    weight.in = in;
    weight.format = format_of(info, kind);
    if (weight.format != WeightFormat::kFP4)
      expect_shape(info, {out, in}, "");
    else if (in % 32 != 0)
      fail(ErrorCode::kInvalidFile, "{}: FP4 needs inputs in a multiple of 32, the configuration has {}",
           info.place(), in);
    else
      expect_shape(info, {out, in / 2}, " (two FP4 values a byte)");
    weight.data = view_of(info);
    if (weight.quantised()) weight.scale = scale_of(info, name, weight);
  }

  void tensor(View& view, const std::string& name, const Shape& shape, TensorKind kind) override {
    const TensorInfo& info = find(name);
    const bool right = kind == TensorKind::kGain    ? info.dtype == DType::kBF16 || info.dtype == DType::kF32
                       : kind == TensorKind::kFloat ? info.dtype == DType::kF32
                                                    : info.dtype == DType::kI64;
    if (!right)
      wrong_dtype(info, kind == TensorKind::kGain    ? "BF16 or F32"
                        : kind == TensorKind::kFloat ? "F32"
                                                     : "I64");
    expect_shape(info, std::vector<int64_t>(shape.dim, shape.dim + shape.rank), "");
    view = view_of(info);
  }

 private:
  [[noreturn]] static void wrong_dtype(const TensorInfo& info, std::string_view expected) {
    fail(ErrorCode::kInvalidFile, "{}: dtype {}, expected {}", info.place(), dtype_name(info.dtype),
         expected);
  }

  static void expect_shape(const TensorInfo& info, const std::vector<int64_t>& shape, std::string_view note) {
    if (info.shape != shape)
      fail(ErrorCode::kInvalidFile, "{}: shape {}, the configuration asks for {}{}", info.place(),
           shape_text(info.shape), shape_text(shape), note);
  }

  const TensorInfo& find(const std::string& name) const {
    const TensorInfo* info = source_.find(name);
    if (info == nullptr)
      fail(ErrorCode::kInvalidFile, "{}: tensor {} is missing, the configuration asks for it",
           source_.path().string(), name);
    return *info;
  }

  static WeightFormat format_of(const TensorInfo& info, LinearKind kind) {
    if (info.dtype == DType::kF32) return WeightFormat::kF32;
    if (info.dtype == DType::kBF16) return WeightFormat::kBF16;
    if (info.dtype == DType::kF8E4M3 && kind != LinearKind::kTable) return WeightFormat::kFP8;
    if (info.dtype == DType::kI8 && kind == LinearKind::kExpert) return WeightFormat::kFP4;
    wrong_dtype(info, kind == LinearKind::kTable    ? "BF16 or F32"
                      : kind == LinearKind::kExpert ? "I8 (packed FP4), F8_E4M3, BF16 or F32"
                                                    : "F8_E4M3, BF16 or F32");
  }

  View scale_of(const TensorInfo& info, const std::string& name, const Weight& weight) const {
    const TensorInfo* scale = source_.find(name + ".scale");
    const bool fp4 = weight.format == WeightFormat::kFP4;
    const std::vector<int64_t> shape =
        fp4 ? std::vector<int64_t>{weight.out, weight.in / 32}
            : std::vector<int64_t>{blocks(weight.out, 128), blocks(weight.in, 128)};
    if (scale == nullptr)
      fail(ErrorCode::kInvalidFile, "{}: its scale {}.scale is missing, expected F8_E8M0 {}", info.place(),
           name, shape_text(shape));
    if (scale->dtype != DType::kF8E8M0) wrong_dtype(*scale, "F8_E8M0");
    expect_shape(*scale, shape, fp4 ? " (blocks of 1 x 32)" : " (blocks of 128 x 128)");
    return scale->view();
  }

  View view_of(const TensorInfo& info) {
    View view = info.view();
    const auto address = reinterpret_cast<uintptr_t>(view.data);
    if (copies_ == nullptr || address % static_cast<uintptr_t>(dtype_bytes(info.dtype)) == 0) return view;
    auto copy = std::make_shared<Storage>(static_cast<int64_t>(info.bytes.size()));
    std::memcpy(copy->data(), info.bytes.data(), info.bytes.size());
    view.data = copy->data();
    copies_->push_back(std::move(copy));
    return view;
  }

  const Checkpoint& source_;
  std::vector<std::shared_ptr<const Storage>>* copies_;
};

bool has_mtp(const Checkpoint& checkpoint) {
  const auto first = checkpoint.tensors().lower_bound("mtp.0.");
  return first != checkpoint.tensors().end() && first->first.starts_with("mtp.0.");
}

// A layer is routed by a table or by scores; both at once is a mistake that a kernel would settle silently.
void check_routing(const Checkpoint& checkpoint, const Config& config) {
  for (int i = 0; i < config.num_hidden_layers + config.mtp_layers(); ++i) {
    const bool hash = config.is_hash_layer(i);
    const TensorInfo* other =
        checkpoint.find(layer_prefix(config, i) + (hash ? "ffn.gate.bias" : "ffn.gate.tid2eid"));
    if (other != nullptr)
      fail(ErrorCode::kInvalidFile, "{}: num_hash_layers is {}, so this layer is expected to have {} instead",
           other->place(), config.num_hash_layers, hash ? "gate.tid2eid" : "gate.bias");
  }
}

Weights bind_weights(std::shared_ptr<const Checkpoint> checkpoint, const Config& config, bool align) {
  Weights weights;
  weights.source = std::move(checkpoint);
  if (config.mtp_layers() > 0) {
    if (has_mtp(*weights.source))
      weights.mtp.emplace();
    else
      log_info("{}: no mtp.0.* tensors; the model runs without its draft block",
               weights.source->path().string());
  }
  check_routing(*weights.source, config);
  Binder binder(*weights.source, align ? &weights.realigned : nullptr);
  visit_weights(weights, config, binder);
  return weights;
}

int64_t expert_scale_bytes(const Weights& weights) {
  int64_t bytes = 0;
  const auto add = [&](const LayerWeights& layer) {
    for (const ExpertWeights& expert : layer.ffn.experts)
      for (const Weight* w : {&expert.w1, &expert.w2, &expert.w3})
        if (w->quantised()) bytes += w->scale.elements();
  };
  for (const LayerWeights& layer : weights.layers) add(layer);
  if (weights.mtp) add(weights.mtp->layer);
  return bytes;
}

}  // namespace

Weights Weights::bind(std::shared_ptr<const Checkpoint> checkpoint, const Config& config) {
  Weights weights = bind_weights(std::move(checkpoint), config, false);
  weights.experts = std::make_shared<ExpertValidator>(config, false);
  return weights;
}

Weights Weights::load(std::shared_ptr<const Checkpoint> checkpoint, const Config& config) {
  Weights weights = bind_weights(std::move(checkpoint), config, true);
  const bool eager = expert_scale_bytes(weights) <= kEagerScaleBytes;
  if (eager)
    validate_values(weights, config);
  else
    validate_dense_values(weights, config);
  weights.experts = std::make_shared<ExpertValidator>(config, eager);
  return weights;
}

}  // namespace hadal
