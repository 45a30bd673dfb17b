#include "sample/grammar/regex_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "sample/grammar/expr.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

constexpr int kMaxDepth = 200;
constexpr size_t kMaxRanges = 400'000;   // of all classes together: 3 MB
constexpr uint32_t kMaxCount = 1 << 30;  // no text is longer

using Kind = RegexNode::Kind;

// Thrown and caught in this file only.
struct Refused {
  size_t at;
  std::string what;
};

bool is_letter(uint32_t c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(uint32_t c) {
  return c >= '0' && c <= '9';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

class Parser {
 public:
  Parser(std::string_view pattern, size_t at, CharClasses& classes)
      : pattern_(pattern), at_(at), classes_(classes) {}

  Regex parse() {
    leading_flags();
    regex_.root = alternatives(0);
    if (at_ < pattern_.size()) refuse(at_, "a closing parenthesis without an opening one");
    return std::move(regex_);
  }

  // From the '['.
  CharSet char_class();
  size_t at() const { return at_; }

 private:
  struct Flags {
    bool ignore_case = false;
    bool dot_all = false;
  };

  [[noreturn]] void refuse(size_t at, std::string what) const { throw Refused{at, std::move(what)}; }
  bool ends() const { return at_ >= pattern_.size(); }
  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }

  uint32_t add(RegexNode node);
  uint32_t add_set(CharSet chars);
  uint32_t alternatives(int depth);
  uint32_t sequence(int depth);
  std::optional<uint32_t> assertion(int depth);
  uint32_t group(int depth);
  uint32_t atom(int depth);
  uint32_t quantified(uint32_t body, bool is_quantifiable);
  bool braces(uint32_t& min, uint32_t& max);
  std::optional<uint32_t> number();
  void leading_flags();
  Flags flags(std::string_view end);
  void group_name(char end);

  // Behind a backslash, in a class or not.
  std::optional<CharSet> class_escape(size_t begin);
  uint32_t char_escape(size_t begin, bool in_class);
  uint32_t hex_digits(int count, size_t begin);
  uint32_t unicode_escape(size_t begin);
  CharSet property(bool negative, size_t begin);
  std::optional<CharSet> class_item(uint32_t& c);

  std::string_view pattern_;
  size_t at_;
  CharClasses& classes_;
  Flags flags_;
  Regex regex_;
  size_t ranges_ = 0;
};

uint32_t Parser::add(RegexNode node) {
  for (const uint32_t part : node.parts) node.plain = node.plain && regex_.nodes[part].plain;
  if (node.kind >= Kind::kStart) node.plain = false;
  regex_.nodes.push_back(std::move(node));
  return static_cast<uint32_t>(regex_.nodes.size() - 1);
}

uint32_t Parser::add_set(CharSet chars) {
  if (flags_.ignore_case) chars = classes_.fold(chars);
  ranges_ += chars.ranges().size();
  if (ranges_ > kMaxRanges) refuse(at_, "the character classes are too large together");
  regex_.sets.push_back(std::move(chars));
  return add({.kind = Kind::kSet, .set = static_cast<uint32_t>(regex_.sets.size() - 1)});
}

uint32_t Parser::alternatives(int depth) {
  if (depth > kMaxDepth) refuse(at_, fmt::format("groups are nested deeper than {}", kMaxDepth));
  std::vector<uint32_t> parts{sequence(depth)};
  while (take("|")) parts.push_back(sequence(depth));
  if (parts.size() == 1) return parts[0];
  return add({.kind = Kind::kOr, .parts = std::move(parts)});
}

uint32_t Parser::sequence(int depth) {
  std::vector<uint32_t> parts;
  while (!ends() && pattern_[at_] != '|' && pattern_[at_] != ')') {
    if (const std::optional<uint32_t> one = assertion(depth)) {
      const bool is_ahead = regex_.nodes[*one].kind >= Kind::kAhead;
      parts.push_back(quantified(*one, is_ahead));
    } else {
      const uint32_t body = atom(depth);
      parts.push_back(quantified(body, true));
    }
  }
  if (parts.size() == 1) return parts[0];
  return add({.kind = Kind::kConcat, .parts = std::move(parts)});
}

std::optional<uint32_t> Parser::assertion(int depth) {
  const size_t begin = at_;
  if (take("^") || take("\\A")) return add({.kind = Kind::kStart});
  if (take("$") || take("\\Z") || take("\\z")) return add({.kind = Kind::kEnd});
  if (take("\\b")) return add({.kind = Kind::kBorder});
  if (take("\\B")) return add({.kind = Kind::kInside});
  if (next_is("(?<=") || next_is("(?<!")) refuse(begin, "look-behind is not supported");
  const bool is_ahead = take("(?=");
  if (!is_ahead && !take("(?!")) return std::nullopt;
  const uint32_t body = alternatives(depth + 1);
  if (!take(")")) refuse(begin, "this group is never closed");
  return add({.kind = is_ahead ? Kind::kAhead : Kind::kNoAhead, .parts = {body}});
}

void Parser::group_name(char end) {
  const size_t begin = at_;
  while (!ends() && pattern_[at_] != end && pattern_[at_] != ')') ++at_;
  if (at_ == begin || !take({&end, 1})) refuse(begin, "a group's name was expected");
}

// From the '(', which begins no look-around.
uint32_t Parser::group(int depth) {
  const size_t begin = at_++;
  const Flags outer = flags_;
  if (take("?")) {
    if (take(":")) {
    } else if (take("<") || take("P<")) {
      group_name('>');
    } else if (next_is("P=")) {
      refuse(begin, "back-references are not supported");
    } else if (next_is(">")) {
      refuse(begin, "atomic groups are not supported");
    } else {
      flags_ = flags(":");
    }
  }
  const uint32_t body = alternatives(depth + 1);
  if (!take(")")) refuse(begin, "this group is never closed");
  flags_ = outer;
  return body;
}

// "i", "s", "is-u" and so on, up to `end`.
Parser::Flags Parser::flags(std::string_view end) {
  const size_t begin = at_;
  Flags now = flags_;
  bool on = true;
  while (!take(end)) {
    if (take("-") && on) {
      on = false;
    } else if (take("i")) {
      now.ignore_case = on;
    } else if (take("s")) {
      now.dot_all = on;
    } else if (!take("u")) {
      if (next_is(")")) refuse(begin, "flags for the rest of a pattern must stand at its very beginning");
      refuse(begin, "an unknown kind of group; of the flags only i and s are supported");
    }
  }
  return now;
}

void Parser::leading_flags() {
  if (!next_is("(?")) return;
  const size_t length = pattern_.find_first_not_of("isu", 2);
  if (length == 2 || length == std::string_view::npos || pattern_[length] != ')') return;
  at_ = 2;
  flags_ = flags(")");
}

std::optional<uint32_t> Parser::number() {
  if (ends() || !is_digit(static_cast<uint8_t>(pattern_[at_]))) return std::nullopt;
  uint64_t value = 0;
  for (; !ends() && is_digit(static_cast<uint8_t>(pattern_[at_])); ++at_)
    value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(pattern_[at_] - '0'), kNoMaximum);
  return static_cast<uint32_t>(value);
}

