#include "serve/log_text.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <iterator>

#include "text/utf8.h"

namespace hadal::serve {
namespace {

uint32_t code_point(std::string_view bytes) {  // of one valid character
  const auto first = static_cast<unsigned char>(bytes.front());
  if (bytes.size() == 1) return first;
  uint32_t out = first & (0x7fu >> bytes.size());
  for (const char c : bytes.substr(1)) out = out << 6 | (static_cast<unsigned char>(c) & 0x3f);
  return out;
}

bool must_be_escaped(uint32_t c) {
  const bool control = c < 0x20 || (c >= 0x7f && c <= 0x9f);
  const bool separator = c == 0x2028 || c == 0x2029;
  const bool direction =
      (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f;
  return control || separator || direction;
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const Utf8Unit unit = utf8_unit(text);
    const std::string_view bytes = text.substr(0, unit.length);
    text.remove_prefix(unit.length);
    const uint32_t c = unit.valid ? code_point(bytes) : 0xfffd;
    if (c == '"' || c == '\\') {
      out += '\\';
      out += bytes;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (must_be_escaped(c)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else if (unit.valid) {
      out += bytes;
    } else {
      out += "\xef\xbf\xbd";
    }
  }
  out += '"';
}

void append_number(std::string& out, double value, int digits_after_point) {
  fmt::format_to(std::back_inserter(out), "{:.{}f}", std::isfinite(value) ? value : 0.0, digits_after_point);
}

}  // namespace hadal::serve
