// Tokenizer files carry regular expressions in the dialect of Oniguruma (the engine of the library that
// trains them); this program runs them with PCRE2. The two agree on most of the syntax, not on all of it.
#pragma once

#include <string>
#include <string_view>

namespace hadal {

// The PCRE2 pattern (for UTF and UCP mode, multi-line, newline LF) that means what the Oniguruma pattern
// means. Constructs whose meaning differs or is not known to agree are refused: throws Error kUnsupported
// that starts with where and names the construct and its place. Mistakes that PCRE2 finds by itself are left
// to it.
std::string oniguruma_to_pcre2(std::string_view pattern, const std::string& where);

}  // namespace hadal
