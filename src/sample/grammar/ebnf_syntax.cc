#include "sample/grammar/ebnf_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "sample/grammar/expr.h"
#include "sample/grammar/regex_syntax.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

constexpr int kMaxDepth = 200;
constexpr size_t kMaxRanges = 400'000;
constexpr uint32_t kMaxCount = 1'000'000;

using Kind = EbnfNode::Kind;

// Thrown and caught in this file only.
struct Refused {
  size_t at;
  std::string what;
};

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool in_name(char c) {
  return begins_name(c) || (c >= '0' && c <= '9') || c == '-';
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Ebnf parse();

 private:
  [[noreturn]] void refuse(size_t at, std::string what) const { throw Refused{at, std::move(what)}; }
  bool ends() const { return at_ >= text_.size(); }
  bool next_is(std::string_view piece) const { return text_.substr(at_).starts_with(piece); }
  bool take(std::string_view piece) {
    if (!next_is(piece)) return false;
    at_ += piece.size();
    return true;
  }
  void skip_space();
  std::string_view name();
  bool take_is();
  bool rule_begins();

  uint32_t add(EbnfNode node) {
    ebnf_.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(ebnf_.nodes.size() - 1);
  }
  uint32_t alternatives(int depth);
  uint32_t sequence(int depth);
  uint32_t primary(int depth);
  uint32_t quantified(uint32_t body);
  std::optional<uint32_t> number();
  std::string literal();
  uint32_t escape();
  uint32_t hex_digits(size_t count, size_t begin);
  uint32_t unicode_escape(size_t begin);
  EbnfNode regex();
  EbnfNode char_class();

  std::string_view text_;
  size_t at_ = 0;
  CharClasses classes_;
  Ebnf ebnf_;
  std::unordered_map<std::string, uint32_t> names_;  // of rules that are defined
  size_t ranges_ = 0;
};

void Parser::skip_space() {
  while (!ends()) {
    const char c = text_[at_];
    if (c == '#' || next_is("//"))
      at_ = std::min(text_.find('\n', at_), text_.size());
    else if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
      ++at_;
    else
      break;
  }
}

std::string_view Parser::name() {
  const size_t begin = at_;
  while (!ends() && in_name(text_[at_])) ++at_;
  return text_.substr(begin, at_ - begin);
}

bool Parser::take_is() {
  return take("::=") || take(":=") || take(":") || take("=");
}

// A name and what defines it; nothing is read.
bool Parser::rule_begins() {
  if (ends() || !begins_name(text_[at_])) return false;
  const size_t begin = at_;
  name();
  skip_space();
  const bool is_rule = next_is(":") || next_is("=");
  at_ = begin;
  return is_rule;
}

Ebnf Parser::parse() {
  skip_space();
  while (!ends()) {
    const size_t at = at_;
    if (!begins_name(text_[at_])) refuse(at, "the name of a rule was expected");
    EbnfRule rule{.name = std::string(name()), .at = at, .first = static_cast<uint32_t>(ebnf_.nodes.size())};
    skip_space();
    if (!take_is()) refuse(at_, fmt::format("\"::=\" was expected after the name {}", rule.name));
    if (!names_.emplace(rule.name, static_cast<uint32_t>(ebnf_.rules.size())).second)
      refuse(at, fmt::format("there is a rule {} already", rule.name));
    rule.body = alternatives(0);
    take(";");
    skip_space();
    if (!ends() && text_[at_] == ')') refuse(at_, "a closing parenthesis without an opening one");
    ebnf_.rules.push_back(std::move(rule));
  }
  if (ebnf_.rules.empty()) refuse(0, "there is no rule");
  for (EbnfNode& node : ebnf_.nodes) {
    if (node.kind != Kind::kRule) continue;
    const auto found = names_.find(node.text);
    if (found == names_.end()) refuse(node.at, fmt::format("there is no rule {}", node.text));
    node.rule = found->second;
    node.text.clear();
  }
  if (const auto root = names_.find("root"); root != names_.end()) ebnf_.start = root->second;
  return std::move(ebnf_);
}

