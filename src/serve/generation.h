// An answer that the engine makes while its client waits: submits, follows the tokens of every choice through
// the parser into the writer of its API, and tells what it was when it is over.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "assistant/replay.h"
#include "assistant/text_model.h"
#include "engine/engine.h"
#include "serve/answer_writer.h"
#include "serve/ask.h"
#include "serve/http/message.h"
#include "serve/metrics.h"
#include "serve/request_scope.h"
#include "serve/token_feed.h"

namespace hadal::serve {

// What every generation of a server shares. All outlive it.
struct GenerationContext {
  const TextModel& text;
  Engine& engine;
  Replay& replay;
  Metrics& metrics;
  double queue_seconds = 600;  // a request that has not begun by then is given up
  bool keep_text = false;      // the answer's text goes into the record
};

class Generation : public HttpAnswer {
 public:
  // Error: no engine like this one can ever do it.
  static Asked<std::unique_ptr<Generation>> start(const GenerationContext& context, Ask ask,
                                                  std::unique_ptr<AnswerWriter> writer, Wake wake,
                                                  std::shared_ptr<RequestScope> scope);
  ~Generation() override;

  bool pull(std::string& out) override;
  const HttpHead& head() override;
  std::string_view keep_alive() override;

 private:
  class Choice;

  Generation(const GenerationContext& context, Ask ask, std::unique_ptr<AnswerWriter> writer, Wake wake,
             std::shared_ptr<RequestScope> scope);
  Asked<void> submit(size_t choice);
  void submit_copies(size_t first);
  void follow(size_t choice);
  void remember(const Choice& choice, const FinishInfo& info);
  void note_times(const std::vector<TokenFeed::Token>& tokens);
  void fail(const ApiError& error);
  void finish_record();

  const GenerationContext context_;
  const Ask ask_;
  const std::unique_ptr<AnswerWriter> writer_;
  const Wake wake_;
  const std::shared_ptr<RequestScope> scope_;
  std::vector<std::unique_ptr<Choice>> choices_;  // n of the first prompt, n of the second, ...
  size_t open_ = 0;                               // choices that have not ended
  bool started_ = false, done_ = false, head_shown_ = false, waited_too_long_ = false;
  std::optional<ApiError> failure_;  // the whole answer is an error, with its own status
  HttpHead failure_head_;
  TokenUsage total_;
};

}  // namespace hadal::serve
