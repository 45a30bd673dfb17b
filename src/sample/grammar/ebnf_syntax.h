// The text of an EBNF grammar as a tree.
//
//   root   ::= item ("," item)*          # a rule; `:` and `=` do as well, and a `;` behind it
//   item   ::= name "=" value{1,3}       // ? * + {n} {n,} {m,n}
//   value  ::= [0-9a-f]+ | "\"" /[^"\\]*/ "\"" | ( "x" | 'y' ) | .
//
// Literals know the escapes of JSON, \xHH and \u{...}; classes and regular expressions are those of
// regex_syntax.h (/.../i: in any case); a dot is any character but the end of a line. An alternative may be
// empty. Names are of letters, digits, _ and -.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sample/grammar/charset.h"

namespace hadal::grammar {

struct EbnfNode {
  enum class Kind : uint8_t { kText, kSet, kRegex, kRule, kConcat, kOr, kRepeat };
  Kind kind = Kind::kConcat;
  size_t at = 0;              // byte of the rules
  std::string text{};         // kText; the pattern of kRegex
  CharSet set{};              // kSet
  uint32_t rule = 0;          // kRule
  uint32_t min = 0, max = 0;  // kRepeat; UINT32_MAX: any number
  std::vector<uint32_t> parts{};
};

struct EbnfRule {
  std::string name;
  size_t at = 0;
  uint32_t first = 0, body = 0;  // its nodes, parts before the whole
};

struct Ebnf {
  std::vector<EbnfNode> nodes;
  std::vector<EbnfRule> rules;
  uint32_t start = 0;  // the rule `root`, or else the first
};

inline constexpr size_t kMaxEbnfBytes = 128 << 10;

// "line 3, column 7" of a byte of a text.
std::string line_and_column(std::string_view text, size_t at);

// Problem: where it is, and what was expected there. A rule that is not there or there twice is one too.
Result<Ebnf> parse_ebnf(std::string_view rules);

}  // namespace hadal::grammar
