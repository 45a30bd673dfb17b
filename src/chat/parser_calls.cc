// The block of tool calls: names, keys and values become the pieces of a JSON object (api.md A17.3, A17.5).
#include <string>

#include "chat/parser.h"
#include "chat/python_json.h"
#include "text/json_value.h"

namespace hadal {

using markup::Fit;
using markup::Match;

namespace {

constexpr size_t kMostTag = 24;     // bytes of a closing tag's name
constexpr size_t kMostNested = 32;  // objects made of nested parameters

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool ends_block(std::string_view tag) {
  return tag.starts_with("tool_calls") || tag.starts_with("calls");
}

// A non-string value that is no JSON but a bare word was meant as a string.
std::string repaired(const std::string& value) {
  const std::string_view word = trimmed(value);
  if (word.empty() || std::string_view("{[\"").find(word[0]) != std::string_view::npos || parse_json(value))
    return value;
  return json_quoted(word);
}

// What a JSON text that breaks off lacks: the end of a string, brackets.
std::string missing_end(std::string_view json) {
  std::string closers;
  bool string = false, escaped = false;
  for (const char c : json) {
    if (string) {
      string = escaped || c != '"';
      escaped = !escaped && c == '\\';
    } else if (c == '"') {
      string = true;
    } else if (c == '[' || c == '{') {
      closers.push_back(c == '[' ? ']' : '}');
    } else if ((c == ']' || c == '}') && !closers.empty()) {
      closers.pop_back();
    }
  }
  std::string end = string ? (escaped ? "\\\"" : "\"") : "";
  end.append(closers.rbegin(), closers.rend());
  return end;
}

}  // namespace

bool ChatParser::calls_step(bool at_end) {
  const Unit unit = front();
  const Match close = unit == '<' ? markup::closer(rest(), style_) : Match{};
  const Match invoke = unit == 'i' ? markup::named(rest(), "invoke") : Match{};
  if (awaits(close, at_end) || awaits(invoke, at_end)) return false;
  if (close.fit == Fit::kFull) {
    consume(close.length);
    tag_.clear();
    tag_from_ = State::kCalls;
    state_ = State::kCloseTag;
  } else if (invoke.fit == Fit::kFull) {
    consume(invoke.length);
    name_.clear();
    state_ = State::kName;
  } else {
    consume(1);
  }
  return true;
}

bool ChatParser::name_step() {
  if (front() == '"') {
    consume(1);
    start_call();
    return true;
  }
  name_.append(front_text());
  consume(1);
  return true;
}

void ChatParser::start_call() {
  flush_delta();
  sink_->on_call(calls_++, name_);
  raw_.clear();
  members_.assign(1, false);
  state_ = State::kArgs;
}

bool ChatParser::args_step(bool at_end) {
  const Unit unit = front();
  const Match close = unit == '<' ? markup::closer(rest(), style_) : Match{};
  const Match parameter = unit == 'p' ? markup::named(rest(), "parameter") : Match{};
  const Match invoke = unit == 'i' && options_.lenient ? markup::named(rest(), "invoke") : Match{};
  if (awaits(close, at_end) || awaits(parameter, at_end) || awaits(invoke, at_end)) return false;
  if (close.fit == Fit::kFull) {
    consume(close.length);
    tag_.clear();
    tag_from_ = State::kArgs;
    state_ = State::kCloseTag;
  } else if (parameter.fit == Fit::kFull) {
    consume(parameter.length);
    open_member();
    state_ = State::kKey;
  } else if (invoke.fit == Fit::kFull) {  // the invocation before it was not closed
    ++repairs_;
    close_invocation();
    consume(invoke.length);
    name_.clear();
    state_ = State::kName;
  } else {
    consume(1);
  }
  return true;
}

void ChatParser::open_member() {
  arguments(members_.back() ? ", \"" : "{\"");
  members_.back() = true;
}

void ChatParser::close_object() {
  arguments(members_.back() ? "}" : "{}");
  members_.pop_back();
}

void ChatParser::close_invocation() {
  while (!members_.empty()) close_object();
  state_ = State::kCalls;
}

bool ChatParser::key_step() {
  if (front() == '"') {
    arguments("\": ");
    kind_.clear();
    state_ = State::kKind;
  } else {
    std::string escaped;
    append_json_escaped(front_text(), escaped);
    arguments(escaped);
  }
  consume(1);
  return true;
}

bool ChatParser::kind_step() {
  if (front() == markup::kDsml && style_ == markup::Style::kToken) {
    // The tag was never ended and the next has begun: an empty value.
    const bool closing = kind_.ends_with("</");
    ++repairs_;
    consume(1);
    string_value_ = true;
    lead_.clear();
    begin_value();
    end_value();
    tag_.clear();
    tag_from_ = State::kString;
    state_ = closing ? State::kCloseTag : State::kArgs;
    return true;
  }
  if (front() == '>')
    decide_kind();
  else
    kind_.append(front_text());
  consume(1);
  return true;
}

// Without the attribute a value is a string.
void ChatParser::decide_kind() {
  string_value_ = kind_.find("false") == std::string::npos;
  lead_.clear();
  value_.clear();
  if (options_.lenient)
    state_ = State::kValueLead;
  else
    begin_value();
}

bool ChatParser::value_lead_step(bool at_end) {
  const Unit unit = front();
  if (unit == ' ' || unit == '\t' || unit == '\r' || unit == '\n') {
    lead_.push_back(static_cast<char>(unit));
    consume(1);
    return true;
  }
  if (unit == '<' && members_.size() < kMostNested) {
    const Match nested = markup::nested_parameter(rest(), style_);
    if (awaits(nested, at_end)) return false;
    if (nested.fit == Fit::kFull) {
      consume(nested.length);
      members_.push_back(false);
      open_member();
      state_ = State::kKey;
      return true;
    }
  }
  begin_value();
  return true;
}

void ChatParser::begin_value() {
  state_ = string_value_ ? State::kString : State::kRaw;
  if (string_value_) arguments("\"");
  value_text(lead_);
}

void ChatParser::value_text(std::string_view bytes) {
  if (string_value_) {
    std::string escaped;
    append_json_escaped(bytes, escaped);
    arguments(escaped);
    return;
  }
  value_.append(bytes);
  if (!options_.whole_values) arguments(bytes);
}

void ChatParser::end_value() {
  if (string_value_) {
    arguments("\"");
  } else if (options_.whole_values) {
    const std::string value = repaired(value_);
    repairs_ += value != value_;
    arguments(value);
  }
}

bool ChatParser::value_step(bool at_end) {
  if (front() == '<') {
    const Match close = markup::closer(rest(), style_);
    if (awaits(close, at_end)) return false;
    if (close.fit == Fit::kFull) {
      consume(close.length);
      end_value();
      tag_.clear();
      tag_from_ = State::kString;
      state_ = State::kCloseTag;
      return true;
    }
    // The beginning of an end tag is all that the end of the turn has left of it; in JSON it cannot be
    // anything else.
    const bool broken_tag =
        close.fit == Fit::kPartial && turn_ends_ && !string_value_ && missing_end(value_).empty();
    if (broken_tag) {
      consume(rest().size());
      return true;
    }
  }
  value_text(front_text());
  consume(1);
  return true;
}

bool ChatParser::close_tag_step() {
  const Unit unit = front();
  if (unit == '>') {
    consume(1);
    leave_tag();
  } else if (unit > 0xFF || unit == '<' || unit == '\n' || tag_.size() == kMostTag) {
    leave_tag();
  } else {
    tag_.push_back(static_cast<char>(unit));
    consume(1);
  }
  return true;
}

void ChatParser::leave_tag() {
  const std::string_view tag = trimmed(tag_);
  if (tag_from_ == State::kCalls) {
    failures_ += ends_block(tag) && calls_ == 0;
    state_ = ends_block(tag) ? State::kDone : State::kCalls;
    return;
  }
  if (tag.starts_with("parameter")) {
    // The end of a value, of an object made of parameters, or a tag too many.
    if (tag_from_ == State::kArgs && members_.size() > 1)
      close_object();
    else
      repairs_ += tag_from_ == State::kArgs;
    state_ = State::kArgs;
    return;
  }
  repairs_ += tag_from_ == State::kString || !tag.starts_with("invoke");
  close_invocation();
  if (ends_block(tag)) state_ = State::kDone;
}

// What was generated of a value when a limit ends it (A17.5.7): nothing is added but what had been held back.
void ChatParser::show_unfinished_value() {
  if (state_ == State::kValueLead) begin_value();
  if (state_ == State::kRaw && options_.whole_values) arguments(value_);
}

// The end of the turn inside the block (A17.5.6).
void ChatParser::close_everything() {
  if (state_ < State::kCalls || state_ == State::kDone) return;
  if (calls_ == 0) {
    ++failures_;
    emit(opened_in_ == State::kReasoning ? Channel::kReasoning : Channel::kContent, raw_);
    return;
  }
  ++repairs_;
  if (state_ == State::kKey) arguments("\": \"\"");
  if (state_ == State::kKind) arguments("\"\"");
  if (state_ == State::kValueLead) begin_value();
  if (state_ == State::kString || state_ == State::kRaw) {
    if (!string_value_) {
      std::string end = missing_end(value_);
      if (trimmed(value_).empty()) end = "null";
      value_text(end);
    }
    end_value();
  }
  // A closing tag that names no parameter would have closed the invocation anyway.
  while (!members_.empty()) close_object();
}

}  // namespace hadal
