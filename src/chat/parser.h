// From the stream of sampled tokens to reasoning, content and tool calls (api.md A17). The caller feeds the
// bytes of ordinary tokens and the literals of special ones in the order they were sampled; what comes out
// does not depend on how the bytes are cut. Every delta is whole, valid UTF-8. Not thread-safe; one parser
// per completion.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/markup.h"
#include "chat/prompt_item.h"
#include "chat/stop_matcher.h"

namespace hadal {

// Where the prompt ended. The continued starts do not skip newlines at the beginning.
enum class ParserStart { kReasoning, kReasoningContinued, kContent, kContentContinued, kToolCalls };

// The start that fits a prompt of encode_chat.
ParserStart parser_start(const std::vector<PromptItem>& prompt);

struct ParserOptions {
  ParserStart start = ParserStart::kContent;
  bool tools = true;    // tools were rendered; otherwise markup is content
  bool lenient = true;  // accept the malformed markup of A17.5; otherwise only special tokens are markup
  bool exact_newlines = false;  // as the published parser: only the empty line before a block is taken away
  bool whole_values =
      false;  // nothing is streamed: a bare word as a non-string value becomes a string (A17.5.3)
  std::vector<std::string> stops;  // end the answer when they appear in the content; valid UTF-8
};

// Why no more tokens come.
enum class FinishCause { kEos, kLength, kFailure };
enum class FinishReason { kStop, kToolCalls, kLength, kInsufficientResource };
// The spelling of the API: "stop", "tool_calls", ...
std::string_view finish_reason_name(FinishReason reason);

class ParserSink {
 public:
  virtual ~ParserSink() = default;
  virtual void on_reasoning(std::string_view delta) = 0;
  virtual void on_content(std::string_view delta) = 0;
  virtual void on_call(int index, std::string_view name) = 0;
  virtual void on_arguments(int index, std::string_view delta) = 0;  // pieces of one JSON text
  // Once, last. stop: the stop string that was found, or empty.
  virtual void on_finish(FinishReason reason, std::string_view stop) = 0;
};

class ChatParser {
 public:
  explicit ChatParser(ParserOptions options);

  void push_bytes(std::string_view bytes, ParserSink& sink);
  // A special or added token by its literal. One that ends the turn (special::ends_turn) is finish(kEos).
  void push_special(std::string_view literal, ParserSink& sink);
  void finish(FinishCause cause, ParserSink& sink);

  bool finished() const { return finished_; }  // on_finish was called; anything pushed now is ignored
  // What comes next belongs to the reasoning, or to the content; neither: to tool calls, or to nothing.
  bool in_reasoning() const { return state_ == State::kReasoning; }
  bool in_content() const { return state_ == State::kContent; }
  size_t discarded() const { return discarded_; }  // bytes that stood after the tool block
  // Malformed markup so far: that was understood all the same (A17.5), and blocks in which there was no call.
  int repairs() const { return repairs_; }
  int failures() const { return failures_; }

 private:
  using Unit = markup::Unit;
  enum class State {
    kReasoning,
    kContent,
    kCalls,      // inside a block, between invocations
    kName,       // the function's name
    kArgs,       // inside an invocation, between parameters
    kKey,        // the parameter's name
    kKind,       // the rest of the opening tag, which says whether the value is a string
    kValueLead,  // white space before the value is certain to be one and not a nested parameter
    kString,
    kRaw,
    kCloseTag,  // after "</" and the mark: the tag's name
    kDone,      // after the block
  };
  enum class Channel { kNone, kReasoning, kContent, kArguments };

  // parser.cc: the stream, reasoning and content
  void enter_text(State state, bool leading);
  void push_units(std::string_view text);
  void drain(bool at_end, ParserSink& sink);
  bool step(bool at_end);
  bool text_step(bool at_end);
  bool try_open_block(bool at_end, bool& wait);
  void open_block(size_t consume, markup::Style style);
  void release_newlines(size_t keep_back);
  void text_bytes(std::string_view bytes);
  void content_bytes(std::string_view bytes);
  void emit(Channel channel, std::string_view bytes);
  void flush_delta();
  void end(FinishReason reason);

  // parser_calls.cc: the block
  bool calls_step(bool at_end);
  bool name_step();
  bool args_step(bool at_end);
  bool key_step();
  bool kind_step();
  bool value_lead_step(bool at_end);
  bool value_step(bool at_end);
  bool close_tag_step();
  void leave_tag();
  void start_call();
  void arguments(std::string_view bytes) { emit(Channel::kArguments, bytes); }
  void open_member();
  void close_object();
  void close_invocation();
  void begin_value();
  void value_text(std::string_view bytes);
  void end_value();
  void decide_kind();
  void show_unfinished_value();
  void close_everything();

  std::span<const Unit> rest() const { return std::span<const Unit>(units_).subspan(front_); }
  Unit front() const { return units_[front_]; }
  std::string front_text() const;  // the front unit as bytes
  void consume(size_t n);          // inside a block that has no call yet, also keeps the text
  // Whether markup of this fit is to be awaited.
  static bool awaits(const markup::Match& match, bool at_end) {
    return match.fit == markup::Fit::kPartial && !at_end;
  }

  const ParserOptions options_;
  State state_ = State::kContent;
  std::vector<Unit> units_;  // from front_ on: not yet decided
  size_t front_ = 0;
  std::string utf8_held_;

  // text
  bool leading_ = false;     // nothing but newlines so far, which are skipped
  bool line_start_ = false;  // the next byte begins a line of the content
  size_t newlines_ = 0;      // held back until it is known that no block follows
  StopMatcher stops_;
  // block
  markup::Style style_ = markup::Style::kToken;
  State opened_in_ = State::kContent;
  std::string raw_;  // the block's text until its first call
  int calls_ = 0;
  std::string name_;
  std::string kind_;
  std::string lead_;
  std::string value_;  // of a raw value, as far as it came
  std::string tag_;
  State tag_from_ = State::kCalls;
  bool string_value_ = true;
  std::vector<bool> members_;  // for every open JSON object: whether it has a member; [0] is the arguments
  size_t discarded_ = 0;
  int repairs_ = 0, failures_ = 0;
  // output
  ParserSink* sink_ = nullptr;  // during a call
  Channel channel_ = Channel::kNone;
  std::string delta_;
  bool turn_ends_ = false;  // the model ended its turn, and malformed markup is to be repaired
  bool finished_ = false;
};

}  // namespace hadal
