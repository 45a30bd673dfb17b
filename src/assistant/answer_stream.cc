#include "assistant/answer_stream.h"

#include <algorithm>
#include <utility>

#include "chat/special_tokens.h"

namespace hadal {

AnswerStream::AnswerStream(const Tokenizer& tokenizer, ParserOptions options, ParserSink& sink)
    : tokenizer_(tokenizer), parser_(std::move(options)), sink_(sink) {}

void AnswerStream::push(int32_t id) {
  if (finished()) return;
  const std::string_view bytes = tokenizer_.token_bytes(id);
  const bool special = tokenizer_.is_added(id);
  if (special && special::ends_turn(bytes)) return finish(FinishCause::kEos);
  const bool reasoning = parser_.in_reasoning(), text = reasoning || parser_.in_content();
  const bool silent = special && (bytes == special::kThink || bytes == special::kEndThink);
  pending_.push_back({silent ? 0 : bytes.size(), silent});
  heard_ = 0;
  if (special)
    parser_.push_special(bytes, *this);
  else
    parser_.push_bytes(bytes, *this);
  if (finished()) {  // a stop string
    settle(false, TokenPart::kMarkup);
  } else if (reasoning && parser_.in_content()) {  // newlines before the end of the reasoning are part of it
    settle(true, TokenPart::kReasoning);
  } else if (!parser_.in_reasoning() && !parser_.in_content()) {
    settle(!text, TokenPart::kMarkup);
  } else if (heard_ > 0) {
    settle(true, channel_);
  }
}

void AnswerStream::finish(FinishCause cause) {
  if (finished()) return;
  heard_ = 0;
  parser_.finish(cause, *this);
  settle(false, parser_.in_reasoning() ? TokenPart::kReasoning : TokenPart::kMarkup);
}

int64_t AnswerStream::reasoning_tokens() const {
  return reasoning_ + (parser_.in_reasoning() ? static_cast<int64_t>(pending_.size()) : 0);
}

void AnswerStream::on_reasoning(std::string_view delta) {
  heard_ += delta.size();
  channel_ = TokenPart::kReasoning;
  sink_.on_reasoning(delta);
}

void AnswerStream::on_content(std::string_view delta) {
  heard_ += delta.size();
  channel_ = TokenPart::kContent;
  sink_.on_content(delta);
}

// Decides all that are pending. `whole`: they are all `rest`. Otherwise text came out until something else
// began: as many tokens from the front as it had bytes for are text.
void AnswerStream::settle(bool whole, TokenPart rest) {
  size_t count = 0;
  for (size_t bytes = 0; !whole && count < pending_.size() && bytes < heard_; ++count)
    bytes += pending_[count].bytes;
  decide(count, channel_);
  decide(pending_.size(), rest);
}

void AnswerStream::decide(size_t count, TokenPart part) {
  for (size_t i = 0; i < count; ++i) {
    parts_.push_back(pending_[i].silent ? TokenPart::kMarkup : part);
    reasoning_ += parts_.back() == TokenPart::kReasoning;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace hadal
