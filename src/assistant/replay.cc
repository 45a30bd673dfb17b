#include "assistant/replay.h"

#include <algorithm>
#include <utility>

#include "chat/special_tokens.h"
#include "text/json_equal.h"

namespace hadal {

struct Replay::Turn {
  std::string owner;
  Hash128 key;
  std::optional<Hash128> silent_key;  // without its reasoning, where it has some
  std::vector<PromptItem> items;      // as the next request renders it
  std::vector<int32_t> ids;           // what stands for it
  std::string reasoning;
  std::vector<ToolCall> calls;
  std::string handle;
  int64_t bytes = 0;

  // What it is found by besides its tokens. Of its calls' ids, too: they are as unlikely to be guessed.
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const ToolCall& call : calls)
      if (!call.id.empty()) out.push_back(call.id);
    out.push_back(handle);
    return out;
  }
};

namespace {

// The name of a turn: the owner and all ids before it, and what it is rendered as.
Hash128 turn_key(const Hash128& before, std::span<const PromptItem> items) {
  Hasher hasher;
  hasher.add(before);
  for (const PromptItem& item : items) {
    hasher.add(item.special ? "s" : "t");
    hasher.add(item.text);
  }
  return hasher.digest();
}

// Whether a turn's items begin with reasoning: then its text is the second.
bool has_reasoning(std::span<const PromptItem> items) {
  return items.size() >= 3 && items[0] == PromptItem{true, std::string(special::kThink)} &&
         !items[1].special && items[2] == PromptItem{true, std::string(special::kEndThink)};
}

std::vector<PromptItem> without_reasoning(std::vector<PromptItem> items) {
  items.erase(items.begin() + 1);
  return items;
}

std::string owned(std::string_view owner, std::string_view name) {
  return std::to_string(owner.size()) + ':' + std::string(owner) + std::string(name);
}

int64_t bytes_of(const std::string& text) {
  return static_cast<int64_t>(sizeof(std::string) + text.size());
}

// The special token that ends an assistant turn, or items.size() when it has no end.
size_t end_of_turn(const std::vector<PromptItem>& items, size_t at) {
  for (; at < items.size(); ++at) {
    if (!items[at].special) continue;
    if (items[at].text == special::kEos) return at;
    if (special::ends_turn(items[at].text)) break;
  }
  return items.size();
}

}  // namespace

Replay::Replay(const Tokenizer& tokenizer, const PromptTemplate& style, ReplayLimits limits)
    : tokenizer_(tokenizer), style_(style), limits_(limits) {}

std::string Replay::remember(std::string_view owner, const FinishedTurn& finished) {
  const size_t begin = turn_begin(finished.prompt, tokenizer_);
  auto items = turn_items(finished.message, finished.mode, style_);
  if (begin == 0 || !items) return {};
  auto turn = std::make_shared<Turn>();
  turn->owner = owner;
  // What the prompt says of the turn already is part of it: "<think>", or more where it continues a message.
  turn->ids.assign(finished.prompt.begin() + static_cast<std::ptrdiff_t>(begin), finished.prompt.end());
  turn->ids.insert(turn->ids.end(), finished.answer.begin(), finished.answer.end());
  if (!finished.whole) {
    auto ids = ids_along(*items, turn->ids, tokenizer_);
    if (!ids) return {};
    turn->ids = std::move(*ids);
  }
  Hasher before;
  before.add(owner);
  before.add(finished.prompt.first(begin));
  turn->key = turn_key(before.digest(), *items);
  if (has_reasoning(*items)) turn->silent_key = turn_key(before.digest(), without_reasoning(*items));
  turn->items = std::move(*items);
  turn->reasoning = finished.message.reasoning_content;
  turn->calls = finished.message.tool_calls;
  turn->handle = finished.handle.empty() ? turn->key.hex() : finished.handle;

  turn->bytes = static_cast<int64_t>(sizeof(Turn) + 220);  // list, maps
  turn->bytes += bytes_of(turn->owner) + bytes_of(turn->reasoning);
  turn->bytes += 2 * bytes_of(turn->handle) + bytes_of(turn->owner);
  turn->bytes += static_cast<int64_t>(turn->ids.size() * sizeof(int32_t));
  for (const PromptItem& item : turn->items) turn->bytes += bytes_of(item.text) + 8;
  for (const ToolCall& call : turn->calls)
    turn->bytes +=
        2 * bytes_of(call.id) + bytes_of(call.name) + bytes_of(call.arguments) + bytes_of(turn->owner) + 64;
  if (turn->bytes > limits_.bytes || limits_.turns < 1) return {};
  std::string handle = turn->handle;
  insert(std::move(turn));
  return handle;
}

void Replay::insert(TurnRef turn) {
  const std::lock_guard lock(mutex_);
  while (!order_.empty() && (stats_.bytes + turn->bytes > limits_.bytes || stats_.turns >= limits_.turns))
    forget(order_.begin());
  order_.push_back(turn);
  const auto at = std::prev(order_.end());
  // An answer that came again: the older one is still known by its calls.
  by_key_.insert_or_assign(turn->key, at);
  if (turn->silent_key) by_silent_key_.insert_or_assign(*turn->silent_key, at);
  for (const std::string& name : turn->names()) by_name_.insert_or_assign(owned(turn->owner, name), at);
  stats_.bytes += turn->bytes;
  ++stats_.turns;
}

