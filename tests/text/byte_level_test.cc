// The byte-level alphabet.
#include "text/byte_level.h"

#include <gtest/gtest.h>

#include <set>

namespace hadal {
namespace {

TEST(ByteLevel, KnownSymbols) {
  EXPECT_EQ(byte_level_symbol('a'), "a");
  EXPECT_EQ(byte_level_symbol(0), "\u0100");
  EXPECT_EQ(byte_level_symbol('\n'), "Ċ");
  EXPECT_EQ(byte_level_symbol(' '), "Ġ");
  EXPECT_EQ(byte_level_symbol(0x7F), "ġ");
  EXPECT_EQ(byte_level_symbol(0xA0), "ł");
  EXPECT_EQ(byte_level_symbol(0xAD), "Ń");
  EXPECT_EQ(byte_level_symbol(0xE4), "ä");
}

TEST(ByteLevel, IsABijection) {
  std::set<std::string> symbols;
  std::string all, every_byte;
  for (int b = 0; b < 256; ++b) {
    symbols.insert(byte_level_symbol(static_cast<uint8_t>(b)));
    all += byte_level_symbol(static_cast<uint8_t>(b));
    every_byte += static_cast<char>(b);
  }
  EXPECT_EQ(symbols.size(), 256u);
  EXPECT_EQ(byte_level_decode(all), every_byte);
  EXPECT_EQ(byte_level_decode(""), "");
}

TEST(ByteLevel, OtherCharactersAreNotDecoded) {
  for (const char* token : {"a b", "｜", "\u0144", "\u00A0", "中", "🙂", "x\xC4", "\xFF", "\xC4z", "\n"}) {
    EXPECT_EQ(byte_level_decode(token), std::nullopt) << token;
  }
}

}  // namespace
}  // namespace hadal
