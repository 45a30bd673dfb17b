// Walking over bytes that may or may not be UTF-8: where the valid stretches are, and the replacement of what
// is not valid by U+FFFD. A broken sequence counts as one unit per maximal subpart, the practice the Unicode
// standard recommends (chapter 3, "U+FFFD Substitution of Maximal Subparts"). Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hadal {

struct Utf8Unit {
  size_t length = 0;  // bytes: one character, or one maximal subpart of a broken one; at least 1
  bool valid = false;
  bool cut = false;  // not valid only because the input ends inside it
};

// The unit at the start of bytes, which must not be empty.
Utf8Unit utf8_unit(std::string_view bytes);

// Length of the longest prefix that is valid UTF-8.
size_t utf8_valid_prefix(std::string_view bytes);

// Appends bytes to out as valid UTF-8, one U+FFFD for each broken unit. With hold_back, a sequence that the
// end of bytes cuts off is left out; returns the number of bytes taken (bytes.size(), less at most 3 held
// back).
size_t utf8_append_lossy(std::string& out, std::string_view bytes, bool hold_back);

// Appends one character. c is at most 0x10FFFF; that it is no surrogate is the caller's business.
void append_utf8(std::string& out, uint32_t c);

}  // namespace hadal