void Replay::forget(Order::iterator at) {
  const TurnRef turn = *at;
  const auto erase = [&](auto& map, const auto& key) {
    if (const auto found = map.find(key); found != map.end() && found->second == at) map.erase(found);
  };
  erase(by_key_, turn->key);
  if (turn->silent_key) erase(by_silent_key_, *turn->silent_key);
  for (const std::string& name : turn->names()) erase(by_name_, owned(turn->owner, name));
  stats_.bytes -= turn->bytes;
  --stats_.turns;
  order_.erase(at);
}

Replay::TurnRef Replay::find(std::string_view owner, const Hash128& before,
                             std::span<const PromptItem> said) {
  const Hash128 key = turn_key(before, said);
  const std::lock_guard lock(mutex_);
  const auto used = [&](Order::iterator at) {
    order_.splice(order_.end(), order_, at);
    return *at;
  };
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    const Turn& turn = **found->second;
    if (turn.owner == owner && std::ranges::equal(turn.items, said)) return used(found->second);
  }
  if (const auto found = by_silent_key_.find(key); found != by_silent_key_.end()) {
    const Turn& turn = **found->second;
    if (turn.owner == owner && std::ranges::equal(without_reasoning(turn.items), said)) {
      ++stats_.reasonings;
      return used(found->second);
    }
  }
  return nullptr;
}

Replay::TurnRef Replay::find_named(std::string_view owner, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = by_name_.find(owned(owner, name));
  if (found == by_name_.end()) return nullptr;
  order_.splice(order_.end(), order_, found->second);
  return *found->second;
}

void Replay::restore(std::string_view owner, std::vector<Message>& messages) {
  // Assistant messages that follow one another are one turn: its reasoning may stand in any of them.
  for (size_t i = 0; i < messages.size();) {
    size_t end = i;
    Message* place = nullptr;
    std::string reasoning;
    bool reasoned = false;
    for (; end < messages.size() && messages[end].role == "assistant"; ++end) {
      Message& message = messages[end];
      reasoned = reasoned || !message.reasoning_content.empty();
      if (restore_message(owner, message, reasoning) && place == nullptr) place = &message;
    }
    if (place != nullptr && !reasoned && !reasoning.empty()) {
      place->reasoning_content = std::move(reasoning);
      const std::lock_guard lock(mutex_);
      ++stats_.reasonings;
    }
    i = std::max(end, i + 1);
  }
}

// Returns whether a call of it is known; `reasoning` is then that of its turn.
bool Replay::restore_message(std::string_view owner, Message& message, std::string& reasoning) {
  bool known = false;
  for (ToolCall& call : message.tool_calls) {
    if (call.id.empty()) continue;
    const TurnRef turn = find_named(owner, call.id);
    if (turn == nullptr) continue;
    const auto stored = std::ranges::find(turn->calls, call.id, &ToolCall::id);
    if (stored == turn->calls.end() || stored->name != call.name) continue;
    if (!known) reasoning = turn->reasoning;
    known = true;
    if (stored->arguments == call.arguments) continue;
    const auto sent = parse_json(call.arguments), given = parse_json(stored->arguments);
    if (!sent || !given || !json_equal(*sent, *given)) continue;
    call.arguments = stored->arguments;
    const std::lock_guard lock(mutex_);
    ++stats_.arguments;
  }
  return known;
}

std::optional<std::string> Replay::reasoning(std::string_view owner, std::string_view handle) {
  const TurnRef turn = find_named(owner, handle);
  if (turn == nullptr || turn->handle != handle) return std::nullopt;
  return turn->reasoning;
}

Result<std::vector<int32_t>> Replay::prompt_ids(std::string_view owner,
                                                const std::vector<PromptItem>& items) {
  std::vector<int32_t> ids;
  Hasher before;
  before.add(owner);
  size_t hashed = 0, replayed = 0;
  std::vector<PromptItem> pending;  // items whose ids are not made yet
  for (size_t i = 0; i < items.size(); ++i) {
    pending.push_back(items[i]);
    const bool turn_begins = items[i].special && items[i].text == special::kAssistant;
    if (!turn_begins && i + 1 < items.size()) continue;
    const auto more = hadal::prompt_ids(pending, tokenizer_);
    if (!more) return more;
    ids.insert(ids.end(), more->begin(), more->end());
    pending.clear();
    const size_t end = turn_begins ? end_of_turn(items, i + 1) : items.size();
    if (end == items.size()) continue;
    before.add(std::span(ids).subspan(std::exchange(hashed, ids.size())));
    const std::span<const PromptItem> said = std::span(items).subspan(i + 1, end - i - 1);
    const TurnRef turn = find(owner, before.digest(), said);
    if (turn == nullptr) continue;
    ids.insert(ids.end(), turn->ids.begin(), turn->ids.end());
    ++replayed;
    i = end - 1;  // the end of the turn comes next
  }
  const std::lock_guard lock(mutex_);
  stats_.replayed += static_cast<int64_t>(replayed);
  return ids;
}

ReplayStats Replay::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace hadal
