#include "text/byte_level.h"

#include <array>

namespace hadal {

namespace {

constexpr bool spells_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

constexpr int kAlphabetEnd = 0x144;  // 0x100 + the 68 bytes that do not spell themselves

struct Alphabet {
  std::array<uint16_t, 256> character{};     // by byte
  std::array<int16_t, kAlphabetEnd> byte{};  // by character; -1: not in the alphabet
  constexpr Alphabet() {
    for (int16_t& entry : byte) entry = -1;
    uint16_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      character[static_cast<size_t>(b)] = spells_itself(b) ? static_cast<uint16_t>(b) : next++;
      byte[character[static_cast<size_t>(b)]] = static_cast<int16_t>(b);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::string byte_level_symbol(uint8_t byte) {
  const uint16_t c = kAlphabet.character[byte];
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xC0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3F))};
}

std::optional<std::string> byte_level_decode(std::string_view token) {
  std::string out;
  out.reserve(token.size());
  for (size_t i = 0; i < token.size(); ++i) {
    int c = static_cast<uint8_t>(token[i]);
    if (c >= 0x80) {
      // Every character of the alphabet is below U+0800: two bytes.
      if (c < 0xC2 || c > 0xDF || i + 1 == token.size()) return std::nullopt;
      const int second = static_cast<uint8_t>(token[++i]);
      if ((second & 0xC0) != 0x80) return std::nullopt;
      c = (c & 0x1F) << 6 | (second & 0x3F);
    }
    if (c >= kAlphabetEnd || kAlphabet.byte[static_cast<size_t>(c)] < 0) return std::nullopt;
    out += static_cast<char>(kAlphabet.byte[static_cast<size_t>(c)]);
  }
  return out;
}

}  // namespace hadal
