// The form that one API gives to an answer. What the model does arrives as events; a writer of a stream
// appends to its output as they come, one of a whole answer collects and appends everything at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "assistant/answer_stream.h"
#include "assistant/token_probs.h"
#include "chat/parser.h"
#include "serve/api_error.h"
#include "serve/http/message.h"
#include "serve/ids.h"

namespace hadal::serve {

// Tokens by api.md A17.9.
struct TokenUsage {
  int64_t prompt = 0;
  int64_t cached = 0;  // of the prompt, that came out of a cache
  int64_t completion = 0;
  int64_t reasoning = 0;  // of the completion

  TokenUsage& operator+=(const TokenUsage& other) {
    prompt += other.prompt, cached += other.cached;
    completion += other.completion, reasoning += other.reasoning;
    return *this;
  }
};

struct ChoiceEnd {
  FinishReason reason = FinishReason::kStop;
  std::string stop;  // the stop string that ended it, or empty
  TokenUsage usage;
  double prompt_seconds = 0, answer_seconds = 0;
};

// One thread at a time. The order: started; for every choice, its events interleaved with those of others,
// then finished; then ended. Or failed at any time, and nothing after it. Text is whole, valid UTF-8.
class AnswerWriter {
 public:
  virtual ~AnswerWriter() = default;

  // The prompts are about to be computed; prompt and cached of `usage` are set.
  virtual void started(const TokenUsage& usage) { static_cast<void>(usage); }
  // Before anything of a choice: the name by which clients may give its reasoning back (Replay::reasoning).
  virtual void handle(int choice, std::string_view name) {
    static_cast<void>(choice), static_cast<void>(name);
  }
  virtual void reasoning(int choice, std::string_view text) = 0;
  virtual void content(int choice, std::string_view text) = 0;
  // A call begins; its id is unique in the server.
  virtual void call(int choice, int index, std::string_view name, std::string_view id) = 0;
  virtual void arguments(int choice, int index, std::string_view json) = 0;  // pieces of one JSON text
  // A token and what it was chosen from, before the text it brings. Only where they were asked for.
  virtual void token(int choice, TokenPart part, const TokenProbs& probs) {
    static_cast<void>(choice), static_cast<void>(part), static_cast<void>(probs);
  }
  // Of the prompt's token `position`, in order; only where they were asked for.
  virtual void prompt_token(int choice, int64_t position, const TokenProbs& probs) {
    static_cast<void>(choice), static_cast<void>(position), static_cast<void>(probs);
  }
  virtual void finished(int choice, const ChoiceEnd& end) = 0;
  virtual void ended(const TokenUsage& total) = 0;
  // After output began; before it the client gets a plain error instead.
  virtual void failed(const ApiError& error) = 0;

  virtual ApiStyle style() const { return ApiStyle::kOpenAi; }
  virtual std::string new_call_id(int index) const { return serve::new_call_id(index); }
  virtual const HttpHead& head() const = 0;
  virtual std::string_view keep_alive() const { return {}; }

  std::string take() { return std::exchange(out_, {}); }

 protected:
  std::string out_;
};

}  // namespace hadal::serve
