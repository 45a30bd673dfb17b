// The values of scales and routing tables that no kernel could run.
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "model/weights.h"
#include "model/weights_layout.h"

namespace hadal {
namespace {

// Weight times scale must be zero or a normal bf16 number: decoding to bf16 is then exact (docs/numerics.md).
// e2m1 goes from 2^-1 to 6, e4m3 from 2^-9 to 448.
struct ScaleRange {
  uint8_t low, high;
};
constexpr ScaleRange kFp4Scales = {2, 252};
constexpr ScaleRange kFp8Scales = {10, 246};

// Names the file a view was bound from; tensors are looked up again because a View does not know its name.
std::string place_of(const Weights& weights, const std::string& name) {
  const TensorInfo* info = weights.source->find(name);
  return info == nullptr ? name : info->place();
}

void check_scales(const Weights& weights, const std::string& name, const Weight& weight) {
  if (!weight.quantised()) return;
  const bool fp4 = weight.format == WeightFormat::kFP4;
  const ScaleRange range = fp4 ? kFp4Scales : kFp8Scales;
  const auto* bytes = reinterpret_cast<const uint8_t*>(weight.scale.data);
  const int64_t count = weight.scale.elements();
  uint8_t bad = 0;
  for (int64_t i = 0; i < count; ++i)
    bad |= static_cast<uint8_t>((bytes[i] < range.low) | (bytes[i] > range.high));
  if (bad == 0) return;
  int64_t at = 0;
  while (bytes[at] >= range.low && bytes[at] <= range.high) ++at;
  const int64_t columns = weight.scale.dim[1];
  fail(ErrorCode::kInvalidFile, "{}: scale [{}, {}] is {}, expected {} to {} ({})",
       place_of(weights, name + ".scale"), at / columns, at % columns,
       bytes[at] == 255 ? "NaN (byte 255)" : fmt::format("byte {} (2^{})", bytes[at], bytes[at] - 127),
       range.low, range.high,
       fp4 ? "FP4 weights must stay in the range of bf16" : "FP8 weights must stay in the range of bf16");
}

class ValueChecker : public WeightVisitor {
 public:
  ValueChecker(const Weights& weights, const Config& config, bool experts)
      : weights_(weights), config_(config), experts_(experts) {}

  void linear(Weight& weight, const std::string& name, int64_t, int64_t, LinearKind kind) override {
    if (experts_ || kind != LinearKind::kExpert) check_scales(weights_, name, weight);
  }

  void tensor(View& view, const std::string& name, const Shape&, TensorKind kind) override {
    if (kind == TensorKind::kTable) check_table(view, name);
  }

 private:
  void check_table(const View& table, const std::string& name) {
    const int64_t experts = config_.n_routed_experts, rows = table.dim[0], k = table.dim[1];
    int64_t repeats = 0;
    std::vector<int64_t> ids(static_cast<size_t>(k));
    for (int64_t row = 0; row < rows; ++row) {
      std::memcpy(ids.data(), table.data + row * table.stride[0], ids.size() * sizeof(int64_t));
      for (size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] < 0 || ids[i] >= experts)
          fail(ErrorCode::kInvalidFile, "{}: entry {} of token {} is expert {}, expected 0 to {}",
               place_of(weights_, name), i, row, ids[i], experts - 1);
        for (size_t j = 0; j < i; ++j) repeats += ids[i] == ids[j];
      }
    }
    if (repeats > 0)
      log_warning("{}: {} entries repeat an expert of the same token, which then counts once",
                  place_of(weights_, name), repeats);
  }

  const Weights& weights_;
  const Config& config_;
  bool experts_;
};

void validate(const Weights& weights, const Config& config, bool experts) {
  // A visitor fills weights in when it binds; this one only looks, at a copy of the records (not of the
  // bytes).
  Weights records = weights;
  ValueChecker checker(weights, config, experts);
  visit_weights(records, config, checker);
}

}  // namespace

void validate_dense_values(const Weights& weights, const Config& config) {
  validate(weights, config, false);
}
void validate_values(const Weights& weights, const Config& config) {
  validate(weights, config, true);
}

ExpertValidator::ExpertValidator(const Config& config, bool all_checked)
    : prefixes_(),
      experts_(config.n_routed_experts),
      checked_(all_checked
                   ? 0
                   : static_cast<size_t>(config.num_hidden_layers + 1) * static_cast<size_t>(experts_)) {
  for (int layer = 0; layer <= config.num_hidden_layers; ++layer)
    prefixes_.push_back(layer_prefix(config, layer));
}

void ExpertValidator::check(const Weights& weights, int layer, int expert) {
  if (checked_.empty()) return;
  HADAL_CHECK(layer >= 0 && layer < static_cast<int>(prefixes_.size()) && expert >= 0 && expert < experts_);
  std::atomic<bool>& checked =
      checked_[static_cast<size_t>(layer) * static_cast<size_t>(experts_) + static_cast<size_t>(expert)];
  if (checked.load(std::memory_order_acquire)) return;
  const bool mtp = layer + 1 == static_cast<int>(prefixes_.size());
  HADAL_CHECK(!mtp || weights.mtp);
  const LayerWeights& owner = mtp ? weights.mtp->layer : weights.layers[static_cast<size_t>(layer)];
  const ExpertWeights& matrices = owner.ffn.experts[static_cast<size_t>(expert)];
  const std::string name = prefixes_[static_cast<size_t>(layer)] + "ffn.experts." + std::to_string(expert);
  check_scales(weights, name + ".w1", matrices.w1);
  check_scales(weights, name + ".w2", matrices.w2);
  check_scales(weights, name + ".w3", matrices.w3);
  checked.store(true, std::memory_order_release);
}

}  // namespace hadal