// {n}, {n,} or {n,m}; anything else stays where it is.
bool Parser::braces(uint32_t& min, uint32_t& max) {
  const size_t begin = at_;
  if (!take("{")) return false;
  if (next_is(",")) {
    ++at_;
    if (number() && next_is("}")) refuse(begin, "dialects differ in what \"{,\" means; write {0,m} or \\{");
    at_ = begin;
    return false;
  }
  const std::optional<uint32_t> low = number();
  std::optional<uint32_t> high = low;
  if (low && take(",")) high = next_is("}") ? kNoMaximum : number();
  if (!low || !high || !take("}")) {
    at_ = begin;
    return false;
  }
  if (*low > *high) refuse(begin, "the numbers of this quantifier are out of order");
  if (*low > kMaxCount) refuse(begin, "this quantifier asks for more than any text has");
  min = *low;
  max = *high > kMaxCount ? kNoMaximum : *high;
  return true;
}

uint32_t Parser::quantified(uint32_t body, bool is_quantifiable) {
  const size_t at = at_;
  uint32_t min = 0, max = kNoMaximum;
  if (take("*")) {
  } else if (take("+")) {
    min = 1;
  } else if (take("?")) {
    max = 1;
  } else if (!braces(min, max)) {
    return body;
  }
  if (!is_quantifiable) refuse(at, "there is nothing to repeat");
  take("?");  // lazy or not, the texts are the same
  const size_t behind = at_;
  if (next_is("+")) refuse(behind, "possessive quantifiers are not supported");
  uint32_t ignored = 0;
  if (next_is("*") || next_is("?") || braces(ignored, ignored)) refuse(behind, "there is nothing to repeat");
  return add({.kind = Kind::kRepeat, .min = min, .max = max, .parts = {body}});
}

