// An answer on its way to a person: printed as it comes, and kept.
#pragma once

#include <string_view>

#include "chat/message.h"
#include "chat/parser.h"

namespace hadal::apps {

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
