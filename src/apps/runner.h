// One sequence on one model: token ids and the state they led to, kept in step. What chat, generate and
// perplexity run on.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "model/model.h"

namespace hadal::apps {

// Called between forward passes with the tokens done and to do; returns false to stop.
using Progress = std::function<bool(int64_t done, int64_t total)>;

// Not thread-safe. Borrows model and ops.
class Runner {
 public:
  // Tokens of one prefill pass: enough for the matrix kernels to reuse a weight, little enough to answer
  // Ctrl-C.
  static constexpr int64_t kChunk = 128;

  Runner(const Model& model, Ops& ops);

  // Makes the sequence equal `ids` (not empty), recomputing only what differs from what it is now and cannot
  // be taken back. Returns the logits [vocab] after the last token, or an empty span when progress said stop;
  // the tokens done so far then remain.
  std::span<const float> sync(std::span<const int32_t> ids, const Progress& progress = {});
  // One more token. Logits [vocab] after it.
  std::span<const float> append(int32_t id);
  // Starts over with `ids` and calls sink with the logits [n, vocab] after each chunk of n tokens from
  // `first` on.
  void score(std::span<const int32_t> ids, const std::function<void(int64_t first, View logits)>& sink);

  const std::vector<int32_t>& tokens() const { return tokens_; }
  int64_t state_bytes() const { return state_.bytes(); }
  int64_t reused() const { return reused_; }  // tokens the last sync did not compute

 private:
  void forward(std::span<const int32_t> ids, LogitsWanted wanted, View logits);

  const Model& model_;
  Ops& ops_;
  SequenceState state_;
  std::vector<int32_t> tokens_;
  std::vector<float> logits_;
  int64_t reused_ = 0;
};

}  // namespace hadal::apps
