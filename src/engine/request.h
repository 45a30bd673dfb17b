// What a request to the engine is and what comes back: tokens in, tokens out. Text is somebody else's
// business.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sample/constraint.h"
#include "sample/params.h"

namespace hadal {

using RequestId = uint64_t;
using TimePoint = std::chrono::steady_clock::time_point;

struct Request {
  std::vector<int32_t> prompt;  // at least one id
  SamplingParams sampling;
  uint64_t sequence = 0;  // tells apart several answers drawn with one seed (sample/sampler.h)
  std::optional<int64_t>
      max_tokens;                // at least 1; none: as many as the model's positions and the memory hold
  std::vector<int32_t> end_ids;  // sampling one of these ends the answer
  std::shared_ptr<const std::vector<uint32_t>> allowed;  // TokenMask of ids that may be sampled; null: all
  // What the answer must fit from its first token on, end_ids included: of `allowed`, only what it allows is
  // sampled. The engine goes on with a copy. Null: anything fits. An Error of it ends this request alone.
  std::shared_ptr<const TokenConstraint> constraint;
  // The sink gets the logits of every token. Otherwise not of those that the constraint forces: they are
  // computed several at a time, as prompts are. The tokens are the same.
  bool token_logits = true;
  int priority = 0;                   // higher goes first, and takes the place of lower
  bool prompt_logits = false;         // the sink gets on_prompt_logits
  std::string cache_scope;            // only requests with the same one share cached prefixes with it
  std::optional<TimePoint> deadline;  // by the engine's clock; ends the answer when reached
};

enum class EndReason {
  kStop,       // an end id, or the sink had enough
  kLength,     // max_tokens
  kCancelled,  // cancel(), or the engine went away
  kDeadline,
  kError,
};
std::string_view end_reason_name(EndReason reason);

struct TokenEvent {
  int32_t id = 0;
  // [vocab], what the token was drawn from, before penalties and temperature. Valid during the call. Empty
  // for some where Request::token_logits is not set.
  std::span<const float> logits;
};

struct FinishInfo {
  EndReason reason = EndReason::kStop;
  std::string error;    // kError: a complete sentence
  int32_t end_id = -1;  // kStop: the end id that was sampled, or -1
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = 0;     // of the prompt, that came out of a cache
  int64_t generated_tokens = 0;  // that the sink was given
  int preemptions = 0;
  double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
};

// Where the tokens of one request go. Called on the engine's thread, one call at a time, in order: must not
// block and should be quick, everybody else waits meanwhile. May call submit() and cancel(). An exception
// ends its request with kError. Readers with a pace of their own use TokenQueue (engine/token_queue.h).
class EventSink {
 public:
  virtual ~EventSink() = default;
  // First, when the request begins to run: so many of its prompt's `total` tokens came out of a cache. A
  // request that ends before has no such call.
  virtual void on_start(int64_t cached, int64_t total) {
    static_cast<void>(cached);
    static_cast<void>(total);
  }
  // So many tokens of the prompt are done, more each time; the last call says all of them.
  virtual void on_prefill(int64_t done, int64_t total) {
    static_cast<void>(done);
    static_cast<void>(total);
  }
  // Where Request::prompt_logits is set, once for every position from 0 to the last but one of the prompt, in
  // order, before the on_prefill that covers it: [vocab], what the prompt's token at `position` says about
  // the one after it. The bits that decoding would have seen. (What the last one says is in the first
  // TokenEvent.) Valid during the call.
  virtual void on_prompt_logits(int64_t position, std::span<const float> logits) {
    static_cast<void>(position);
    static_cast<void>(logits);
  }
  // One more token, not an end id. False: no more are wanted; the answer ends with kStop.
  virtual bool on_token(const TokenEvent& event) = 0;
  // Exactly once, last.
  virtual void on_finish(const FinishInfo& info) = 0;
};

}  // namespace hadal
