// Cutting text into pieces.
#include "text/pretokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "base/error.h"
#include "text/random_text.h"
#include "text/small_tokenizer.h"

namespace hadal {
namespace {

using Pieces = std::vector<std::string>;

Pretokenizer make(const std::vector<std::string>& patterns) {
  std::vector<Pretokenizer::Pass> passes;
  for (const std::string& pattern : patterns) passes.push_back({pattern, false, "f.json: field"});
  return Pretokenizer(passes);
}

Pretokenizer v4() {
  std::vector<std::string> patterns;
  const nlohmann::json sequence = testing::v4_pre_tokenizer();
  for (const auto& entry : sequence["pretokenizers"]) {
    if (entry["type"] == "Split") patterns.push_back(entry["pattern"]["Regex"]);
  }
  return make(patterns);
}

Pieces split(const Pretokenizer& pretokenizer, std::string_view text) {
  Pretokenizer::Scratch scratch;
  Pieces pieces;
  size_t begin = 0;
  for (const uint32_t end : pretokenizer.split(text, scratch)) {
    pieces.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return pieces;
}

TEST(Pretokenizer, V4Passes) {
  const Pretokenizer p = v4();
  const std::vector<std::pair<std::string, Pieces>> cases = {
      {"", {}},
      {"Hello, world!", {"Hello", ",", " world", "!"}},
      {"1234567", {"123", "456", "7"}},
      {"a  1", {"a", "  ", "1"}},  // the digits leave first: the run of spaces ends the piece
      {"a  b", {"a", " ", " b"}},  // a run gives up its last character to what follows
      {"foo  ", {"foo", "  "}},
      {"  \n  x", {"  \n", " ", " x"}},  // up to the last line end of the run
      {"\n\n\n", {"\n\n\n"}},
      {"x = 1\n\n\ny", {"x", " =", " ", "1", "\n\n\n", "y"}},
      {"!!!abc", {"!!!", "abc"}},
      {"_abc", {"_abc"}},
      {"foo_bar.baz(42)", {"foo", "_bar", ".baz", "(", "42", ")"}},
      {"...\n\n x", {"...\n\n", " x"}},
      {"don’t", {"don", "’", "t"}},
      {"汉字abc漢字123", {"汉字", "abc", "漢字", "123"}},
      {"a\u0301b", {"a\u0301b"}},
      {"\u0301\u0301", {"\u0301\u0301"}},
      {"\ta", {"\ta"}},
      {"\u00a0x", {"\u00a0x"}},
      {"\x01\x02", {"\x01\x02"}},  // matched by nothing: one stretch
      {"\x01z", {"\x01z"}},
      {"👨‍👩", {"👨", "‍", "👩"}},
      {"\u180e\u180e", {"\u180e\u180e"}}};
  for (const auto& [text, pieces] : cases) EXPECT_EQ(split(p, text), pieces) << text;
}

// \s is Unicode's White_Space: with U+0085, without the separators U+001C to U+001F, U+180E and U+200B.
TEST(Pretokenizer, WhiteSpaceIsThatOfUnicode) {
  std::set<uint32_t> expected = {0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000};
  for (uint32_t c = 0x9; c <= 0xD; ++c) expected.insert(c);
  for (uint32_t c = 0x2000; c <= 0x200A; ++c) expected.insert(c);
  const Pretokenizer space = make({R"(\s)"}), space_in_class = make({R"([\s])"}), not_space = make({R"(\S)"}),
                     not_space_in_class = make({R"([\S])"}), neither = make({R"([^\s])"});
  Pretokenizer::Scratch scratch;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    // Between two line ends: a match cuts "\n" c "\n" in three, or, of the negated ones, no match leaves it
    // whole.
    std::string text;
    testing::append_utf8(text, c);
    text += text;
    const size_t matched = 2, whole = 1;
    const bool is_space = expected.contains(c);
    ASSERT_EQ(space.split(text, scratch).size(), is_space ? matched : whole) << c;
    ASSERT_EQ(space_in_class.split(text, scratch).size(), is_space ? matched : whole) << c;
    ASSERT_EQ(not_space.split(text, scratch).size(), is_space ? whole : matched) << c;
    ASSERT_EQ(not_space_in_class.split(text, scratch).size(), is_space ? whole : matched) << c;
    ASSERT_EQ(neither.split(text, scratch).size(), is_space ? whole : matched) << c;
  }
}

// One character of each category that is younger than PCRE2's tables.
TEST(Pretokenizer, KnowsTheCharactersOfUnicode16) {
  const Pretokenizer p = v4();
  EXPECT_EQ(split(p, "a\U0001E4D0b"), (Pieces{"a\U0001E4D0b"}));              // a letter, 15.0
  EXPECT_EQ(split(p, "a\u0897b"), (Pieces{"a\u0897b"}));                      // a mark, 16.0
  EXPECT_EQ(split(p, "a\U0001CCF0b"), (Pieces{"a", "\U0001CCF0", "b"}));      // a digit, 16.0
  EXPECT_EQ(split(p, " \u1B4E\u1B4F\n"), (Pieces{" \u1B4E\u1B4F\n"}));        // punctuation, 16.0
  EXPECT_EQ(split(p, "!\U0001F6DC\u2FFC!"), (Pieces{"!\U0001F6DC\u2FFC!"}));  // symbols, 15.0 and 15.1
  EXPECT_EQ(split(p, "!\U0001F6DD!"), (Pieces{"!\U0001F6DD!"}));
  EXPECT_EQ(split(p, "!\u0378!"), (Pieces{"!", "\u0378", "!"}));  // not assigned
  EXPECT_EQ(split(make({R"(\P{S}+)"}), "a\U0001F6DCb"), (Pieces{"a", "\U0001F6DC", "b"}));
}

TEST(Pretokenizer, OtherPatterns) {
  EXPECT_EQ(split(Pretokenizer({}), "a b"), (Pieces{"a b"}));
  EXPECT_EQ(split(Pretokenizer({{"a.", true, ""}}), "xa.ab"), (Pieces{"x", "a.", "ab"}));
  EXPECT_EQ(split(make({"x*"}), "axxb"), (Pieces{"a", "xx", "b"}));  // empty matches cut
  EXPECT_EQ(split(make({"x*"}), "é中"), (Pieces{"é", "中"}));
  EXPECT_EQ(split(make({"(?=b)"}), "abab"), (Pieces{"a", "ba", "b"}));
  EXPECT_EQ(split(make({"a", "(?<=a)b"}), "ab"), (Pieces{"a", "b"}));  // a pass sees one piece only
  EXPECT_EQ(split(make({"(?<=a)b"}), "abb"), (Pieces{"a", "b", "b"}));
  EXPECT_EQ(split(make({"a", "b$"}), "bab"), (Pieces{"b", "a", "b"}));
  EXPECT_EQ(split(make({"^x"}), "x\nxx"), (Pieces{"x", "\n", "x", "x"}));  // ^ is the start of any line
  EXPECT_EQ(split(make({"(?i:'ll)"}), "we'LL"), (Pieces{"we", "'LL"}));
  EXPECT_EQ(split(make({R"(\p{Han}+)"}), "a中文。b"), (Pieces{"a", "中文", "。b"}));
}

TEST(Pretokenizer, RefusesBadPatterns) {
  const auto message = [](const std::string& pattern) -> std::string {
    try {
      make({pattern});
    } catch (const Error& e) {
      return e.what();
    }
    return "taken";
  };
  using ::testing::AllOf, ::testing::HasSubstr, ::testing::StartsWith;
  EXPECT_THAT(message("a(b"), AllOf(StartsWith("f.json: field: "), HasSubstr("not valid at byte 3")));
  EXPECT_THAT(message("[z-a]"), HasSubstr("not valid"));
  EXPECT_THAT(message(R"(\p{Klingon})"), HasSubstr("not valid"));
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message(std::string(70000, 'a')), HasSubstr("70000 bytes"));
  EXPECT_THAT(message(std::string(1000, '(') + std::string(1000, ')')), HasSubstr("not valid"));
  EXPECT_THAT(message("(?:(?:a{1000}){1000}){1000}"), HasSubstr("not valid"));
}

TEST(Pretokenizer, AnExponentialPatternEndsInAnError) {
  const Pretokenizer p = make({"(?:a+)+[bc]"});
  Pretokenizer::Scratch scratch;
  EXPECT_THROW(p.split(std::string(60, 'a'), scratch), Error);
  EXPECT_EQ(split(p, "aab"), (Pieces{"aab"}));
}

TEST(Pretokenizer, APatternThatNestsDeeplyGetsItsStack) {
  EXPECT_EQ(split(make({"(?:a|bc)+d"}), std::string(100000, 'a') + "d").size(), 1u);
}

RC_GTEST_PROP(Pretokenizer, PiecesAreTheTextInOrder, ()) {
  static const Pretokenizer p = v4();
  const std::string text = *testing::utf8_text();
  std::string joined;
  for (const std::string& piece : split(p, text)) {
    RC_ASSERT(!piece.empty());
    joined += piece;
  }
  RC_ASSERT(joined == text);
}

}  // namespace
}  // namespace hadal
