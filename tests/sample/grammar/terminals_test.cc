#include "sample/grammar/terminals.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <random>
#include <string>
#include <vector>

#include "sample/grammar/regex.h"
#include "text/json_value.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

bool accepts(Terminals& terminals, StateId start, std::string_view bytes) {
  if (start == Terminals::kDead) return false;
  const StateId end = terminals.step(start, bytes);
  return end != Terminals::kDead && terminals.accepts(end);
}

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t below(uint32_t end) { return std::uniform_int_distribution<uint32_t>(0, end - 1)(engine_); }
  const char* pick(const std::vector<const char*>& from) {
    return from[below(static_cast<uint32_t>(from.size()))];
  }

  uint32_t character() {
    static const std::vector<uint32_t> kChars = {'a',    'b',    '"',     '\\',    '/',      '\n',   0,
                                                 0x1F,   0x7F,   0xE9,    0x7FF,   0x800,    0xD7FF, 0xE000,
                                                 0xFFFD, 0xFFFF, 0x10000, 0x1F600, kLastChar};
    return kChars[below(static_cast<uint32_t>(kChars.size()))];
  }

  // One spelling of a character in a JSON string.
  std::string spelling(uint32_t c) {
    std::string raw;
    append_utf8(raw, c);
    static constexpr std::string_view kNames = "\"\\/bfnrt", kValues = "\"\\/\b\f\n\r\t";
    if (const size_t at = c < 0x80 ? kValues.find(static_cast<char>(c)) : std::string_view::npos;
        at != std::string_view::npos && below(2) == 0)
      return std::string("\\") + kNames[at];
    if (below(2) == 0) return raw;  // not allowed for all of them
    const auto unit = [&](uint32_t u) {
      return below(2) ? fmt::format("\\u{:04x}", u) : fmt::format("\\u{:04X}", u);
    };
    if (c < 0x10000) return unit(c);
    return unit(0xD800 + ((c - 0x10000) >> 10)) + unit(0xDC00 + ((c - 0x10000) & 0x3FF));
  }

 private:
  std::mt19937 engine_;
};

const std::vector<const char*> kPatterns = {".*",         "[\\s\\S]*",
                                            "a*b?",       "[^a]{1,3}",
                                            "é+",         "[\\u{10000}-\\u{10FFFF}]*",
                                            "(a|\"|/)*",  "[^\\u0000-\\uFFFF]",
                                            "\\n|\\\\",   "[a-\\uFFFF]{2}",
                                            "(?!.*\").*", "[\\uE000-\\u{1F600}]*"};

// What is a JSON text and says a string of the language, and nothing else.
TEST(Terminals, JsonStringsAreThoseOfTheLanguage) {
  int good = 0, bad = 0;
  EXPECT_TRUE(rc::check("json_string() accepts the spellings of the texts", [&] {
    Random random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    ExprPool pool;
    Terminals terminals(pool);
    const ExprId e = *whole_regex(pool, random.pick(kPatterns));
    const StateId start = terminals.json_string(e, 0);
    for (int n = 0; n < 60; ++n) {
      std::string json = "\"";
      for (uint32_t i = random.below(4); i > 0; --i) json += random.spelling(random.character());
      json += "\"";
      if (random.below(4) == 0)
        json[random.below(static_cast<uint32_t>(json.size()))] = static_cast<char>(random.below(256));
      if (random.below(20) == 0) json.resize(random.below(static_cast<uint32_t>(json.size())));
      const bool taken = accepts(terminals, start, json);
      const Result<JsonValue> value = parse_json(json);
      // A lone half of a surrogate pair is read as U+FFFD; it says no text.
      const bool lone = value && value->is_string() && value->text.find("\uFFFD") != std::string::npos &&
                        json.find("\\u") != std::string::npos;
      if (lone) continue;
      if (json.empty() || json.front() != '"' || json.back() != '"') {
        RC_ASSERT(!taken);
        continue;
      }
      const bool expected = value && value->is_string() && pool.matches(e, value->text);
      if (taken != expected) RC_FAIL(json);
      ++(expected ? good : bad);
    }
  }));
  EXPECT_GT(good, 200);
  EXPECT_GT(bad, 1000);
}

TEST(Terminals, LoneSurrogatesAreNoText) {
  ExprPool pool;
  Terminals terminals(pool);
  const StateId start = terminals.json_string(ExprPool::kAll, 0);
  EXPECT_TRUE(accepts(terminals, start, "\"\\ud83d\\ude00\""));
  EXPECT_FALSE(accepts(terminals, start, "\"\\ud83d\""));
  EXPECT_FALSE(accepts(terminals, start, "\"\\ud83dx\""));
  EXPECT_FALSE(accepts(terminals, start, "\"\\ud83d\\u0041\""));
  EXPECT_FALSE(accepts(terminals, start, "\"\\ude00\""));
}