uint32_t Parser::atom(int depth) {
  const size_t begin = at_;
  switch (pattern_[at_]) {
    case '(':
      return group(depth);
    case '[':
      return add_set(char_class());
    case '.':
      ++at_;
      return add_set(flags_.dot_all ? CharSet::any() : line_chars());
    case '*':
    case '+':
    case '?':
      refuse(begin, "there is nothing to repeat");
    case '{': {
      uint32_t ignored = 0;
      if (braces(ignored, ignored)) refuse(begin, "there is nothing to repeat");
      ++at_;
      return add_set(CharSet::one('{'));
    }
    case '\\': {
      ++at_;
      if (std::optional<CharSet> chars = class_escape(begin)) return add_set(std::move(*chars));
      return add_set(CharSet::one(char_escape(begin, false)));
    }
    default:
      return add_set(CharSet::one(next_char(pattern_, at_)));
  }
}

// \d and its like; nothing is read where it is none of them.
std::optional<CharSet> Parser::class_escape(size_t begin) {
  if (ends()) refuse(begin, "a backslash at the end");
  const char letter = pattern_[at_];
  switch (letter) {
    case 'd':
    case 'D':
    case 'w':
    case 'W':
    case 's':
    case 'S': {
      ++at_;
      const char lower = static_cast<char>(letter | 0x20);
      CharSet chars = lower == 'd' ? digit_chars() : lower == 'w' ? word_chars() : space_chars();
      return lower == letter ? chars : chars.complement();
    }
    case 'p':
    case 'P':
      ++at_;
      return property(letter == 'P', begin);
    default:
      return std::nullopt;
  }
}

CharSet Parser::property(bool negative, size_t begin) {
  std::string_view name = pattern_.substr(at_, 1);  // other dialects: \pL
  if (take("{")) {
    const size_t end = pattern_.find('}', at_);
    if (end == std::string_view::npos) refuse(begin, "this property's name is never closed");
    name = pattern_.substr(at_, end - at_);
    at_ = end + 1;
    if (name.starts_with("^")) negative = !negative, name.remove_prefix(1);
  } else if (!name.empty() && is_letter(static_cast<uint8_t>(name[0]))) {
    ++at_;
  } else {
    refuse(begin, "a property's name in braces was expected");
  }
  const CharSet* chars = name.size() <= 64 ? classes_.property(name) : nullptr;
  if (!chars) refuse(begin, fmt::format("there is no Unicode property \"{}\"", name.substr(0, 64)));
  return negative ? chars->complement() : *chars;
}

uint32_t Parser::hex_digits(int count, size_t begin) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) {
    const int digit = ends() ? -1 : hex_value(pattern_[at_]);
    if (digit < 0) refuse(begin, fmt::format("{} hexadecimal digits were expected", count));
    value = value << 4 | static_cast<uint32_t>(digit);
    ++at_;
  }
  return value;
}

// Behind \u.
uint32_t Parser::unicode_escape(size_t begin) {
  if (take("{")) {
    uint32_t value = 0;
    const size_t digits = at_;
    for (int digit = 0; !ends() && (digit = hex_value(pattern_[at_])) >= 0; ++at_)
      value = std::min<uint32_t>(value << 4 | static_cast<uint32_t>(digit), kLastChar + 1);
    if (at_ == digits || !take("}")) refuse(begin, "a character's number in hexadecimal digits was expected");
    if (value > kLastChar) refuse(begin, "there is no character of this number");
    return value;
  }
  const uint32_t unit = hex_digits(4, begin);
  if (unit < 0xD800 || unit > 0xDBFF || !next_is("\\u") || next_is("\\u{")) return unit;
  const size_t behind = at_;
  at_ += 2;
  const uint32_t low = hex_digits(4, behind);
  if (low >= 0xDC00 && low <= 0xDFFF) return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
  at_ = behind;
  return unit;
}

