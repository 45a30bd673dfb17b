// One answer as the next request will show it: the items that encode_chat makes of it, and the tokens that
// were really sampled for them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/encode.h"
#include "chat/message.h"
#include "chat/prompt_item.h"
#include "chat/prompt_template.h"
#include "kv/chain.h"
#include "text/tokenizer.h"

struct XXH3_state_s;  // of xxhash.h

namespace hadal {

// An answer that is over.
struct FinishedTurn {
  std::span<const int32_t> prompt;  // what the model was asked
  std::span<const int32_t> answer;  // what it sampled, without the id that ended it
  // The answer as the client got it: reasoning, content, calls with their ids. Where the prompt continued an
  // assistant message, with the text that it continued.
  Message message;
  Mode mode = Mode::kThinking;
  // The model ended it, so that all of `answer` is the message. False for one that a limit, a stop string or
  // a failure cut: the message may lack some of it then.
  bool whole = true;
  std::string handle = {};  // by which its reasoning is found again; empty: one is made
};

// A hash of 128 bits that grows. Not for secrets.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::span<const int32_t> ids);
  void add(std::string_view text);  // and its length
  void add(const Hash128& hash);
  // Of what was added so far; O(1).
  Hash128 digest() const;

 private:
  XXH3_state_s* state_;
};

// The items between "<｜Assistant｜>" and the end of the turn. None for a message that cannot be rendered.
std::optional<std::vector<PromptItem>> turn_items(const Message& message, Mode mode,
                                                  const PromptTemplate& style);

// Where the turn that is being answered begins: the number of ids up to and including the last
// "<｜Assistant｜>", or 0 when the prompt ends in no assistant turn.
size_t turn_begin(std::span<const int32_t> prompt, const Tokenizer& tokenizer);

// `items` as ids that agree with `sampled` for as long as both are the same text and the same special tokens,
// and are those of prompt_ids after that.
Result<std::vector<int32_t>> ids_along(const std::vector<PromptItem>& items, std::span<const int32_t> sampled,
                                       const Tokenizer& tokenizer);

}  // namespace hadal
