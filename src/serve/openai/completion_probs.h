// The `logprobs` object of /completions (api.md B7): tokens, where their text begins, and what else was
// likely.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "assistant/token_probs.h"
#include "serve/json_out.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace hadal::serve {

// How many characters a valid UTF-8 text has.
int64_t count_characters(std::string_view text);

// The text of a token; a piece of a character is spelled as bytes: "bytes:\xe2\x80".
std::string completion_token(const Tokenizer& tokenizer, int32_t id);

// The tokens of one choice, waiting for the chunk that shows their text. Not thread-safe. Borrows the
// tokenizer.
class CompletionProbs {
 public:
  explicit CompletionProbs(const Tokenizer& tokenizer) : tokenizer_(tokenizer), decoder_(tokenizer) {}

  // A token of the text that nothing is said about: the first of all.
  void add_unknown(int32_t id);
  // silent: it has no text.
  void add(const TokenProbs& probs, bool silent = false);
  // The text of the next token has nothing to do with what came before: a prompt is over.
  void end_text();

  // Forgets the tokens whose text begins at this character or later: a stop string took them.
  void drop_from(int64_t character);
  // Writes "logprobs" with the tokens whose text begins before this character, and forgets them; null when
  // there are none.
  void write(JsonOut& json, int64_t character);
  void write_all(JsonOut& json);

 private:
  struct Entry {
    int64_t offset = 0;  // characters of text before it
    std::string token;   // JSON
    std::string logprob;
    std::string top;
  };
  int64_t place(int32_t id, bool silent);
  void write_first(JsonOut& json, size_t count);

  const Tokenizer& tokenizer_;
  StreamDecoder decoder_;  // counts what the text has
  int64_t characters_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace hadal::serve
