#include "serve/openai/patch_input.h"

#include <utility>

#include "text/utf8.h"

namespace hadal::serve::responses {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

std::string PatchInput::push(std::string_view json) {
  std::string out;
  for (const char c : json) {
    if (state_ != State::kInput && state_ != State::kBareInput && state_ != State::kFound) all_ += c;
    step(c, out);
  }
  return out;
}

std::string PatchInput::finish() {
  std::string out;
  if (state_ == State::kNone) out = std::exchange(all_, {});
  if (state_ == State::kInput) end_pair(out);
  if (state_ == State::kBareInput) {  // to the end of the arguments
    const auto trim = [&] {
      while (!text_.empty() && is_space(text_.back())) text_.pop_back();
    };
    trim();
    if (text_.ends_with('}')) text_.pop_back();
    trim();
    out = std::exchange(text_, {});
  }
  state_ = State::kFound;
  return out;
}

void PatchInput::step(char c, std::string& out) {
  switch (state_) {
    case State::kBegin:
      if (!is_space(c)) state_ = c == '{' ? State::kMember : State::kNone;
      break;
    case State::kMember:
      if (c == '"') {
        text_.clear();
        state_ = State::kKey;
      } else if (!is_space(c) && c != ',') {
        state_ = State::kNone;
      }
      break;
    case State::kKey:
      if (string_byte(c, text_)) state_ = State::kColon;
      break;
    case State::kColon:
      if (!is_space(c)) state_ = c == ':' ? State::kValue : State::kNone;
      break;
    case State::kValue:
      if (is_space(c)) break;
      if (text_ == "input") {
        text_.clear();
        state_ = c == '"' ? State::kInput : State::kBareInput;
        if (c != '"') text_ += c;
      } else if (c == '"') {
        state_ = State::kOtherString;
      } else if (c == '{' || c == '[') {
        depth_ = 1;
        state_ = State::kOtherNested;
      } else {
        state_ = State::kOtherScalar;
      }
      break;
    case State::kInput:
      if (string_byte(c, out)) state_ = State::kFound;
      break;
    case State::kBareInput:
      text_ += c;
      break;
    case State::kOtherString:
      skipped_.clear();
      if (string_byte(c, skipped_)) state_ = State::kMember;
      break;
    case State::kOtherNested:
      if (quoted_) {
        skipped_.clear();
        quoted_ = !string_byte(c, skipped_);
      } else if (c == '"') {
        quoted_ = true;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if ((c == '}' || c == ']') && --depth_ == 0) {
        state_ = State::kMember;
      }
      break;
    case State::kOtherScalar:
      if (c == ',') state_ = State::kMember;
      if (c == '}') state_ = State::kNone;
      break;
    case State::kNone:
    case State::kFound:
      break;
  }
}

bool PatchInput::string_byte(char c, std::string& out) {
  if (digits_ > 0) {
    const char letter = static_cast<char>(c | 0x20);
    if ((c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'f')) {
      hex_digit(c <= '9' ? c - '0' : letter - 'a' + 10, out);
      return false;
    }
    digits_ = 0;  // no escape after all
    end_pair(out);
    out += kReplacement;
  }
  if (escaped_) {
    escaped_ = false;
    if (c == 'u') {
      digits_ = 4;
      unit_ = 0;
      return false;
    }
    end_pair(out);
    constexpr std::string_view kLetters = "bfnrt", kMeanings = "\b\f\n\r\t";
    const size_t at = kLetters.find(c);
    out += at == std::string_view::npos ? c : kMeanings[at];
    return false;
  }
  if (c == '\\') {
    escaped_ = true;
    return false;
  }
  end_pair(out);
  if (c == '"') return true;
  out += c;
  return false;
}

void PatchInput::hex_digit(int digit, std::string& out) {
  unit_ = unit_ * 16 + static_cast<uint32_t>(digit);
  if (--digits_ > 0) return;
  const bool low = unit_ >= 0xDC00 && unit_ < 0xE000;
  if (low && high_ != 0) {
    append_utf8(out, 0x10000 + ((high_ - 0xD800) << 10) + (unit_ - 0xDC00));
    high_ = 0;
    return;
  }
  end_pair(out);
  if (unit_ >= 0xD800 && unit_ < 0xDC00)
    high_ = unit_;
  else if (low)
    out += kReplacement;
  else
    append_utf8(out, unit_);
}

// The second half of a pair did not come.
void PatchInput::end_pair(std::string& out) {
  if (std::exchange(high_, 0) != 0) out += kReplacement;
}

}  // namespace hadal::serve::responses