uint32_t Parser::alternatives(int depth) {
  const size_t begin = at_;
  if (depth > kMaxDepth) refuse(begin, fmt::format("groups are nested deeper than {}", kMaxDepth));
  std::vector<uint32_t> parts{sequence(depth)};
  while (take("|")) parts.push_back(sequence(depth));
  if (parts.size() == 1) return parts[0];
  return add({.kind = Kind::kOr, .at = begin, .parts = std::move(parts)});
}

uint32_t Parser::sequence(int depth) {
  skip_space();
  const size_t begin = at_;
  std::vector<uint32_t> parts;
  while (!ends() && text_[at_] != '|' && text_[at_] != ')' && text_[at_] != ';' && !rule_begins()) {
    parts.push_back(quantified(primary(depth)));
    skip_space();
  }
  if (parts.size() == 1) return parts[0];
  return add({.kind = Kind::kConcat, .at = begin, .parts = std::move(parts)});
}

uint32_t Parser::primary(int depth) {
  const size_t begin = at_;
  const char c = text_[at_];
  if (begins_name(c)) return add({.kind = Kind::kRule, .at = begin, .text = std::string(name())});
  switch (c) {
    case '"':
    case '\'':
      return add({.kind = Kind::kText, .at = begin, .text = literal()});
    case '[':
      return add(char_class());
    case '/':
      return add(regex());
    case '.':
      ++at_;
      return add({.kind = Kind::kSet, .at = begin, .set = line_chars()});
    case '(': {
      ++at_;
      const uint32_t body = alternatives(depth + 1);
      if (!take(")")) refuse(begin, "this group is never closed");
      return body;
    }
    case '?':
    case '*':
    case '+':
    case '{':
      refuse(begin, "there is nothing to repeat");
    default:
      refuse(begin, "a literal, a class, a regular expression, a group or the name of a rule was expected");
  }
}

std::optional<uint32_t> Parser::number() {
  skip_space();
  const size_t begin = at_;
  uint64_t value = 0;
  for (; !ends() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
    value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(text_[at_] - '0'), UINT32_MAX);
  if (at_ == begin) return std::nullopt;
  if (value > kMaxCount) refuse(begin, fmt::format("at most {} repetitions can be asked for", kMaxCount));
  skip_space();
  return static_cast<uint32_t>(value);
}

uint32_t Parser::quantified(uint32_t body) {
  while (true) {
    skip_space();
    const size_t at = at_;
    uint32_t min = 0, max = UINT32_MAX;
    if (take("*")) {
    } else if (take("+")) {
      min = 1;
    } else if (take("?")) {
      max = 1;
    } else if (take("{")) {
      const std::optional<uint32_t> low = number();
      std::optional<uint32_t> high = low;
      if (take(",")) {
        high = number();
        if (!low && !high) refuse(at, "a number of repetitions was expected");
        max = high.value_or(UINT32_MAX);
      } else {
        max = high.value_or(0);
        if (!low) refuse(at, "a number of repetitions was expected");
      }
      min = low.value_or(0);
      if (!take("}")) refuse(at, "this quantifier is never closed");
      if (min > max) refuse(at, "the numbers of this quantifier are out of order");
    } else {
      return body;
    }
    body = add({.kind = Kind::kRepeat, .at = at, .min = min, .max = max, .parts = {body}});
  }
}

uint32_t Parser::hex_digits(size_t count, size_t begin) {
  const std::string_view digits = text_.substr(at_, count);
  uint32_t value = 0;
  for (const char c : digits) {
    const bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'f';
    if (!is_letter && (c < '0' || c > '9'))
      refuse(begin, fmt::format("{} hexadecimal digits were expected", count));
    value = value << 4 | static_cast<uint32_t>(is_letter ? (c | 0x20) - 'a' + 10 : c - '0');
  }
  if (digits.size() < count) refuse(begin, fmt::format("{} hexadecimal digits were expected", count));
  at_ += count;
  return value;
}

