// Ids to text, one at a time: a token may end inside a character, and what is shown must be valid UTF-8 at
// every moment (spec A16.3).
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace hadal {

// Holds back the bytes of an unfinished character, at most 3. All that push returned and then finish, strung
// together, is Tokenizer::decode of the same ids. One per stream; not thread-safe.
class StreamDecoder {
 public:
  // Keeps its own copy of the tokenizer, which shares the data.
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false);

  // The text that is certain after one more token. Throws Error kInvalidInput, and changes nothing, for an id
  // that has no token.
  std::string push(int32_t id);

  // U+FFFD when the stream ended inside a character. The decoder is then as new.
  std::string finish();

 private:
  Tokenizer tokenizer_;
  bool skip_special_;
  std::string held_;
};

}  // namespace hadal
