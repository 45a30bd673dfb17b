#include "apps/runner.h"

#include <algorithm>

namespace hadal::apps {

Runner::Runner(const Model& model, Ops& ops)
    : model_(model),
      ops_(ops),
      state_(model.state_layout(), ops),
      logits_(static_cast<size_t>(model.config().vocab_size)) {}

void Runner::forward(std::span<const int32_t> ids, LogitsWanted wanted, View logits) {
  const Segment segment{&state_, 0, static_cast<int64_t>(ids.size()), wanted};
  try {
    model_.forward(Ctx{ops_}, Batch{ids, {&segment, 1}}, Outputs{logits, {}});
  } catch (...) {
    tokens_.resize(static_cast<size_t>(state_.length()));  // the state was reset
    throw;
  }
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
}

std::span<const float> Runner::sync(std::span<const int32_t> ids, const Progress& progress) {
  HADAL_CHECK(!ids.empty());
  const auto differs = std::mismatch(ids.begin(), ids.end(), tokens_.begin(), tokens_.end());
  // The last token is always computed: its logits are what the caller wants.
  int64_t kept = std::min<int64_t>(differs.first - ids.begin(), static_cast<int64_t>(ids.size()) - 1);
  if (!state_.can_truncate(kept)) kept = 0;
  state_.truncate(kept);
  tokens_.resize(static_cast<size_t>(kept));
  reused_ = kept;

  const int64_t total = static_cast<int64_t>(ids.size());
  const View logits(logits_.data(), DType::kF32, {1, static_cast<int64_t>(logits_.size())});
  for (int64_t at = kept; at < total;) {
    const int64_t n = std::min(kChunk, total - at);
    const bool last = at + n == total;
    forward(ids.subspan(static_cast<size_t>(at), static_cast<size_t>(n)),
            last ? LogitsWanted::kLast : LogitsWanted::kNone, last ? logits : View{});
    at += n;
    if (progress && !progress(at - kept, total - kept) && !last) return {};
  }
  return logits_;
}

std::span<const float> Runner::append(int32_t id) {
  forward({&id, 1}, LogitsWanted::kLast,
          View(logits_.data(), DType::kF32, {1, static_cast<int64_t>(logits_.size())}));
  return logits_;
}

void Runner::score(std::span<const int32_t> ids,
                   const std::function<void(int64_t first, View logits)>& sink) {
  state_.reset();
  tokens_.clear();
  const int64_t total = static_cast<int64_t>(ids.size());
  for (int64_t at = 0; at < total; at += kChunk) {
    const Arena::Frame frame(ops_.arena());
    const int64_t n = std::min(kChunk, total - at);
    const View logits = ops_.arena().alloc({n, static_cast<int64_t>(logits_.size())}, DType::kF32);
    forward(ids.subspan(static_cast<size_t>(at), static_cast<size_t>(n)), LogitsWanted::kAll, logits);
    sink(at, logits);
  }
}

}  // namespace hadal::apps
