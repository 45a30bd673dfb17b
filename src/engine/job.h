// One request inside the engine, from submit to its end. Belongs to the engine's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/request.h"
#include "engine/sequence_memory.h"
#include "sample/constraint.h"
#include "sample/sampler.h"

namespace hadal {

struct Job {
  RequestId id = 0;
  Request request;  // without its prompt
  std::shared_ptr<EventSink> sink;
  std::vector<int32_t> ids;  // prompt, then what was sampled
  int64_t prompt = 0;        // ids of the prompt
  int64_t most = 0;          // ids it can ever have
  int64_t reported = 0;      // of the prompt, that the sink knows to be done
  int64_t scored = 0;        // of the prompt, whose logits the sink has had, where it wants them

  std::unique_ptr<ResidentSequence> resident;   // while running
  std::optional<Sampler> sampler;               // from the first time it runs
  std::unique_ptr<TokenConstraint> constraint;  // of what was sampled so far; null: there is none
  std::deque<int32_t> forced;                   // by the constraint: they come next
  int64_t fresh = 1;                            // tokens that its last step added to ids
  bool published = false;                       // its prompt
  bool done = false;
  TimePoint submitted, admitted, answering;  // came, ran first, had its first token
  FinishInfo info;

  int64_t known() const { return static_cast<int64_t>(ids.size()); }
  int64_t length() const { return resident ? resident->state.length() : 0; }
  int64_t generated() const { return known() - prompt; }
  // Tokens whose logits the sink wants.
  int64_t to_score() const { return request.prompt_logits ? prompt - 1 : 0; }
  bool running() const { return resident != nullptr; }
  // The order of service.
  std::pair<int64_t, RequestId> place() const { return {-int64_t{request.priority}, id}; }
};

}  // namespace hadal
