// The syntax of regular expressions: ECMA-262 with its `u` flag's meaning, as JSON Schema asks for it;
// lenient where patterns that people write leave the letter of it (needless escapes, literal braces) and
// where other dialects say the same with other words ((?i) at the start, \A, \Z, (?P<name>...)).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sample/grammar/char_classes.h"
#include "sample/grammar/charset.h"

namespace hadal::grammar {

inline constexpr size_t kMaxPatternBytes = 64 << 10;
inline constexpr uint32_t kNoMaximum = UINT32_MAX;

struct RegexNode {
  enum class Kind : uint8_t {
    kSet,      // one character of sets[set]
    kConcat,   // parts, one after the other; without parts the empty text
    kOr,       // one of parts
    kRepeat,   // parts[0], min to max times
    kStart,    // ^
    kEnd,      // $
    kBorder,   // \b
    kInside,   // \B
    kAhead,    // (?=parts[0])
    kNoAhead,  // (?!parts[0])
  };
  Kind kind = Kind::kConcat;
  bool plain = true;  // none of the kinds from kStart on in it
  uint32_t set = 0;
  uint32_t min = 0, max = 0;
  std::vector<uint32_t> parts{};
};

struct Regex {
  std::vector<RegexNode> nodes;  // parts before the whole
  std::vector<CharSet> sets;
  uint32_t root = 0;
};

// Problem: "column N", N the first character's place from 1, and what is wrong with it or not supported:
// back-references, look-behind and patterns that are too long or nested too deep are refused.
Result<Regex> parse_regex(std::string_view pattern, CharClasses& classes);

// Only a class, from its '[' to its ']', which must be the first and the last character that are read: moves
// `at` behind it.
Result<CharSet> parse_regex_class(std::string_view pattern, size_t& at, CharClasses& classes);

}  // namespace hadal::grammar
