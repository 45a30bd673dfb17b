#include "serve/openai/completion_probs.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/utf8.h"

namespace hadal::serve {

int64_t count_characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::string completion_token(const Tokenizer& tokenizer, int32_t id) {
  const std::string_view bytes = tokenizer.token_bytes(id);
  if (utf8_valid_prefix(bytes) == bytes.size()) return std::string(bytes);
  std::string out = "bytes:";
  for (const char c : bytes) {
    if (c == '\\')
      out += "\\\\";
    else if (c >= ' ' && c <= '~')
      out += c;
    else
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

int64_t CompletionProbs::place(int32_t id, bool silent) {
  const int64_t offset = characters_;
  if (!silent) characters_ += count_characters(decoder_.push(id));
  return offset;
}

void CompletionProbs::add_unknown(int32_t id) {
  entries_.push_back({place(id, false), json_string(completion_token(tokenizer_, id)), "null", "null"});
}

void CompletionProbs::add(const TokenProbs& probs, bool silent) {
  Entry entry;
  entry.offset = place(probs.chosen.id, silent);
  const std::string token = completion_token(tokenizer_, probs.chosen.id);
  entry.token = json_string(token);
  JsonOut(entry.logprob).value(double{probs.chosen.logprob});

  // Tokens that are spelled alike share a key; the likelier one has it, and the chosen one its own.
  JsonOut top(entry.top);
  top.begin('{');
  std::vector<std::string> keys = {token};
  bool with_chosen = false;
  for (const TokenProb& other : probs.top) {
    if (other.id == probs.chosen.id) {
      top.field(token, double{probs.chosen.logprob});
      with_chosen = true;
      continue;
    }
    std::string key = completion_token(tokenizer_, other.id);
    if (std::ranges::count(keys, key) > 0) continue;
    top.field(key, double{other.logprob});
    keys.push_back(std::move(key));
  }
  if (!with_chosen) top.field(token, double{probs.chosen.logprob});
  top.end('}');
  entries_.push_back(std::move(entry));
}

void CompletionProbs::end_text() {
  characters_ += count_characters(decoder_.finish());
}

void CompletionProbs::drop_from(int64_t character) {
  std::erase_if(entries_, [&](const Entry& entry) { return entry.offset >= character; });
}

void CompletionProbs::write(JsonOut& json, int64_t character) {
  // Offsets never fall.
  const auto end = std::ranges::lower_bound(entries_, character, {}, &Entry::offset);
  write_first(json, static_cast<size_t>(end - entries_.begin()));
}

void CompletionProbs::write_all(JsonOut& json) {
  write_first(json, entries_.size());
}

void CompletionProbs::write_first(JsonOut& json, size_t count) {
  if (count == 0) {
    json.null_field("logprobs");
    return;
  }
  json.key("logprobs").begin('{').key("text_offset").begin('[');
  for (size_t i = 0; i < count; ++i) json.value(entries_[i].offset);
  json.end(']').key("token_logprobs").begin('[');
  for (size_t i = 0; i < count; ++i) json.raw(entries_[i].logprob);
  json.end(']').key("tokens").begin('[');
  for (size_t i = 0; i < count; ++i) json.raw(entries_[i].token);
  json.end(']').key("top_logprobs").begin('[');
  for (size_t i = 0; i < count; ++i) json.raw(entries_[i].top);
  json.end(']').end('}');
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace hadal::serve
