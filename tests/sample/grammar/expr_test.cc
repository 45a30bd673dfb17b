#include "sample/grammar/expr.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "text/utf8.h"

namespace hadal::grammar {
namespace {

// ---- An expression beside a matcher that follows its definition ----

// Whether text[begin, end) is in the language.
using Matches = std::function<bool(std::string_view)>;

struct Pair {
  ExprId e;
  Matches matches;
};

// Any way of cutting the text into `min` to `max` pieces, of which empty ones need not be counted.
bool repeated(const Matches& one, std::string_view text, uint32_t min, uint32_t max) {
  if (text.empty()) return min == 0 || one("");
  if (max == 0) return false;
  for (size_t cut = 1; cut <= text.size(); ++cut) {
    if (!one(text.substr(0, cut))) continue;
    const uint32_t left = max == ExprPool::kUnbounded ? max : max - 1;
    if (repeated(one, text.substr(cut), min > 0 ? min - 1 : 0, left)) return true;
  }
  // An empty piece uses one up, which only helps a minimum.
  return min > 0 && one("") && repeated(one, text, min - 1, max == ExprPool::kUnbounded ? max : max - 1);
}

class Random {
 public:
  Random(ExprPool& pool, uint32_t seed) : pool_(pool), engine_(seed) {}
  int below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(engine_); }

  Pair leaf() {
    switch (below(6)) {
      case 0:
        return {ExprPool::kEmpty, [](std::string_view text) { return text.empty(); }};
      case 1: {
        CharSet chars = CharSet::one('a' + below(3));
        chars.add(CharSet::one('a' + below(3)));
        if (below(3) == 0) chars = chars.complement();
        return {pool_.set(chars), [chars](std::string_view text) {
                  return text.size() == 1 && chars.contains(static_cast<uint8_t>(text[0]));
                }};
      }
      case 2: {
        std::vector<std::string> texts;
        for (int n = 1 + below(4); n > 0; --n) texts.push_back(text(4));
        return {pool_.literals(texts),
                [texts](std::string_view text) { return std::ranges::count(texts, text) > 0; }};
      }
      case 3:
        return {ExprPool::kAll, [](std::string_view) { return true; }};
      case 4: {
        const std::string literal = text(3);
        return {pool_.text(literal), [literal](std::string_view text) { return text == literal; }};
      }
      default:
        return {ExprPool::kAnyChar, [](std::string_view text) { return text.size() == 1; }};
    }
  }

  Pair expr(int depth) {
    if (depth == 0) return leaf();
    switch (below(7)) {
      case 0:
      case 1: {
        const Pair a = expr(depth - 1), b = expr(depth - 1);
        return {pool_.concat(a.e, b.e), [a, b](std::string_view text) {
                  for (size_t cut = 0; cut <= text.size(); ++cut)
                    if (a.matches(text.substr(0, cut)) && b.matches(text.substr(cut))) return true;
                  return false;
                }};
      }
      case 2: {
        const Pair a = expr(depth - 1), b = expr(depth - 1), c = leaf();
        return {pool_.either({a.e, b.e, c.e}), [a, b, c](std::string_view text) {
                  return a.matches(text) || b.matches(text) || c.matches(text);
                }};
      }
      case 3: {
        const Pair a = expr(depth - 1), b = expr(depth - 1);
        return {pool_.both({a.e, b.e}),
                [a, b](std::string_view text) { return a.matches(text) && b.matches(text); }};
      }
      case 4: {
        const Pair a = expr(depth - 1);
        return {pool_.negate(a.e), [a](std::string_view text) { return !a.matches(text); }};
      }
      default: {
        const Pair a = expr(depth - 1);
        const auto min = static_cast<uint32_t>(below(3));
        const uint32_t max = below(2) == 0 ? ExprPool::kUnbounded : min + static_cast<uint32_t>(below(3));
        return {pool_.repeat(a.e, min, max),
                [a, min, max](std::string_view text) { return repeated(a.matches, text, min, max); }};
      }
    }
  }

