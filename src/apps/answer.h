// An answer on its way to a person or a program: sampled ids through the detokenizer and the parser.
#pragma once

#include <string>

#include "apps/generation.h"
#include "chat/parser.h"
#include "text/detokenizer.h"

namespace hadal::apps {

// Feeds one answer's tokens to a parser. Borrows both.
class AnswerStream {
 public:
  AnswerStream(const Tokenizer& tokenizer, ParserOptions options, ParserSink& sink)
      : tokenizer_(tokenizer), parser_(std::move(options)), sink_(sink) {}

  void push(int32_t id) {
    if (tokenizer_.is_added(id))
      parser_.push_special(tokenizer_.token_bytes(id), sink_);
    else
      parser_.push_bytes(tokenizer_.token_bytes(id), sink_);
  }
  void finish(Finish finish) {
    if (!parser_.finished())
      parser_.finish(finish == Finish::kStop ? FinishCause::kEos : FinishCause::kLength, sink_);
  }
  bool finished() const { return parser_.finished(); }

 private:
  const Tokenizer& tokenizer_;
  ChatParser parser_;
  ParserSink& sink_;
};

// Keeps the whole message. Reasoning and content also go to standard output as they come, where asked for:
// reasoning dim on a terminal.
class AnswerPrinter : public ParserSink {
 public:
  struct Options {
    bool print_content = true;
    bool print_reasoning = false;
    bool colour = false;
  };
  explicit AnswerPrinter(Options options) : options_(options) {}

  void on_reasoning(std::string_view delta) override;
  void on_content(std::string_view delta) override;
  void on_call(int index, std::string_view name) override;
  void on_arguments(int index, std::string_view delta) override;
  void on_finish(FinishReason reason, std::string_view stop) override;

  const Message& message() const { return message_; }

 private:
  void put(std::string_view text);
  void leave_reasoning();

  Options options_;
  Message message_;
  bool reasoning_open_ = false;
};

}  // namespace hadal::apps
