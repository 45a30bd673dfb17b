// Random texts for properties: code points from everywhere, with those that the pre-tokenizer treats
// specially common; and random bytes that are often almost UTF-8.
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <string>
#include <vector>

namespace hadal::testing {

inline void append_utf8(std::string& out, uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
  } else if (c < 0x10000) {
    out += {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
            static_cast<char>(0x80 | (c & 63))};
  } else {
    out += {static_cast<char>(0xF0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
            static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
  }
}

inline rc::Gen<uint32_t> code_point() {
  const auto any = rc::gen::map(rc::gen::inRange<uint32_t>(0, 0x110000 - 0x800),
                                [](uint32_t c) { return c < 0xD800 ? c : c + 0x800; });
  return rc::gen::weightedOneOf<uint32_t>(
      {{6, rc::gen::elementOf(
               std::vector<uint32_t>{' ', ' ', '\n', '\r', '\t', 0x85, 0xA0, 0x3000, 0x1C, 0x200B})},
       {8, rc::gen::inRange<uint32_t>('a', 'z' + 1)},
       {3, rc::gen::inRange<uint32_t>('!', 'A')},
       {2, rc::gen::elementOf(
               std::vector<uint32_t>{0x301, 0x4E2D, 0x3042, 0x661, 0xFF5C, 0x1F642, 0x0, 0x10FFFF})},
       {2, any}});
}

inline rc::Gen<std::string> utf8_text() {
  return rc::gen::map(rc::gen::container<std::vector<uint32_t>>(code_point()),
                      [](const std::vector<uint32_t>& points) {
                        std::string text;
                        for (const uint32_t c : points) append_utf8(text, c);
                        return text;
                      });
}

inline rc::Gen<std::string> any_bytes() {
  const auto byte = rc::gen::weightedOneOf<char>(
      {{4, rc::gen::inRange<char>('a', 'e')},
       {3, rc::gen::elementOf(std::string("\xC3\xE4\xB8\xAD\xF0\x9F\x99\x82\xED\xA0\xE0\xF4\x90\xBF\x80"))},
       {1, rc::gen::map(rc::gen::inRange(0, 256), [](int b) { return static_cast<char>(b); })}});
  return rc::gen::oneOf(
      rc::gen::container<std::string>(byte),
      rc::gen::map(rc::gen::pair(utf8_text(), rc::gen::container<std::string>(byte)),
                   [](const std::pair<std::string, std::string>& p) { return p.first + p.second; }));
}

}  // namespace hadal::testing
