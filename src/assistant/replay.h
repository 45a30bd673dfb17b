// What answers looked like when they were sampled, so that a conversation that comes back as JSON becomes the
// very tokens whose state is cached (api.md A18.1-A18.3). Two things are put back:
//
//  * What clients spell differently or leave out: the arguments of known tool calls, and the reasoning of the
//    turn they belong to (restore).
//  * The tokens: where a turn of a new prompt is, item by item, what would be rendered for an answer that was
//    given to the same ids before it, the ids that were sampled stand for it (prompt_ids). So neither a
//    tokenisation that is not the usual one nor markup that the parser read generously costs the cache. The
//    same where nothing but the turn's reasoning is missing: agents leave out that of their last answers.
//
// Neither changes what a conversation says in any other way; without a memory of a turn everything is as
// encode_chat has it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "assistant/replay_turn.h"
#include "base/result.h"

namespace hadal {

struct ReplayLimits {
  int64_t bytes = int64_t{256} << 20;  // about 12 for each token of an answer
  int64_t turns = 100'000;
};

struct ReplayStats {
  int64_t turns = 0, bytes = 0;           // remembered now
  int64_t replayed = 0;                   // turns of prompts that got their sampled ids
  int64_t arguments = 0, reasonings = 0;  // put back
};

// Safe from any thread. The owner is whoever must not see what others said (an API key, a user; any text):
// nothing is found under another one. The least recently used turns are forgotten first. Borrows tokenizer
// and style.
class Replay {
 public:
  Replay(const Tokenizer& tokenizer, const PromptTemplate& style, ReplayLimits limits = {});

  // Remembers an answer. Returns the handle of its reasoning; empty when the answer can be no turn of a
  // conversation, or is larger than the limit.
  std::string remember(std::string_view owner, const FinishedTurn& turn);

  // For assistant messages with tool calls that are known by their ids: spells arguments that say the same as
  // the known ones as those, and puts the reasoning back where there is none.
  void restore(std::string_view owner, std::vector<Message>& messages);
  // The reasoning of the turn with this handle. For clients that send a turn without tool calls.
  std::optional<std::string> reasoning(std::string_view owner, std::string_view handle);

  // The ids of a prompt of encode_chat. Problem: as of hadal::prompt_ids. Linear in the prompt.
  Result<std::vector<int32_t>> prompt_ids(std::string_view owner, const std::vector<PromptItem>& items);

  ReplayStats stats() const;

 private:
  struct Turn;
  using TurnRef = std::shared_ptr<const Turn>;
  using Order = std::list<TurnRef>;  // the least recently used first

  // The turn that was this, or this and its reasoning, after ids with this hash.
  TurnRef find(std::string_view owner, const Hash128& before, std::span<const PromptItem> said);
  TurnRef find_named(std::string_view owner, std::string_view name);
  void insert(TurnRef turn);
  void forget(Order::iterator turn);
  bool restore_message(std::string_view owner, Message& message, std::string& reasoning);

  const Tokenizer& tokenizer_;
  const PromptTemplate& style_;
  const ReplayLimits limits_;

  mutable std::mutex mutex_;  // guards what follows
  Order order_;
  std::unordered_map<Hash128, Order::iterator, BlockKeyHash> by_key_, by_silent_key_;
  std::unordered_map<std::string, Order::iterator> by_name_;  // owner and call id or handle
  ReplayStats stats_;
};

}  // namespace hadal
