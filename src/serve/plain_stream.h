// Sampled ids of a raw completion to text: no chat format, only stop strings.
#pragma once

#include <string>
#include <vector>

#include "chat/parser.h"
#include "chat/stop_matcher.h"
#include "text/detokenizer.h"

namespace hadal::serve {

// One answer's; not thread-safe. Text goes to the sink's on_content.
class PlainStream {
 public:
  PlainStream(const Tokenizer& tokenizer, std::vector<std::string> stops, ParserSink& sink)
      : decoder_(tokenizer), stops_(std::move(stops)), sink_(sink) {}

  void push(int32_t id) {
    if (!finished_) text(decoder_.push(id));
  }
  void finish(FinishCause cause) {
    if (!finished_) text(decoder_.finish());
    if (finished_) return;
    std::string rest;
    stops_.flush(rest);
    if (!rest.empty()) sink_.on_content(rest);
    end(cause == FinishCause::kEos      ? FinishReason::kStop
        : cause == FinishCause::kLength ? FinishReason::kLength
                                        : FinishReason::kInsufficientResource,
        {});
  }
  bool finished() const { return finished_; }

 private:
  void text(const std::string& bytes) {
    std::string certain;
    bool stopped = false;
    for (size_t i = 0; i < bytes.size() && !stopped; ++i) stopped = stops_.push(bytes[i], certain);
    // What is held back begins where a stop string begins, so no character is cut.
    if (!certain.empty()) sink_.on_content(certain);
    if (stopped) end(FinishReason::kStop, stops_.matched());
  }
  void end(FinishReason reason, const std::string& stop) {
    finished_ = true;
    sink_.on_finish(reason, stop);
  }

  StreamDecoder decoder_;
  StopMatcher stops_;
  ParserSink& sink_;
  bool finished_ = false;
};

}  // namespace hadal::serve
