#include "chat/markup.h"

namespace hadal::markup {
namespace {

constexpr size_t kMostSpaces = 16;   // between the words of a tag
constexpr size_t kMostNewlines = 8;  // between the block tag and the first invocation

bool is_space(Unit u) {
  return u == ' ' || u == '\t' || u == '\n' || u == '\r';
}

// Reads one required element after the other; after the first that fails, fit() tells why.
class Scanner {
 public:
  explicit Scanner(std::span<const Unit> units) : units_(units) {}

  Fit fit() const { return fit_; }
  size_t at() const { return at_; }
  Match match() const { return {fit_, at_}; }

  // The next unit; sets kPartial where there is none.
  bool peek(Unit& unit) {
    if (fit_ != Fit::kFull) return false;
    if (at_ == units_.size()) {
      fit_ = Fit::kPartial;
      return false;
    }
    unit = units_[at_];
    return true;
  }
  bool no() {
    fit_ = Fit::kNo;
    return false;
  }
  bool unit(Unit wanted) {
    Unit u = 0;
    if (!peek(u)) return false;
    if (u != wanted) return no();
    ++at_;
    return true;
  }
  bool literal(std::string_view text) {
    for (const char c : text)
      if (!unit(static_cast<unsigned char>(c))) return false;
    return true;
  }
  // Up to `most` units of a kind; false only when the stream ends first.
  template <class Kind>
  bool some(size_t most, Kind kind) {
    Unit u = 0;
    for (size_t n = 0; n < most; ++n) {
      if (!peek(u)) return false;
      if (!kind(u)) return true;
      ++at_;
    }
    return true;
  }
  bool spaces(size_t most) { return some(most, is_space); }

  // One or two bars, ASCII or fullwidth.
  bool bars() {
    Unit u = 0;
    for (int n = 0; n < 2; ++n) {
      if (!peek(u)) return false;
      if (u == '|')
        ++at_;
      else if (u == 0xEF && !literal("\xEF\xBD\x9C"))
        return false;
      else if (u != 0xEF)
        return n > 0 || no();
    }
    return true;
  }

  // What makes a tag a tool tag.
  bool mark(Style style) {
    if (style == Style::kPlain) return true;
    if (style == Style::kToken) return unit(kDsml);
    const auto blank = [](Unit u) { return u == ' '; };
    Unit u = 0;
    if (!peek(u)) return false;
    if (u == kDsml) return unit(kDsml);
    if (!some(2, blank) || !peek(u)) return false;
    if (u != 'D' && !(bars() && some(2, blank))) return false;
    return literal("DSML") && some(2, blank) && bars() && some(2, blank);
  }

  // "tool_calls", or "calls" as in later generations.
  bool block_name() {
    Unit u = 0;
    if (!spaces(2) || !peek(u)) return false;
    return literal(u == 'c' ? "calls" : "tool_calls");
  }

  bool named(std::string_view word) { return literal(word) && spaces(kMostSpaces) && literal("name=\""); }

 private:
  std::span<const Unit> units_;
  size_t at_ = 0;
  Fit fit_ = Fit::kFull;
};

}  // namespace

Match token_opener(std::span<const Unit> units) {
  Scanner s(units);
  s.literal("<") && s.mark(Style::kToken);
  return s.match();
}

Match reasoning_opener(std::span<const Unit> units) {
  Scanner s(units);
  if (!s.literal("<") || !s.mark(Style::kToken)) return s.match();
  const size_t mark_end = s.at();
  const auto newline = [](Unit u) { return u == '\n' || u == '\r'; };
  s.block_name() && s.literal(">") && s.literal("\n") && s.some(kMostNewlines, newline) && s.literal("<") &&
      s.mark(Style::kToken) && s.spaces(2) && s.named("invoke");
  return {s.fit(), mark_end};
}

Opener text_opener(std::span<const Unit> units) {
  Scanner plain(units);
  if (plain.literal("<tool_calls>")) {
    const size_t length = plain.at();
    const auto blank = [](Unit u) { return u == ' ' || u == '\r'; };
    plain.some(2, blank) && plain.literal("\n") && plain.spaces(kMostNewlines) &&
        plain.literal("<invoke name=");
    return {{plain.fit(), length}, Style::kPlain};
  }
  if (plain.fit() == Fit::kPartial) return {plain.match(), Style::kPlain};

  Scanner s(units);
  if (!s.literal("<") || !s.mark(Style::kSpelled)) return {s.match(), Style::kSpelled};
  const size_t mark_end = s.at();
  Unit u = 0;
  if (!s.spaces(2) || !s.peek(u)) return {s.match(), Style::kSpelled};
  if (u == 'i') {
    s.named("invoke");
    return {{s.fit(), mark_end}, Style::kSpelled};
  }
  s.block_name() && s.literal(">");
  return {s.match(), Style::kSpelled};
}

Match closer(std::span<const Unit> units, Style style) {
  Scanner s(units);
  if (!s.literal("</") || !s.mark(style)) return s.match();
  if (style == Style::kToken) return s.match();
  const size_t mark_end = s.at();
  Unit u = 0;
  if (s.spaces(2) && s.peek(u)) {
    if (u == 'p')
      s.literal("parameter");
    else if (u == 'i')
      s.literal("invoke");
    else
      s.block_name();
  }
  return {s.fit(), mark_end};
}

Match named(std::span<const Unit> units, std::string_view word) {
  Scanner s(units);
  s.named(word);
  return s.match();
}

Match nested_parameter(std::span<const Unit> units, Style style) {
  Scanner s(units);
  s.literal("<") && s.mark(style) && s.spaces(2) && s.named("parameter");
  return s.match();
}

}  // namespace hadal::markup
