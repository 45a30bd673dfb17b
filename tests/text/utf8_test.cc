// The walk over valid and broken UTF-8.
#include "text/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "text/random_text.h"

namespace hadal {
namespace {

std::string lossy(std::string_view bytes) {
  std::string out;
  EXPECT_EQ(utf8_append_lossy(out, bytes, false), bytes.size());
  return out;
}

#define FFFD "\xEF\xBF\xBD"

TEST(Utf8, ReplacesEachMaximalSubpartOnce) {
  EXPECT_EQ(lossy(""), "");
  EXPECT_EQ(lossy("a\xC3\xA9中🙂"), "aé中🙂");
  EXPECT_EQ(lossy("\x80"), FFFD);
  EXPECT_EQ(lossy("\xC0\xAF"), FFFD FFFD);                    // overlong
  EXPECT_EQ(lossy("\xE0\x80\xAF"), FFFD FFFD FFFD);           // overlong
  EXPECT_EQ(lossy("\xED\xA0\x80"), FFFD FFFD FFFD);           // a surrogate
  EXPECT_EQ(lossy("\xF4\x90\x80\x80"), FFFD FFFD FFFD FFFD);  // above U+10FFFF
  EXPECT_EQ(lossy("\xF5\x80"), FFFD FFFD);                    // not a lead byte
  EXPECT_EQ(lossy("\xE4\xB8"), FFFD);                         // cut off: one unit
  EXPECT_EQ(lossy("\xF0\x9F\x99"), FFFD);                     //
  EXPECT_EQ(lossy("\xE4\xB8z"), FFFD "z");                    // interrupted: one unit, and the z stays
  EXPECT_EQ(lossy("\xF0\x9F\xC3\xA9"), FFFD "é");             //
  // The example of the Unicode standard, table 3-11.
  EXPECT_EQ(lossy("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                  "A"),
            FFFD FFFD FFFD FFFD "A");
}

TEST(Utf8, HoldsBackOnlyWhatMoreBytesCouldComplete) {
  const auto held = [](std::string_view bytes) {
    std::string out;
    return bytes.size() - utf8_append_lossy(out, bytes, true);
  };
  EXPECT_EQ(held("abc"), 0u);
  EXPECT_EQ(held("a\xC3"), 1u);
  EXPECT_EQ(held("a\xE4\xB8"), 2u);
  EXPECT_EQ(held("a\xF0\x9F\x99"), 3u);
  EXPECT_EQ(held("a\xF0\x9F\x99\x82"), 0u);
  EXPECT_EQ(held("a\xED\xA0"), 0u);  // no byte makes this valid
  EXPECT_EQ(held("a\x80"), 0u);
}

TEST(Utf8, EveryCodePointIsOneValidUnit) {
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    testing::append_utf8(text, c);
    const Utf8Unit unit = utf8_unit(text);
    ASSERT_TRUE(unit.valid && unit.length == text.size()) << c;
  }
}

RC_GTEST_PROP(Utf8, LossyIsValidAndKeepsValidText, ()) {
  const std::string bytes = *testing::any_bytes();
  const std::string out = lossy(bytes);
  RC_ASSERT(utf8_valid_prefix(out) == out.size());
  if (utf8_valid_prefix(bytes) == bytes.size()) RC_ASSERT(out == bytes);
  RC_ASSERT(out.substr(0, utf8_valid_prefix(bytes)) == bytes.substr(0, utf8_valid_prefix(bytes)));
}

}  // namespace
}  // namespace hadal
