// The stream, reasoning and content. The block of tool calls is in parser_calls.cc.
#include "chat/parser.h"

#include <utility>

#include "chat/special_tokens.h"
#include "text/utf8.h"

namespace hadal {

using markup::Fit;
using markup::Match;

ParserStart parser_start(const std::vector<PromptItem>& prompt) {
  size_t last = prompt.size();
  while (last > 0 && !prompt[last - 1].special) --last;
  if (last == 0) return ParserStart::kContent;
  const std::string& literal = prompt[last - 1].text;
  const bool text_follows = last < prompt.size();
  if (literal == special::kThink)
    return text_follows ? ParserStart::kReasoningContinued : ParserStart::kReasoning;
  if (literal == special::kDsml && text_follows && last >= 2 && !prompt[last - 2].text.ends_with("</"))
    return ParserStart::kToolCalls;
  return text_follows ? ParserStart::kContentContinued : ParserStart::kContent;
}

std::string_view finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kToolCalls:
      return "tool_calls";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kInsufficientResource:
      return "insufficient_system_resource";
  }
  return {};
}

ChatParser::ChatParser(ParserOptions options) : options_(std::move(options)), stops_(options_.stops) {
  const ParserStart start = options_.start;
  if (start == ParserStart::kToolCalls)
    state_ = State::kCalls;
  else if (start == ParserStart::kReasoning || start == ParserStart::kReasoningContinued)
    enter_text(State::kReasoning, start == ParserStart::kReasoning);
  else
    enter_text(State::kContent, start == ParserStart::kContent);
  if (start == ParserStart::kContentContinued) line_start_ = false;
}

void ChatParser::enter_text(State state, bool leading) {
  state_ = state;
  leading_ = leading && !options_.exact_newlines;
  line_start_ = true;
}

void ChatParser::push_units(std::string_view text) {
  units_.reserve(units_.size() + text.size());
  for (const char c : text) units_.push_back(static_cast<unsigned char>(c));
}

void ChatParser::push_bytes(std::string_view bytes, ParserSink& sink) {
  if (finished_) return;
  std::string joined;
  if (!utf8_held_.empty()) {
    joined = std::exchange(utf8_held_, {});
    joined.append(bytes);
    bytes = joined;
  }
  std::string clean;
  const size_t taken = utf8_append_lossy(clean, bytes, true);
  utf8_held_.assign(bytes.substr(taken));
  push_units(clean);
  drain(false, sink);
}

void ChatParser::push_special(std::string_view literal, ParserSink& sink) {
  if (finished_) return;
  if (special::ends_turn(literal)) return finish(FinishCause::kEos, sink);
  if (!std::exchange(utf8_held_, {}).empty()) push_units("\xEF\xBF\xBD");
  if (literal == special::kDsml)
    units_.push_back(markup::kDsml);
  else if (literal == special::kThink)
    units_.push_back(markup::kThink);
  else if (literal == special::kEndThink)
    units_.push_back(markup::kEndThink);
  else
    push_units(literal);
  drain(false, sink);
}

void ChatParser::finish(FinishCause cause, ParserSink& sink) {
  if (finished_) return;
  if (!std::exchange(utf8_held_, {}).empty()) push_units("\xEF\xBF\xBD");
  turn_ends_ = cause == FinishCause::kEos && options_.lenient;
  drain(true, sink);
  if (finished_) return;
  if (state_ == State::kReasoning || state_ == State::kContent) {
    release_newlines(0);
    if (finished_) return;
  }
  std::string last;
  stops_.flush(last);
  emit(Channel::kContent, last);
  if (turn_ends_)
    close_everything();
  else
    show_unfinished_value();
  if (cause == FinishCause::kLength) return end(FinishReason::kLength);
  if (cause == FinishCause::kFailure) return end(FinishReason::kInsufficientResource);
  end(calls_ > 0 ? FinishReason::kToolCalls : FinishReason::kStop);
}

void ChatParser::drain(bool at_end, ParserSink& sink) {
  sink_ = &sink;
  while (front_ < units_.size() && !finished_ && step(at_end)) {
  }
  units_.erase(units_.begin(), units_.begin() + static_cast<std::ptrdiff_t>(front_));
  front_ = 0;
  flush_delta();
}

