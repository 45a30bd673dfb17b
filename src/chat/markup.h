// Recognising tool-call markup in a stream that may end anywhere (api.md A17.3-A17.5). The stream is a
// sequence of units: bytes, and the few special tokens that mean something here. Every match is decided by
// the shortest prefix that decides it, so the answer does not depend on how much of the stream has arrived.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hadal::markup {

using Unit = uint16_t;  // 0..255: a byte
inline constexpr Unit kDsml = 256;
inline constexpr Unit kThink = 257;
inline constexpr Unit kEndThink = 258;

enum class Fit { kNo, kPartial, kFull };  // kPartial: more units are needed to know

struct Match {
  Fit fit = Fit::kNo;
  size_t length = 0;  // kFull: units that belong to the markup and are done with
};

// How the tags of a block are written: with the special token, with its letters (in the variants of A17.5.1,
// or the token), or as plain <tool_calls> tags.
enum class Style { kToken, kSpelled, kPlain };

struct Opener {
  Match match;
  Style style = Style::kToken;
};

// All take the units from "<" (or the first letter) on.

// In content: "<" and the special token.
Match token_opener(std::span<const Unit> units);
// In reasoning, where only a whole opening counts: the block tag, newlines, the beginning of an invocation
// (A17.4).
Match reasoning_opener(std::span<const Unit> units);
// Openers made of ordinary text, valid at the start of a line. Of an invocation without a block only the mark
// is taken, so that its name is still to be read.
Opener text_opener(std::span<const Unit> units);
// "</" and the mark. Text marks count only before the name of a tag, because values may contain such text.
Match closer(std::span<const Unit> units, Style style);
// WORD name=" -- what introduces a function's or parameter's name.
Match named(std::span<const Unit> units, std::string_view word);
// A parameter that begins where a value is expected.
Match nested_parameter(std::span<const Unit> units, Style style);

}  // namespace hadal::markup