TEST(Terminals, RawTextsAreUtf8) {
  int good = 0, bad = 0;
  EXPECT_TRUE(rc::check("raw() accepts the bytes of the texts", [&] {
    Random random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    ExprPool pool;
    Terminals terminals(pool);
    const ExprId e = *whole_regex(pool, random.pick(kPatterns));
    const StateId start = terminals.raw(e);
    for (int n = 0; n < 60; ++n) {
      std::string bytes;
      for (uint32_t i = random.below(4); i > 0; --i) append_utf8(bytes, random.character());
      if (!bytes.empty() && random.below(3) == 0)
        bytes[random.below(static_cast<uint32_t>(bytes.size()))] = static_cast<char>(random.below(256));
      const bool expected = utf8_valid_prefix(bytes) == bytes.size() && pool.matches(e, bytes);
      RC_ASSERT(accepts(terminals, start, bytes) == expected);
      ++(expected ? good : bad);
    }
  }));
  EXPECT_GT(good, 200);
  EXPECT_GT(bad, 1000);
}

// Whatever may come, something may come after it until the text is whole.
TEST(Terminals, NoWayEndsInNothing) {
  EXPECT_TRUE(rc::check("a state leads on or accepts", [] {
    Random random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    ExprPool pool;
    Terminals terminals(pool);
    const char* pattern =
        random.pick({"[^a]{1,3}", "[\\u{10000}-\\u{10FFFF}]{2}", "(a|\"|/)*", "é{3}", "(?=.*b)[a-c]{3}",
                     "(?!..b)[a-c]{3}", "[\\uD000-\\uE100]{2}", "[^\\u0000-\\uD7FF]{2}"});
    const ExprId e = *whole_regex(pool, pattern);
    for (const StateId start : {terminals.raw(e), terminals.json_string(e, Terminals::kAnySpace)}) {
      StateId now = start;
      RC_ASSERT(now != Terminals::kDead);
      for (int i = 0; i < 60; ++i) {
        terminals.fill(now);
        std::vector<uint8_t> bytes;
        for (int byte = 0; byte < 256; ++byte) {
          RC_ASSERT(terminals.first_bytes(now)[byte] ==
                    (terminals.step(now, static_cast<uint8_t>(byte)) != Terminals::kDead));
          if (terminals.first_bytes(now)[byte]) bytes.push_back(static_cast<uint8_t>(byte));
        }
        if (bytes.empty()) {
          RC_ASSERT(terminals.accepts(now));
          break;
        }
        now = terminals.step(now, bytes[random.below(static_cast<uint32_t>(bytes.size()))]);
      }
    }
  }));
}

TEST(Terminals, NothingInItIsDead) {
  ExprPool pool;
  Terminals terminals(pool);
  const ExprId nothing = pool.both({pool.text("ab"), pool.repeat(ExprPool::kAnyChar, 3)});
  EXPECT_EQ(terminals.raw(nothing), Terminals::kDead);
  EXPECT_EQ(terminals.json_string(nothing, 0), Terminals::kDead);
  EXPECT_EQ(terminals.raw(ExprPool::kNone), Terminals::kDead);
  const StateId empty = terminals.raw(ExprPool::kEmpty);
  ASSERT_NE(empty, Terminals::kDead);
  EXPECT_TRUE(terminals.accepts(empty));
}

TEST(Terminals, SpaceBeforeAString) {
  ExprPool pool;
  Terminals terminals(pool);
  const ExprId ab = pool.text("ab");
  EXPECT_TRUE(accepts(terminals, terminals.json_string(ab, 4), " \t\n\r\"ab\""));
  EXPECT_TRUE(accepts(terminals, terminals.json_string(ab, 4), "\"ab\""));
  EXPECT_FALSE(accepts(terminals, terminals.json_string(ab, 3), " \t\n\r\"ab\""));
  EXPECT_TRUE(
      accepts(terminals, terminals.json_string(ab, Terminals::kAnySpace), std::string(999, ' ') + "\"ab\""));
  EXPECT_FALSE(accepts(terminals, terminals.json_string(ab, 0), " \"ab\""));
  EXPECT_FALSE(accepts(terminals, terminals.json_string(ab, 4), "\"ab\" "));
}

TEST(Terminals, SpecialTokens) {
  ExprPool pool;
  Terminals terminals(pool);
  const ExprId e = pool.concat({pool.repeat(pool.set({{'a', 'z'}}), 0),
                                pool.set({{kFirstSpecial + 3, kFirstSpecial + 4}}), pool.text("x")});
  StateId state = terminals.step(terminals.raw(e), "abc");
  EXPECT_EQ(terminals.specials(state), (std::vector<int32_t>{3, 4}));
  EXPECT_EQ(terminals.step_special(state, 5), Terminals::kDead);
  state = terminals.step_special(state, 4);
  ASSERT_NE(state, Terminals::kDead);
  EXPECT_TRUE(terminals.specials(state).empty());
  EXPECT_TRUE(accepts(terminals, state, "x"));
}

TEST(Terminals, TellsWhichLiteralItWas) {
  ExprPool pool;
  Terminals terminals(pool);
  const ExprId e = pool.literals({"one", "two", "on"});
  const auto tag = [&](StateId start, std::string_view bytes) {
    return terminals.tag(terminals.step(start, bytes));
  };
  EXPECT_EQ(tag(terminals.raw(e), "two"), 1);
  EXPECT_EQ(tag(terminals.raw(e), "on"), 2);
  EXPECT_EQ(tag(terminals.json_string(e, 0), "\"\\u006fne\""), 0);
}

}  // namespace
}  // namespace hadal::grammar