bool ChatParser::step(bool at_end) {
  switch (state_) {
    case State::kReasoning:
    case State::kContent:
      return text_step(at_end);
    case State::kCalls:
      return calls_step(at_end);
    case State::kName:
      return name_step();
    case State::kArgs:
      return args_step(at_end);
    case State::kKey:
      return key_step();
    case State::kKind:
      return kind_step();
    case State::kValueLead:
      return value_lead_step(at_end);
    case State::kString:
    case State::kRaw:
      return value_step(at_end);
    case State::kCloseTag:
      return close_tag_step();
    case State::kDone:
      discarded_ += front_text().size();
      consume(1);
      return true;
  }
  return false;
}

bool ChatParser::text_step(bool at_end) {
  const Unit unit = front();
  if (unit == '\n') {
    if (!leading_) ++newlines_;
    line_start_ = true;
    consume(1);
    return true;
  }
  if (unit == markup::kEndThink && state_ == State::kReasoning) {
    if (options_.exact_newlines) release_newlines(0);
    newlines_ = 0;
    consume(1);
    enter_text(State::kContent, true);
    return true;
  }
  if (unit == markup::kEndThink || unit == markup::kThink) {  // a stray one says nothing to anyone (A17.3)
    consume(1);
    return true;
  }
  if (unit == '<' && options_.tools) {
    bool wait = false;
    if (try_open_block(at_end, wait)) return true;
    if (wait) return false;
  }
  release_newlines(0);
  leading_ = line_start_ = false;
  if (finished_) return false;
  text_bytes(front_text());
  consume(1);
  return true;
}

bool ChatParser::try_open_block(bool at_end, bool& wait) {
  const bool reasoning = state_ == State::kReasoning;
  const Match token = reasoning ? markup::reasoning_opener(rest()) : markup::token_opener(rest());
  if (token.fit == Fit::kFull) {
    open_block(token.length, markup::Style::kToken);
    return true;
  }
  wait = awaits(token, at_end);
  if (reasoning || !options_.lenient || !line_start_) return false;
  const markup::Opener text = markup::text_opener(rest());
  if (text.match.fit == Fit::kFull) {
    open_block(text.match.length, text.style);
    return true;
  }
  wait = wait || awaits(text.match, at_end);
  return false;
}

void ChatParser::open_block(size_t consume_units, markup::Style style) {
  if (options_.exact_newlines) release_newlines(2);
  if (finished_) return;  // the newlines were a stop string
  std::string last;
  stops_.flush(last);
  emit(Channel::kContent, last);
  opened_in_ = state_;
  state_ = State::kCalls;
  style_ = style;
  repairs_ += style != markup::Style::kToken;
  raw_.assign(newlines_, '\n');
  newlines_ = 0;
  consume(consume_units);
}

// Newlines that turned out to be text; the last keep_back stay held.
void ChatParser::release_newlines(size_t keep_back) {
  while (newlines_ > keep_back && !finished_) {
    --newlines_;
    text_bytes("\n");
  }
}

void ChatParser::text_bytes(std::string_view bytes) {
  if (state_ == State::kReasoning)
    emit(Channel::kReasoning, bytes);
  else
    content_bytes(bytes);
}

void ChatParser::content_bytes(std::string_view bytes) {
  std::string passed;
  bool stop = false;
  for (size_t i = 0; i < bytes.size() && !stop; ++i) stop = stops_.push(bytes[i], passed);
  emit(Channel::kContent, passed);
  if (stop) end(FinishReason::kStop);
}

void ChatParser::emit(Channel channel, std::string_view bytes) {
  if (bytes.empty()) return;
  if (channel != channel_) flush_delta();
  channel_ = channel;
  delta_.append(bytes);
}

void ChatParser::flush_delta() {
  const std::string delta = std::exchange(delta_, {});
  if (delta.empty()) return;
  if (channel_ == Channel::kReasoning) sink_->on_reasoning(delta);
  if (channel_ == Channel::kContent) sink_->on_content(delta);
  if (channel_ == Channel::kArguments) sink_->on_arguments(calls_ - 1, delta);
}

void ChatParser::end(FinishReason reason) {
  flush_delta();
  finished_ = true;
  sink_->on_finish(reason, stops_.matched());
}

std::string ChatParser::front_text() const {
  switch (front()) {
    case markup::kDsml:
      return std::string(special::kDsml);
    case markup::kThink:
      return std::string(special::kThink);
    case markup::kEndThink:
      return std::string(special::kEndThink);
    default:
      return std::string(1, static_cast<char>(front()));
  }
}

void ChatParser::consume(size_t n) {
  for (; n > 0; --n, ++front_) {
    const bool keeps = calls_ == 0 && state_ >= State::kCalls && state_ != State::kDone;
    if (keeps) raw_.append(front_text());
  }
}

}  // namespace hadal
