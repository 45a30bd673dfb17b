// An answer on its way from the engine to whoever reads it: sampled ids through the parser, and what each of
// them was.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat/parser.h"
#include "text/tokenizer.h"

namespace hadal {

// What a sampled token belongs to. kMarkup: to nothing that is shown as text; "</think>", tool calls, a stop
// string, what came after the calls.
enum class TokenPart : uint8_t { kReasoning, kContent, kMarkup };

// Feeds one answer's tokens to a parser. Borrows tokenizer and sink. Not thread-safe.
class AnswerStream : private ParserSink {
 public:
  AnswerStream(const Tokenizer& tokenizer, ParserOptions options, ParserSink& sink);
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;

  // The next sampled id. One that ends the turn is finish(kEos). Ignored when finished.
  void push(int32_t id);
  // No more come. Ignored when finished.
  void finish(FinishCause cause);
  bool finished() const { return parser_.finished(); }
  int repairs() const { return parser_.repairs(); }
  int failures() const { return parser_.failures(); }

  // Sampled tokens so far (A17.9): all but the one that ended the turn; and those before "</think>".
  int64_t completion_tokens() const { return static_cast<int64_t>(parts_.size() + pending_.size()); }
  int64_t reasoning_tokens() const;
  // What the first tokens were, in order. Some of the last are missing as long as the text could still turn
  // out to be a tool call or a stop string; when finished there is one for each. A token that is text in part
  // counts as text.
  const std::vector<TokenPart>& parts() const { return parts_; }

 private:
  // A token of which nothing has come out yet.
  struct Pending {
    size_t bytes = 0;
    bool silent = false;  // says nothing wherever it stands
  };

  void on_reasoning(std::string_view delta) override;
  void on_content(std::string_view delta) override;
  void on_call(int index, std::string_view name) override { sink_.on_call(index, name); }
  void on_arguments(int index, std::string_view delta) override { sink_.on_arguments(index, delta); }
  void on_finish(FinishReason reason, std::string_view stop) override { sink_.on_finish(reason, stop); }
  void settle(bool whole, TokenPart rest);
  void decide(size_t count, TokenPart part);

  const Tokenizer& tokenizer_;
  ChatParser parser_;
  ParserSink& sink_;
  std::vector<TokenPart> parts_;
  std::vector<Pending> pending_;
  int64_t reasoning_ = 0;                   // in parts_
  size_t heard_ = 0;                        // bytes of text that came out since the last token was pushed
  TokenPart channel_ = TokenPart::kMarkup;  // and what they are
};

}  // namespace hadal
