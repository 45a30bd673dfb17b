// The parser's events put together again: the message of an answer that is not streamed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/parser.h"

namespace hadal {

struct ParsedCall {
  std::string name;
  std::string arguments;  // JSON text, possibly truncated or invalid if the model's was
  bool operator==(const ParsedCall&) const = default;
};

struct ParsedMessage {
  std::string reasoning;
  std::string content;
  std::vector<ParsedCall> calls;
  bool finished = false;
  FinishReason reason = FinishReason::kStop;
  std::string stop;  // the stop string that ended it, or empty
  bool operator==(const ParsedMessage&) const = default;
};

class CollectingSink : public ParserSink {
 public:
  void on_reasoning(std::string_view delta) override { message.reasoning.append(delta); }
  void on_content(std::string_view delta) override { message.content.append(delta); }
  void on_call(int index, std::string_view name) override;
  void on_arguments(int index, std::string_view delta) override;
  void on_finish(FinishReason reason, std::string_view stop) override;

  ParsedMessage message;
};

// Of a repeated key the last value counts (A17.5.5). Arguments without one, or that are no JSON object, stay
// as they are.
std::string without_repeated_keys(const std::string& arguments);

// Feeds a completion written as one text to a parser: the literals of special tokens in it become special
// events, the bytes between them arrive `fragment` at a time (0: all at once). Does not finish.
void push_flat(ChatParser& parser, std::string_view completion, size_t fragment, ParserSink& sink);

}  // namespace hadal