 private:
  std::string text(int most) {
    std::string text;
    for (int n = below(most); n > 0; --n) text.push_back(static_cast<char>('a' + below(3)));
    return text;
  }

  ExprPool& pool_;
  std::mt19937 engine_;
};

const std::vector<std::string>& short_texts() {
  static const std::vector<std::string> texts = [] {
    std::vector<std::string> all{""};
    for (size_t i = 0; i < all.size(); ++i)
      if (all[i].size() < 5)
        for (const char c : {'a', 'b', 'c'}) all.push_back(all[i] + c);
    return all;
  }();
  return texts;
}

TEST(ExprPool, AgreesWithTheDefinition) {
  int some = 0;
  EXPECT_TRUE(rc::check("derivatives tell the language", [&] {
    ExprPool pool;
    Random random(pool, *rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    for (int n = 0; n < 10; ++n) {
      const Pair pair = random.expr(3);
      bool any = false;
      for (const std::string& text : short_texts()) {
        const bool expected = pair.matches(text);
        if (pool.matches(pair.e, text) != expected) RC_FAIL("text \"" + text + "\"");
        any = any || expected;
      }
      if (any) RC_ASSERT(!pool.empty(pair.e));
      some += any;
    }
  }));
  EXPECT_GT(some, 300);
}

// Where it says there is nothing, nothing is found, and the other way round.
TEST(ExprPool, EmptinessIsExact) {
  EXPECT_TRUE(rc::check("empty() is right", [] {
    ExprPool pool;
    Random random(pool, *rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    const Pair a = random.expr(2), b = random.expr(2);
    // Of the same texts, told in two ways, none is left.
    const ExprId both = pool.both({a.e, b.e});
    const ExprId same = pool.negate(pool.either({pool.negate(a.e), pool.negate(b.e)}));
    RC_ASSERT(pool.empty(pool.both({both, pool.negate(same)})));
    RC_ASSERT(pool.empty(pool.both({same, pool.negate(both)})));
    const ExprId e = pool.both({a.e, pool.negate(b.e)});
    if (!pool.empty(e)) {  // then a text is found by going on where something is
      ExprId now = e;
      for (int steps = 0; !pool.nullable(now); ++steps) {
        RC_ASSERT(steps < 1000);
        ExprId next = ExprPool::kNone;
        // The nearest way out, looked for in width.
        std::vector<std::pair<ExprId, ExprId>> open{{now, now}};
        std::set<ExprId> seen{now};
        for (size_t i = 0; i < open.size() && next == ExprPool::kNone; ++i)
          for (const ExprPool::Piece& piece : std::vector<ExprPool::Piece>(pool.pieces(open[i].first))) {
            if (piece.to == ExprPool::kNone || !seen.insert(piece.to).second) continue;
            const ExprId first = open[i].first == now ? piece.to : open[i].second;
            if (pool.nullable(piece.to)) {
              next = first;
              break;
            }
            open.emplace_back(piece.to, first);
          }
        RC_ASSERT(next != ExprPool::kNone);
        now = next;
      }
    }
  }));
}

TEST(ExprPool, EqualExpressionsAreOne) {
  ExprPool pool;
  const ExprId a = pool.text("a"), b = pool.text("b"), c = pool.text("c");
  EXPECT_EQ(a, pool.set(CharSet::one('a')));
  EXPECT_EQ(pool.concat(pool.concat(a, b), c), pool.concat(a, pool.concat(b, c)));
  EXPECT_EQ(pool.concat({a, b, c}), pool.concat(a, pool.concat(b, c)));
  EXPECT_EQ(pool.either({a, b}), pool.set({{'a', 'b'}}));
  EXPECT_EQ(pool.both({pool.set({{'a', 'c'}}), pool.set({{'b', 'd'}})}), pool.set({{'b', 'c'}}));
  EXPECT_EQ(pool.either({a, ExprPool::kAll}), ExprPool::kAll);
  EXPECT_EQ(pool.both({a, ExprPool::kAll}), a);
  EXPECT_EQ(pool.both({a, b}), ExprPool::kNone);
  EXPECT_EQ(pool.both({ExprPool::kEmpty, pool.repeat(a, 0)}), ExprPool::kEmpty);
  EXPECT_EQ(pool.both({ExprPool::kEmpty, a}), ExprPool::kNone);
  EXPECT_EQ(pool.negate(pool.negate(a)), a);
  EXPECT_EQ(pool.both({a, pool.negate(a)}), ExprPool::kNone);
  EXPECT_EQ(pool.either({a, pool.negate(a)}), ExprPool::kAll);
  EXPECT_EQ(pool.repeat(a, 1, 1), a);
  EXPECT_EQ(pool.repeat(a, 0, 0), ExprPool::kEmpty);
  EXPECT_EQ(pool.repeat(a, 2, 1), ExprPool::kNone);
  EXPECT_EQ(pool.repeat(pool.repeat(a, 0), 3, 7), pool.repeat(a, 0));
  EXPECT_EQ(pool.repeat(ExprPool::kAnyChar, 0), ExprPool::kAll);
  EXPECT_EQ(pool.repeat(ExprPool::kNone, 1), ExprPool::kNone);
  EXPECT_EQ(pool.concat(ExprPool::kAll, ExprPool::kAll), ExprPool::kAll);
  EXPECT_EQ(pool.literals({"x", "yy"}), pool.literals({"x", "yy"}));
  EXPECT_EQ(pool.set({{0xD800, 0xDBFF}}), ExprPool::kNone);  // in no text
}

TEST(ExprPool, LiteralsTellWhichTheyWere) {
  ExprPool pool;
  const ExprId e = pool.literals({"b", "ab", "a", "", "ab", "é"});
  EXPECT_EQ(pool.tag(e), 3);
  EXPECT_EQ(pool.tag(pool.derive(e, "a")), 2);
  EXPECT_EQ(pool.tag(pool.derive(e, "ab")), 1);
  EXPECT_EQ(pool.tag(pool.derive(e, "é")), 5);
  EXPECT_EQ(pool.tag(pool.literals({"xy", "xz"})), -1);
  EXPECT_EQ(pool.tag(ExprPool::kAll), -1);
  EXPECT_EQ(pool.literals({}), ExprPool::kNone);
  EXPECT_EQ(pool.literals({""}), ExprPool::kEmpty);
}

TEST(ExprPool, Multiples) {
  ExprPool pool;
  for (const uint32_t step : {1u, 2u, 3u, 7u, 12u, 25u})
    for (const uint32_t decimals : {0u, 1u, 2u}) {
      const ExprId e = pool.multiples(step, decimals);
      for (int thousandths = 0; thousandths < 13000; thousandths += 7) {
        char text[32];
        std::snprintf(text, sizeof text, "%d.%03d", thousandths / 1000, thousandths % 1000);
        const int64_t scaled = int64_t{thousandths} * (decimals == 0 ? 1 : decimals == 1 ? 10 : 100);
        const bool expected = scaled % (int64_t{step} * 1000) == 0;
        ASSERT_EQ(pool.matches(e, text), expected) << text << " of " << step << "/10^" << decimals;
      }
      for (uint32_t whole = 0; whole < 200; ++whole) {
        const bool expected = whole * (decimals == 0 ? 1u : decimals == 1 ? 10u : 100u) % step == 0;
        ASSERT_EQ(pool.matches(e, std::to_string(whole)), expected) << whole << " of " << step;
      }
      for (const char* text : {"", ".", "1.", ".5", "-1", "1e2"}) EXPECT_FALSE(pool.matches(e, text)) << text;
    }
}

TEST(ExprPool, Loops) {
  ExprPool pool;
  // (a, and not "ab" from there on, or b)* and then c
  const ExprId loop = pool.open_loop(pool.text("c"));
  const ExprId not_ab = pool.negate(pool.concat(pool.text("ab"), ExprPool::kAll));
  pool.close_loop(loop, pool.either({pool.both({pool.concat(pool.text("a"), loop), not_ab}),
                                     pool.concat(pool.text("b"), loop), loop}));
  for (const std::string& text : short_texts()) {
    const bool expected =
        text.ends_with('c') && text.find('c') == text.size() - 1 && text.find("ab") == std::string::npos;
    EXPECT_EQ(pool.matches(loop, text), expected) << text;
  }
  EXPECT_FALSE(pool.empty(loop));
  const ExprId endless = pool.open_loop(ExprPool::kNone);
  pool.close_loop(endless, pool.concat(pool.text("a"), endless));
  EXPECT_TRUE(pool.empty(endless));
}

TEST(ExprPool, RelaxedIsTheSameForSoLong) {
  int compared = 0;
  EXPECT_TRUE(rc::check("relaxed expressions go on as the others do", [&] {
    ExprPool pool;
    std::mt19937 random(*rc::gen::noShrink(rc::gen::resize(100, rc::gen::arbitrary<uint32_t>())));
    const std::function<ExprId(int)> make = [&](int depth) -> ExprId {
      const auto min = static_cast<uint32_t>(random() % 2 ? random() % 3 : 17 + random() % 5);
      const uint32_t max =
          random() % 4 == 0 ? ExprPool::kUnbounded : min + static_cast<uint32_t>(random() % 25);
      switch (depth == 0 ? 0 : random() % 4) {
        case 0:
          return pool.set({{'a', static_cast<uint32_t>('a' + random() % 3)}});
        case 1:
          return pool.either({make(depth - 1), make(depth - 1)});
        case 2:
          return pool.concat(make(depth - 1), make(depth - 1));
        default:
          return pool.repeat(make(depth - 1), min, max);
      }
    };
    ExprId e = pool.repeat(make(3), 0, 30);
    if (random() % 2)
      e = pool.concat(
          pool.both({e, pool.repeat(ExprPool::kAnyChar, 0, 20 + static_cast<uint32_t>(random() % 60))}),
          make(1));
    try {
      if (pool.empty(e)) return;
      const ExprPool::Relaxed relaxed = pool.relaxed(e);
      ExprId a = e, b = relaxed.e;
      for (uint32_t i = 0; i <= std::min(relaxed.chars, 90u) && a != b; ++i) {
        RC_ASSERT(pool.empty(a) == pool.empty(b));
        RC_ASSERT(pool.nullable(a) == pool.nullable(b));
        std::vector<uint32_t> ways;
        for (uint32_t c = 'a'; c <= 'd'; ++c) {
          const bool dead = pool.empty(pool.derive(a, c));
          if (i < relaxed.chars) RC_ASSERT(dead == pool.empty(pool.derive(b, c)));
          if (!dead) ways.push_back(c);
        }
        if (ways.empty()) break;
        const uint32_t c = ways[random() % ways.size()];
        a = pool.derive(a, c);
        b = pool.derive(b, c);
        ++compared;
      }
    } catch (const Error&) {  // texts of thousands of characters
    }
  }));
  EXPECT_GT(compared, 200);
  ExprPool pool;
  const ExprId letter = pool.set({{'a', 'z'}});
  EXPECT_EQ(pool.relaxed(pool.repeat(letter, 0, 50)).e, pool.relaxed(pool.repeat(letter, 0, 40)).e);
  EXPECT_EQ(pool.relaxed(pool.repeat(letter, 64, 64)).e, pool.relaxed(pool.repeat(letter, 40, 40)).e);
  EXPECT_EQ(pool.relaxed(pool.repeat(letter, 0, 50)).chars, 50u);
  EXPECT_EQ(pool.relaxed(pool.repeat(letter, 0)).chars, ExprPool::kUnbounded);
  EXPECT_EQ(pool.relaxed(pool.negate(pool.repeat(letter, 0, 50))).chars, ExprPool::kUnbounded);
  const ExprId words = pool.repeat(pool.concat(pool.repeat(letter, 1), pool.text("!?")), 0);
  const ExprPool::Relaxed limited = pool.relaxed(pool.both({words, pool.repeat(ExprPool::kAnyChar, 0, 50)}));
  EXPECT_EQ(limited.e, words);
  EXPECT_EQ(limited.chars, 47u);  // "a!?" may be to come
}

TEST(ExprPool, Enumerates) {
  ExprPool pool;
  std::vector<std::string> texts;
  EXPECT_TRUE(pool.enumerate(
      pool.concat({pool.set({{'a', 'b'}}), pool.optional(pool.text("é")), pool.text("c")}), 10, texts));
  std::ranges::sort(texts);
  EXPECT_EQ(texts, (std::vector<std::string>{"ac", "aéc", "bc", "béc"}));
  EXPECT_TRUE(pool.enumerate(pool.both({ExprPool::kAll, pool.literals({"x", "y"})}), 2, texts));
  EXPECT_EQ(texts.size(), 2u);
  EXPECT_FALSE(pool.enumerate(pool.literals({"x", "y"}), 1, texts));
  EXPECT_FALSE(pool.enumerate(ExprPool::kAll, 1000, texts));
  EXPECT_FALSE(pool.enumerate(pool.repeat(pool.text("a"), 0), 1000, texts));
  EXPECT_TRUE(pool.enumerate(ExprPool::kNone, 0, texts));
  EXPECT_TRUE(texts.empty());
}

TEST(ExprPool, LongLengthsAreNotTooComplex) {
  ExprPool pool;
  const ExprId word = pool.repeat(pool.set({{'a', 'z'}}), 0);
  const ExprId e = pool.both({word, pool.repeat(ExprPool::kAnyChar, 3000, 3001)});
  EXPECT_FALSE(pool.empty(e));
  ExprId now = e;
  for (int i = 0; i < 3001; ++i) {
    ASSERT_FALSE(pool.empty(now));
    now = pool.derive(now, 'x');
  }
  EXPECT_TRUE(pool.nullable(now));
  EXPECT_TRUE(pool.empty(pool.derive(now, 'x')));
}

TEST(ExprPool, SpecialsAreNoCharacters) {
  ExprPool pool;
  const ExprId special = pool.set(CharSet::one(kFirstSpecial + 7));
  EXPECT_EQ(pool.derive(special, kFirstSpecial + 7), ExprPool::kEmpty);
  EXPECT_EQ(pool.derive(ExprPool::kAll, kFirstSpecial + 7), ExprPool::kNone);
  EXPECT_TRUE(pool.empty(pool.derive(pool.negate(pool.text("a")), kFirstSpecial + 7)));
  const ExprId mixed = pool.concat(pool.repeat(ExprPool::kAnyChar, 0, 3), special);
  EXPECT_TRUE(pool.nullable(pool.derive(pool.derive(mixed, "ab"), kFirstSpecial + 7)));
}

TEST(Utf8, CharactersThereAndBack) {
  for (const uint32_t c :
       {0u, 0x7Fu, 0x80u, 0x7FFu, 0x800u, 0xD7FFu, 0xE000u, 0xFFFFu, 0x10000u, kLastChar}) {
    std::string text = "x";
    append_utf8(text, c);
    size_t at = 1;
    EXPECT_EQ(next_char(text, at), c);
    EXPECT_EQ(at, text.size());
  }
}

}  // namespace
}  // namespace hadal::grammar
