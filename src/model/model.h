// A DeepSeek-V4 model: immutable after it was opened, shared by every sequence. One forward pass appends
// tokens to any number of sequences; prefill, chunk, decode and verification are the same code (spec/model.md
// section 13).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/config.h"
#include "model/state.h"
#include "model/weights.h"
#include "ops/ops.h"

namespace hadal {

struct Step;

// Sees the residual stream [tokens, M, D] before each layer and, as layer num_hidden_layers, before the head.
// May write to it.
using StreamHook = std::function<void(int layer, View stream)>;

// What a forward pass works with besides the model.
struct Ctx {
  Ops& ops;
  const StreamHook* stream_hook = nullptr;
};

enum class LogitsWanted { kNone, kLast, kAll };

// One sequence's tokens in a batch: ids[begin, begin + count), appended at state->length().
struct Segment {
  SequenceState* state = nullptr;
  int64_t begin = 0;
  int64_t count = 0;
  LogitsWanted logits = LogitsWanted::kLast;
};

// Ragged: segments lie one after the other and cover ids. No state occurs twice.
struct Batch {
  std::span<const int32_t> ids;
  std::span<const Segment> segments;

  int64_t logits_rows() const;
};

// Where a forward pass leaves its results; views of the caller.
struct Outputs {
  View logits;   // [batch.logits_rows(), vocab] f32, in the order of the tokens
  View streams;  // [tokens, M, D] in the activation dtype: the stream before the head (for mtp); empty: not
                 // wanted
};

class Model {
 public:
  // Rollback: how many of the last tokens a state can take back (drafts to verify).
  static constexpr int kDefaultRollback = 8;

  // Opens a checkpoint folder: config, weights (mapped, not read). Throws Error.
  static std::shared_ptr<const Model> open(const std::filesystem::path& folder, Numerics numerics,
                                           int rollback = kDefaultRollback);
  Model(Config config, Weights weights, Numerics numerics, int rollback = kDefaultRollback);

  const Config& config() const { return config_; }
  const Weights& weights() const { return weights_; }
  Numerics numerics() const { return numerics_; }
  DType activation_dtype() const { return numerics_ == Numerics::kRelease ? DType::kBF16 : DType::kF32; }
  const StateLayout& state_layout() const { return layout_; }
  bool has_mtp() const { return weights_.mtp.has_value(); }

  // Appends the batch to its states. Throws Error (out of memory, an expert with bad scales); a state of the
  // batch is then as it was, or, when more than `rollback` tokens were to be appended, back at the last
  // boundary that was kept: never half written. Token ids must be in [0, vocab_size).
  void forward(const Ctx& ctx, const Batch& batch, const Outputs& out) const;

  // What forward() gives for tokens whose rows of Outputs::streams these are, bit for bit: `streams` [n, M,
  // D], `out` [n, vocab] f32. For whoever wants many rows of logits and has no memory for all at once. Throws
  // Error.
  void logits(const Ctx& ctx, View streams, View out) const;

  // The MTP block (section 8.2): streams [tokens, M, D] of positions mtp_length() ... of each segment's
  // state, and batch.ids the tokens that came after them; logits predict the tokens after those.
  void draft(const Ctx& ctx, const Batch& batch, View streams, const Outputs& out) const;

 private:
  Step make_step(const Ctx& ctx, const Batch& batch, bool mtp) const;

  Config config_;
  Weights weights_;
  Numerics numerics_;
  StateLayout layout_;
  std::vector<float> plain_frequencies_, compressed_frequencies_;
};

}  // namespace hadal
