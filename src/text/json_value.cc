#include "text/json_value.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_map>

#include "text/utf8.h"

namespace hadal {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Recursive descent; the first problem is kept and everything unwinds with false.
class Reader {
 public:
  Reader(std::string_view text, int max_depth) : text_(text), depth_left_(max_depth) {}

  Result<JsonValue> read() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    if (const size_t valid = utf8_valid_prefix(text_); valid < text_.size())
      return problem(fmt::format("byte {}", valid), "malformed UTF-8");
    JsonValue value;
    skip_space();
    if (value_into(value)) {
      skip_space();
      if (at_ == text_.size()) return value;
      expected("the end of the text");
    }
    return problem(fmt::format("byte {}", at_), what_);
  }

 private:
  bool expected(std::string_view what) {
    if (what_.empty()) what_ = fmt::format("expected {}", what);
    return false;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  bool value_into(JsonValue& value) {
    if (values_left_-- == 0) return expected(fmt::format("no more than {} values", kMaxJsonValues));
    switch (peek()) {
      case '{':
      case '[': {
        if (depth_left_ == 0) return expected("less deep nesting");
        --depth_left_;
        const bool good = peek() == '{' ? object_into(value) : array_into(value);
        ++depth_left_;
        return good;
      }
      case '"':
        value.kind = JsonValue::Kind::kString;
        return string_into(value.text);
      case 't':
        return word("true", JsonValue::Kind::kTrue, value);
      case 'f':
        return word("false", JsonValue::Kind::kFalse, value);
      case 'n':
        return word("null", JsonValue::Kind::kNull, value);
      default:
        return number_into(value);
    }
  }

  bool word(std::string_view literal, JsonValue::Kind kind, JsonValue& value) {
    if (text_.substr(at_, literal.size()) != literal) return expected("a JSON value");
    at_ += literal.size();
    value.kind = kind;
    return true;
  }

  bool digits() {
    if (!is_digit(peek())) return false;
    while (is_digit(peek())) ++at_;
    return true;
  }

  bool number_into(JsonValue& value) {
    const size_t start = at_;
    take('-');
    if (!take('0') && !digits()) {
      at_ = start;
      return expected("a JSON value");
    }
    if (take('.') && !digits()) return expected("a digit after the point");
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (!take('+')) take('-');
      if (!digits()) return expected("a digit in the exponent");
    }
    value.kind = JsonValue::Kind::kNumber;
    value.text.assign(text_.substr(start, at_ - start));
    return true;
  }

  std::optional<uint32_t> hex4() {
    uint32_t code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const int digit = hex_digit(peek());
      if (digit < 0) return std::nullopt;
      code = code * 16 + static_cast<uint32_t>(digit);
    }
    return code;
  }

  bool unicode_escape(std::string& out) {
    const auto first = hex4();
    if (!first) return expected("four hexadecimal digits");
    uint32_t code = *first;
    if (code >= 0xD800 && code <= 0xDBFF && text_.substr(at_, 2) == "\\u") {
      const size_t back = at_;
      at_ += 2;
      const auto second = hex4();
      if (!second) return expected("four hexadecimal digits");
      if (*second >= 0xDC00 && *second <= 0xDFFF)
        code = 0x10000 + ((code - 0xD800) << 10) + (*second - 0xDC00);
      else
        at_ = back;  // two unrelated escapes: the second is read on its own
    }
    if (code >= 0xD800 && code <= 0xDFFF)
      out.append("\xEF\xBF\xBD");
    else
      append_utf8(out, code);
    return true;
  }

  bool escape(std::string& out) {
    const char c = peek();
    if (at_ < text_.size()) ++at_;
    switch (c) {
      case '"':
      case '\\':
      case '/':
        out.push_back(c);
        return true;
      case 'b':
        out.push_back('\b');
        return true;
      case 'f':
        out.push_back('\f');
        return true;
      case 'n':
        out.push_back('\n');
        return true;
      case 'r':
        out.push_back('\r');
        return true;
      case 't':
        out.push_back('\t');
        return true;
      case 'u':
        return unicode_escape(out);
      default:
        return expected("an escape sequence");
    }
  }

  bool string_into(std::string& out) {
    if (!take('"')) return expected("a string");
    while (at_ < text_.size()) {
      const size_t start = at_;
      while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' &&
             static_cast<unsigned char>(text_[at_]) >= 0x20)
        ++at_;
      out.append(text_.substr(start, at_ - start));
      if (take('"')) return true;
      if (at_ < text_.size() && !take('\\')) return expected("no control character inside a string");
      if (at_ < text_.size() && !escape(out)) return false;
    }
    return expected("the end of a string");
  }

  bool array_into(JsonValue& value) {
    value.kind = JsonValue::Kind::kArray;
    ++at_;
    skip_space();
    if (take(']')) return true;
    while (true) {
      skip_space();
      if (!value_into(value.items.emplace_back())) return false;
      skip_space();
      if (take(']')) return true;
      if (!take(',')) return expected("',' or ']'");
    }
  }

  bool object_into(JsonValue& value) {
    value.kind = JsonValue::Kind::kObject;
    ++at_;
    skip_space();
    if (take('}')) return true;
    std::unordered_map<std::string, size_t> seen;
    while (true) {
      skip_space();
      std::string key;
      if (peek() != '"') return expected("a string as key");
      if (!string_into(key)) return false;
      skip_space();
      if (!take(':')) return expected("':'");
      skip_space();
      const auto [entry, is_new] = seen.try_emplace(key, value.items.size());
      if (is_new) {
        value.keys.push_back(std::move(key));
        value.items.emplace_back();
      } else {
        value.items[entry->second] = JsonValue{};
        value.had_repeats = true;
      }
      if (!value_into(value.items[entry->second])) return false;
      skip_space();
      if (take('}')) return true;
      if (!take(',')) return expected("',' or '}'");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  int depth_left_;
  int64_t values_left_ = kMaxJsonValues;
  std::string what_;
};

}  // namespace

const JsonValue* JsonValue::find(std::string_view key) const {
  for (size_t i = 0; i < keys.size(); ++i)
    if (keys[i] == key) return items[i].is_null() ? nullptr : &items[i];
  return nullptr;
}

Result<JsonValue> parse_json(std::string_view text, int max_depth) {
  return Reader(text, max_depth).read();
}

void append_json_escaped(std::string_view text, std::string& out) {
  for (const char c : text) {
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\b':
        out.append("\\b");
        break;
      case '\t':
        out.append("\\t");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\f':
        out.append("\\f");
        break;
      case '\r':
        out.append("\\r");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        else
          out.push_back(c);
    }
  }
}

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  append_json_escaped(text, out);
  return out += '"';
}

}  // namespace hadal
