// A sink for readers in other threads: the engine puts in and never waits, the reader takes out at its own
// pace.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "engine/request.h"

namespace hadal {

// Holds at most the ids of one answer. Any number of readers; each token goes to one of them.
class TokenQueue : public EventSink {
 public:
  bool on_token(const TokenEvent& event) override;
  void on_finish(const FinishInfo& info) override;

  // The next token; waits for it. None: the answer is over and everything was taken.
  std::optional<int32_t> pop();
  // All that is there, without waiting.
  std::vector<int32_t> take();
  // Waits until the answer is over; tokens stay where they are.
  FinishInfo wait();
  // The reader has gone away: the engine ends the answer at the next token.
  void close();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<int32_t> ids_;
  std::optional<FinishInfo> finish_;
  bool closed_ = false;
};

}  // namespace hadal
