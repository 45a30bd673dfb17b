// What becomes known of one request until it is over, and telling it to whoever keeps count.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/request.h"
#include "serve/accounts/accounts.h"
#include "serve/answer_writer.h"

namespace hadal::serve {

struct RequestFacts {
  TimePoint came;
  std::string id, peer, method, route;  // route: the pattern of ours
  std::string model;                    // as reported back
  int status = 0;                       // 0: the client left before there was one
  std::string error;
  bool silent = false;                               // a probe: not worth a line in the log unless it failed
  bool generates = false;                            // tokens were asked for
  std::string finish_reason;                         // of the first choice; empty: none
  TokenUsage usage;                                  // of all choices
  std::optional<TimePoint> first_token, last_token;  // of the first choice
  FinishInfo info;                                   // of the first choice
  std::string prompt, answer;                        // only where the log is to have them
};

// Owned by whatever still works on the request; the last to let go ends it.
class RequestScope {
 public:
  using Done = std::function<void(const RequestScope&)>;  // any thread; quick, and does not throw
  RequestScope(RequestFacts first, Done done) : facts(std::move(first)), done_(std::move(done)) {}
  ~RequestScope() { done_(*this); }
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

  RequestFacts facts;
  std::optional<Caller> caller;  // none: nobody was let in
  Admission admission;           // held as long as the request lasts

 private:
  const Done done_;
};

}  // namespace hadal::serve
