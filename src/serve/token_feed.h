// What the engine did for one choice and its connection has not seen yet. The engine's thread puts in and
// never waits; the connection takes out at the pace of its client, so a slow one costs a few bytes a token.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "assistant/token_probs.h"
#include "engine/request.h"

namespace hadal::serve {

class TokenFeed : public EventSink {
 public:
  struct Token {
    int32_t id = 0;
    TimePoint at;
  };
  struct News {
    std::optional<int64_t> cached;  // the request has just been admitted
    std::optional<TimePoint> admitted;
    std::optional<TimePoint> prefilled;  // the whole prompt is computed
    std::vector<TokenProbs> prompt_probs;
    std::vector<Token> tokens;
    std::vector<TokenProbs> probs;  // of each of `tokens`; empty when not asked for
    std::optional<FinishInfo> end;
  };

  // top_logprobs: as Ask's. prompt: for the probabilities of its own tokens; may be empty otherwise.
  TokenFeed(std::function<void()> wake, int top_logprobs, std::vector<int32_t> prompt);

  // Everything since the last call. Once.
  News take();
  // Nobody will take anything any more; the wake-up is forgotten.
  void close();

  void on_start(int64_t cached, int64_t total) override;
  void on_prefill(int64_t done, int64_t total) override;
  void on_prompt_logits(int64_t position, std::span<const float> logits) override;
  bool on_token(const TokenEvent& event) override;
  void on_finish(const FinishInfo& info) override;

 private:
  template <class Change>
  void add(Change&& change);

  const int top_logprobs_;
  const std::vector<int32_t> prompt_;
  std::mutex mutex_;
  std::function<void()> wake_;  // empty when closed
  News news_;
};

}  // namespace hadal::serve
