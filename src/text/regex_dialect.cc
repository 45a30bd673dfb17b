// Differences that are translated:
//   \s \S   White_Space; PCRE2 10.42 would add U+180E
//   \h \H   a hexadecimal digit; PCRE2: horizontal space
//   \v      U+000B; PCRE2: any vertical space
//   \p{L}   with the letters that PCRE2's tables do not know yet (unicode_additions.h)
//   \p{Han} the script alone; PCRE2 would take script extensions
//   \uHHHH  a code point, which PCRE2 writes \x{HHHH}
//   {,n}    at most n times; PCRE2: literal text
// Everything not listed in this file as allowed is refused.
#include "text/regex_dialect.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/error.h"
#include "text/unicode_additions.h"

namespace hadal {

namespace {

// Bodies of character classes. White_Space of Unicode since 6.3, and what is not in it.
constexpr std::string_view kSpace =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kNotSpace =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff})";
constexpr std::string_view kHex = "0-9A-Fa-f";
constexpr std::string_view kNotHex = R"(\x{0}-\x{2f}\x{3a}-\x{40}\x{47}-\x{60}\x{67}-\x{10ffff})";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}
bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

class Translator {
 public:
  Translator(std::string_view in, const std::string& where) : in_(in), where_(where) {}

  std::string run() {
    while (at_ < in_.size()) outside_class();
    return std::move(out_);
  }

 private:
  [[noreturn]] void refuse(size_t from, size_t length) const {
    // Whole characters only: the message is text.
    size_t end = std::min(from + length, in_.size());
    while (end < in_.size() && (static_cast<uint8_t>(in_[end]) & 0xC0) == 0x80) ++end;
    fail(ErrorCode::kUnsupported,
         "{}: the regular expression uses \"{}\" at byte {}, which this program does not run", where_,
         in_.substr(from, end - from), from);
  }

  char peek(size_t ahead = 0) const { return at_ + ahead < in_.size() ? in_[at_ + ahead] : '\0'; }
  bool next_is(std::string_view s) const { return in_.substr(at_).starts_with(s); }
  void copy(size_t n) {
    out_ += in_.substr(at_, n);
    at_ += n;
  }

  void outside_class() {
    const char c = in_[at_];
    if (c == '\\') {
      escape(false);
    } else if (c == '[') {
      character_class();
    } else if (c == '(') {
      group();
    } else if (c == '{') {
      interval();
    } else {
      copy(1);
    }
  }