// Behind \u.
uint32_t Parser::unicode_escape(size_t begin) {
  uint32_t c = 0;
  if (take("{")) {
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos || end == at_ || end - at_ > 6)
      refuse(begin, "the number of a character in one to six hexadecimal digits was expected");
    c = hex_digits(end - at_, begin);
    ++at_;
  } else {
    c = hex_digits(4, begin);
    if (c >= 0xD800 && c < 0xDC00 && take("\\u")) {
      const uint32_t low = hex_digits(4, begin);
      if (low >= 0xDC00 && low < 0xE000) return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
  }
  if (c > kLastChar || (c >= 0xD800 && c < 0xE000)) refuse(begin, "there is no character of this number");
  return c;
}

// Behind a backslash.
uint32_t Parser::escape() {
  const size_t begin = at_ - 1;
  if (ends()) refuse(begin, "a backslash at the end");
  static constexpr std::string_view kNames = "bfnrtv0", kValues("\b\f\n\r\t\v\0", 7);
  const char name = text_[at_++];
  if (const size_t at = kNames.find(name); at != std::string_view::npos)
    return static_cast<uint8_t>(kValues[at]);
  if (name == 'x') return hex_digits(2, begin);
  if (name == 'u') return unicode_escape(begin);
  if (std::string_view("\"'\\/[]-").find(name) != std::string_view::npos) return static_cast<uint8_t>(name);
  refuse(begin, "an unknown escape");
}

std::string Parser::literal() {
  const size_t begin = at_;
  const char quote = text_[at_++];
  std::string text;
  while (true) {
    if (ends() || text_[at_] == '\n') refuse(begin, "this literal is never closed");
    if (take({&quote, 1})) return text;
    if (take("\\"))
      append_utf8(text, escape());
    else
      text.push_back(text_[at_++]);
  }
}

EbnfNode Parser::char_class() {
  const size_t begin = at_;
  Result<CharSet> chars = parse_regex_class(text_, at_, classes_);
  if (!chars) refuse(at_, chars.error().what);
  ranges_ += chars->ranges().size();
  if (ranges_ > kMaxRanges) refuse(begin, "the character classes are too large together");
  return {.kind = Kind::kSet, .at = begin, .set = std::move(*chars)};
}

// Up to the next slash that is neither escaped nor in a class.
EbnfNode Parser::regex() {
  const size_t begin = at_++;
  bool in_class = false;
  for (;; ++at_) {
    if (ends() || text_[at_] == '\n') refuse(begin, "this regular expression is never closed");
    const char c = text_[at_];
    if (c == '\\')
      ++at_;
    else if (c == '[')
      in_class = true;
    else if (c == ']')
      in_class = false;
    else if (c == '/' && !in_class)
      break;
  }
  std::string pattern(text_.substr(begin + 1, at_ - begin - 1));
  ++at_;
  if (!ends() && begins_name(text_[at_])) {
    const size_t flags = at_;
    if (name() != "i") refuse(flags, "after a regular expression the only flag is i");
    pattern.insert(0, "(?i)");
  }
  const Result<Regex> regex = parse_regex(pattern, classes_);
  if (!regex) {
    const std::string& where = regex.error().where;
    refuse(begin,
           "in this regular expression" + (where.empty() ? "" : ", " + where) + ": " + regex.error().what);
  }
  return {.kind = Kind::kRegex, .at = begin, .text = std::move(pattern)};
}

}  // namespace

std::string line_and_column(std::string_view text, size_t at) {
  const std::string_view before = text.substr(0, at);
  const size_t line = static_cast<size_t>(std::ranges::count(before, '\n'));
  const size_t begin = line == 0 ? 0 : before.rfind('\n') + 1;
  const auto chars = std::ranges::count_if(
      before.substr(begin), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return fmt::format("line {}, column {}", line + 1, chars + 1);
}

Result<Ebnf> parse_ebnf(std::string_view rules) {
  if (rules.size() > kMaxEbnfBytes)
    return problem(
        "", fmt::format("a grammar of {} bytes is too long; {} are allowed", rules.size(), kMaxEbnfBytes));
  if (const size_t valid = utf8_valid_prefix(rules); valid < rules.size())
    return problem(line_and_column(rules, valid), "the grammar is not valid UTF-8");
  try {
    return Parser(rules).parse();
  } catch (const Refused& refused) {
    return problem(line_and_column(rules, refused.at), refused.what);
  }
}

}  // namespace hadal::grammar
