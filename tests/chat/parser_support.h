// Running the parser on completions written as one text.
#pragma once

#include <ostream>
#include <string>

#include "chat/collect.h"

namespace hadal {

inline void PrintTo(const ParsedMessage& message, std::ostream* out) {
  *out << "reasoning <" << message.reasoning << "> content <" << message.content << ">";
  for (const ParsedCall& call : message.calls) *out << " " << call.name << " <" << call.arguments << ">";
  *out << " " << finish_reason_name(message.reason) << " <" << message.stop << ">"
       << (message.finished ? "" : " unfinished");
}

}  // namespace hadal

namespace hadal::test {

inline ParserOptions chat_options() {
  return {};
}
inline ParserOptions thinking_options() {
  ParserOptions options;
  options.start = ParserStart::kReasoning;
  return options;
}

// cause: why the stream ended, if the completion does not end with a token that says so.
inline ParsedMessage parsed(const ParserOptions& options, const std::string& completion, size_t fragment = 0,
                            FinishCause cause = FinishCause::kLength) {
  ChatParser parser(options);
  CollectingSink sink;
  push_flat(parser, completion, fragment, sink);
  parser.finish(cause, sink);
  return sink.message;
}

inline const std::string kEos = "<｜end▁of▁sentence｜>";

// A block around invocations, and one invocation, as the model writes them.
inline std::string block(const std::string& invocations) {
  return "\n\n<｜DSML｜tool_calls>\n" + invocations + "</｜DSML｜tool_calls>";
}
inline std::string invoke(const std::string& name, const std::string& parameters) {
  return "<｜DSML｜invoke name=\"" + name + "\">\n" + parameters + "\n</｜DSML｜invoke>\n";
}
inline std::string parameter(const std::string& key, const std::string& value, bool string = true) {
  return "<｜DSML｜parameter name=\"" + key + "\" string=\"" + (string ? "true" : "false") + "\">" + value +
         "</｜DSML｜parameter>";
}

}  // namespace hadal::test
