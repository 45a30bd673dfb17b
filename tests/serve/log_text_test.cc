#include "serve/log_text.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <limits>

#include "text/json_value.h"
#include "text/utf8.h"

namespace hadal::serve {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

TEST(LogText, Escapes) {
  EXPECT_EQ(in_quotes(""), "\"\"");
  EXPECT_EQ(in_quotes("Grüße, 世界 😀"), "\"Grüße, 世界 😀\"");
  EXPECT_EQ(in_quotes("say \"hi\" \\o/"), R"("say \"hi\" \\o/")");
  EXPECT_EQ(in_quotes("a\nb\rc\td"), R"("a\nb\rc\td")");
  EXPECT_EQ(in_quotes(std::string_view("\0\x1b[2J\x7f", 6)), R"("\u0000\u001b[2J\u007f")");
  EXPECT_EQ(in_quotes("\xc2\x85 \xc2\x9b \xc2\xa0"), "\"\\u0085 \\u009b \xc2\xa0\"");
  EXPECT_EQ(in_quotes("\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xae\xe2\x81\xa6\xe2\x80\x8f"),
            R"("\u2028\u2029\u202e\u2066\u200f")");
  EXPECT_EQ(in_quotes("\xff"), "\"\xef\xbf\xbd\"");
  EXPECT_EQ(in_quotes("a\xe2\x80"), "\"a\xef\xbf\xbd\"");
}

RC_GTEST_PROP(LogText, AnyBytesAreOneLineAndReadBack, ()) {
  const auto bytes = *rc::gen::container<std::string>(
      rc::gen::oneOf(rc::gen::arbitrary<char>(),
                     rc::gen::elementOf(std::string("\n\r\"\\\xe2\x80\xa8\xc2\x9b\xf0\x9f\x98\x80"))));
  const std::string out = in_quotes(bytes);
  for (const char c : out) RC_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  const auto value = parse_json(out);
  RC_ASSERT(value.has_value());
  std::string valid;
  utf8_append_lossy(valid, bytes, false);
  RC_ASSERT(value->text == valid);
}

TEST(LogText, Numbers) {
  const auto number = [](double value, int digits) {
    std::string out;
    append_number(out, value, digits);
    return out;
  };
  EXPECT_EQ(number(1.23456, 3), "1.235");
  EXPECT_EQ(number(-2, 1), "-2.0");
  EXPECT_EQ(number(std::nan(""), 1), "0.0");
  EXPECT_EQ(number(std::numeric_limits<double>::infinity(), 1), "0.0");
}

}  // namespace
}  // namespace hadal::serve