  void group() {
    for (const std::string_view open : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:", "(?-i:"}) {
      if (next_is(open)) return copy(open.size());
    }
    if (peek(1) == '?' || peek(1) == '*') refuse(at_, 3);
    copy(1);
  }

  // {n} {n,} {n,m} {,m}. Oniguruma reads {n}? and {n,m}+ as a repeat of the repeat; PCRE2 does not.
  void interval() {
    size_t i = at_ + 1;
    const size_t low = i;
    while (i < in_.size() && is_digit(in_[i])) ++i;
    const bool has_low = i > low;
    const bool comma = i < in_.size() && in_[i] == ',';
    if (comma) ++i;
    const size_t high = i;
    while (comma && i < in_.size() && is_digit(in_[i])) ++i;
    const bool has_high = i > high;
    if (i >= in_.size() || in_[i] != '}' || (!has_low && !has_high)) refuse(at_, 1);
    const char after = i + 1 < in_.size() ? in_[i + 1] : '\0';
    if (after == '+' || after == '{' || (after == '?' && !comma)) refuse(at_, i + 2 - at_);
    out_ += has_low ? "{" : "{0";
    out_ += in_.substr(low, i + 1 - low);
    at_ = i + 1;
  }

  void character_class() {
    copy(1);
    if (peek() == '^') copy(1);
    if (peek() == ']') refuse(at_ - 1, 2);
    bool first = true, dash = false;  // dash: the last item is a "-" that may open the second half of a range
    while (peek() != ']') {
      if (at_ >= in_.size()) {
        fail(ErrorCode::kInvalidFile, "{}: the regular expression has a \"[\" without its \"]\"", where_);
      }
      if (peek() == '[') refuse(at_, 2);  // nested classes, [:names:]
      if (next_is("&&")) refuse(at_, 2);  // intersection
      if (peek() == '\\') {
        const size_t begin = at_;
        const bool is_set = escape(true);
        const bool dash_after = peek() == '-' && peek(1) != ']';
        if (is_set && (dash || dash_after)) refuse(begin, at_ - begin + 1);  // a range with no end
        dash = false;
      } else {
        dash = peek() == '-' && !first;
        copy(1);
      }
      first = false;
    }
    copy(1);
  }

  // Returns whether the escape stands for a set of characters.
  bool escape(bool in_class) {
    const size_t begin = at_;
    const char c = peek(1);
    const auto set = [&](std::string_view body) {
      out_ += in_class ? std::string(body) : "[" + std::string(body) + "]";
      at_ += 2;
      return true;
    };
    const auto code_point = [&](std::string_view digits, size_t length) {
      out_ += "\\x{" + std::string(digits) + "}";
      at_ += length;
      return false;
    };
    switch (c) {
      case 's':
        return set(kSpace);
      case 'S':
        return set(kNotSpace);
      case 'h':
        return set(kHex);
      case 'H':
        return set(kNotHex);
      case 'd':
        return set("\\p{Nd}");
      case 'D':
        return set("\\P{Nd}");
      case 'p':
      case 'P':
        return property(in_class);
      case 'v':
        return code_point("b", 2);
      case 'n':
      case 'r':
      case 't':
      case 'f':
      case 'a':
      case 'e':
        copy(2);
        return false;
      case 'A':
      case 'z':
        if (in_class) refuse(begin, 2);
        copy(2);
        return false;
      case 'x':
        return hexadecimal();
      case 'u': {
        size_t n = 0;
        while (n < 4 && is_hex(peek(2 + n))) ++n;
        if (n != 4) refuse(begin, 2 + n);
        return code_point(in_.substr(at_ + 2, 4), 6);
      }
      default:
        break;
    }
    // A backslash before anything but a letter or digit takes the character literally, in both dialects.
    if (at_ + 1 >= in_.size() || is_letter(c) || is_digit(c) || static_cast<uint8_t>(c) >= 0x80 ||
        c == '\0') {
      refuse(begin, 2);
    }
    copy(2);
    return false;
  }

  // \xH, \xHH, \x{H…}
  bool hexadecimal() {
    const size_t begin = at_;
    const bool braces = peek(2) == '{';
    const size_t first = at_ + (braces ? 3 : 2);
    size_t end = first;
    while (end < in_.size() && is_hex(in_[end]) && end - first < (braces ? 8u : 2u)) ++end;
    const size_t after = end + (braces ? 1 : 0);
    if (end == first || (braces && (end >= in_.size() || in_[end] != '}'))) refuse(begin, after - begin);
    // \x80 and above means a byte to one engine and a character to the other.
    if (!braces && end - first == 2 && in_[first] >= '8') refuse(begin, 4);
    out_ += "\\x{" + std::string(in_.substr(first, end - first)) + "}";
    at_ = after;
    return false;
  }

  // \p{Lu}, \p{^Lu}, \P{Lu}: general categories of one or two letters; longer names are scripts.
  bool property(bool in_class) {
    const size_t close = in_.find('}', at_);
    if (peek(2) != '{' || close == std::string_view::npos) refuse(at_, 2);
    std::string_view name = in_.substr(at_ + 3, close - at_ - 3);
    const bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    bool plain = !name.empty();
    for (const char c : name) plain = plain && (is_letter(c) || c == '_');
    if (!plain) refuse(at_, close + 1 - at_);
    const bool outside = (peek(1) == 'P') != negated;  // everything but the category
    const std::string_view additions = name.size() == 1 ? unicode_additions(name[0]) : std::string_view();
    std::string item = outside && (additions.empty() || in_class) ? "\\P{" : "\\p{";
    item += name.size() > 2 ? "sc:" : "";
    item += std::string(name) + "}";
    if (additions.empty()) {
      out_ += item;
    } else if (!in_class) {
      out_ += (outside ? "[^" : "[") + item + std::string(additions) + "]";
    } else {
      // A class cannot say "all but these" of one of its items: there, \P keeps to PCRE2's table.
      out_ += item;
      if (!outside) out_ += additions;
    }
    at_ = close + 1;
    return true;
  }

  std::string_view in_;
  const std::string& where_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& where) {
  return Translator(pattern, where).run();
}

}  // namespace hadal
