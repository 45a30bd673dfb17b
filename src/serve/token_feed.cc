#include "serve/token_feed.h"

#include <algorithm>
#include <utility>

namespace hadal::serve {

TokenFeed::TokenFeed(std::function<void()> wake, int top_logprobs, std::vector<int32_t> prompt)
    : top_logprobs_(top_logprobs), prompt_(std::move(prompt)), wake_(std::move(wake)) {}

// The wake-up is called without the lock: whoever it wakes may come back at once.
template <class Change>
void TokenFeed::add(Change&& change) {
  std::function<void()> wake;
  {
    const std::lock_guard lock(mutex_);
    if (!wake_) return;
    change(news_);
    wake = wake_;
  }
  wake();
}

TokenFeed::News TokenFeed::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

void TokenFeed::close() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  news_ = {};
}

void TokenFeed::on_start(int64_t cached, int64_t) {
  add([&](News& news) {
    news.cached = cached;
    news.admitted = std::chrono::steady_clock::now();
  });
}

void TokenFeed::on_prefill(int64_t done, int64_t total) {
  if (done == total) add([&](News& news) { news.prefilled = std::chrono::steady_clock::now(); });
}

void TokenFeed::on_prompt_logits(int64_t position, std::span<const float> logits) {
  TokenProbs probs =
      token_probs(logits, prompt_[static_cast<size_t>(position) + 1], std::max(0, top_logprobs_));
  const std::lock_guard lock(mutex_);  // no hurry: they are of use when all are there
  if (wake_) news_.prompt_probs.push_back(std::move(probs));
}

bool TokenFeed::on_token(const TokenEvent& event) {
  std::optional<TokenProbs> probs;
  if (top_logprobs_ >= 0) probs = token_probs(event.logits, event.id, top_logprobs_);
  add([&](News& news) {
    news.tokens.push_back({event.id, std::chrono::steady_clock::now()});
    if (probs) news.probs.push_back(std::move(*probs));
  });
  return true;  // who closes also cancels, and the end should say so
}

void TokenFeed::on_finish(const FinishInfo& info) {
  add([&](News& news) { news.end = info; });
}

}  // namespace hadal::serve
