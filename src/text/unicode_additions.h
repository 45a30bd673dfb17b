// What PCRE2's tables lack. Debian 12 has PCRE2 10.42, which knows Unicode 14; tokenizers in use go by
// Unicode 16. Between the two, characters were added and none changed its main category, so \p{L} of Unicode
// 16 is \p{L} of PCRE2 and the characters listed here. A PCRE2 with newer tables is not harmed by them.
#pragma once

#include <string_view>

namespace hadal {

// The body of a character class for one of the main categories L, M, N, P, S; empty for others. Z gained
// nothing, and to C no pattern of a tokenizer refers.
std::string_view unicode_additions(char category);

}  // namespace hadal