// An escape that stands for one character.
uint32_t Parser::char_escape(size_t begin, bool in_class) {
  const uint32_t c = next_char(pattern_, at_);
  switch (c) {
    case 't':
      return '\t';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 'f':
      return '\f';
    case 'v':
      return '\v';
    case 'x':
      return hex_digits(2, begin);
    case 'u':
      return unicode_escape(begin);
    case 'c': {
      const uint32_t letter = ends() ? 0 : static_cast<uint8_t>(pattern_[at_]);
      if (!is_letter(letter)) refuse(begin, "a letter was expected after \\c");
      ++at_;
      return letter % 32;
    }
    case 'b':
      if (in_class) return '\b';
      break;
    case 'k':
      refuse(begin, "back-references are not supported");
    case '0':
      if (!ends() && is_digit(static_cast<uint8_t>(pattern_[at_])))
        refuse(begin, "octal escapes are not supported");
      return 0;
    default:
      break;
  }
  if (is_digit(c))
    refuse(begin, in_class ? "octal escapes are not supported" : "back-references are not supported");
  if (is_letter(c)) refuse(begin, fmt::format("\\{} is no known escape", static_cast<char>(c)));
  return c;
}

// One character, into c, or a set of them.
std::optional<CharSet> Parser::class_item(uint32_t& c) {
  const size_t begin = at_;
  if (!take("\\")) {
    c = next_char(pattern_, at_);
    return std::nullopt;
  }
  if (std::optional<CharSet> chars = class_escape(begin)) return chars;
  c = char_escape(begin, true);
  return std::nullopt;
}

CharSet Parser::char_class() {
  const size_t begin = at_++;
  const bool negative = take("^");
  std::vector<CharRange> ranges;
  const auto include = [&](const CharSet& chars) {
    ranges.insert(ranges.end(), chars.ranges().begin(), chars.ranges().end());
    if (ranges_ + ranges.size() > kMaxRanges) refuse(begin, "the character classes are too large together");
  };
  const auto close = [&] {
    if (ends()) refuse(begin, "this class is never closed");
    return take("]");
  };
  while (!close()) {
    const size_t item = at_;
    uint32_t first = 0, last = 0;
    const std::optional<CharSet> chars = class_item(first);
    if (chars) include(*chars);
    if (!next_is("-") || pattern_.substr(at_ + 1).starts_with("]")) {
      if (!chars) ranges.push_back({first, first});
      continue;
    }
    ++at_;
    if (ends()) refuse(begin, "this class is never closed");
    const std::optional<CharSet> others = class_item(last);
    if (others) include(*others);
    if (chars || others) {  // no range at all: the '-' stands for itself
      ranges.push_back({'-', '-'});
      if (!chars) ranges.push_back({first, first});
      if (!others) ranges.push_back({last, last});
      continue;
    }
    if (first > last) refuse(item, "the ends of this range are out of order");
    ranges.push_back({first, last});
  }
  CharSet set(std::move(ranges));
  if (!negative) return set;
  return (flags_.ignore_case ? classes_.fold(set) : set).complement();
}

std::string column(std::string_view pattern, size_t at) {
  const auto before = std::ranges::count_if(
      pattern.substr(0, at), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return fmt::format("column {}", before + 1);
}

}  // namespace

Result<Regex> parse_regex(std::string_view pattern, CharClasses& classes) {
  if (pattern.size() > kMaxPatternBytes)
    return problem("", fmt::format("a regular expression of {} bytes is too long; {} are allowed",
                                   pattern.size(), kMaxPatternBytes));
  if (const size_t valid = utf8_valid_prefix(pattern); valid < pattern.size())
    return problem(column(pattern, valid), "the regular expression is not valid UTF-8");
  try {
    return Parser(pattern, 0, classes).parse();
  } catch (const Refused& refused) {
    return problem(column(pattern, refused.at), refused.what);
  }
}

Result<CharSet> parse_regex_class(std::string_view pattern, size_t& at, CharClasses& classes) {
  try {
    Parser parser(pattern, at, classes);
    CharSet chars = parser.char_class();
    at = parser.at();
    return chars;
  } catch (const Refused& refused) {
    at = refused.at;
    return problem(column(pattern, refused.at), refused.what);
  }
}

}  // namespace hadal::grammar
