#include "assistant/replay_turn.h"

#include <xxhash.h>

#include <algorithm>
#include <new>
#include <string>

#include "chat/special_tokens.h"

namespace hadal {

Hasher::Hasher() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_);
}

Hasher::~Hasher() {
  XXH3_freeState(state_);
}

void Hasher::add(std::span<const int32_t> ids) {
  XXH3_128bits_update(state_, ids.data(), ids.size_bytes());
}

void Hasher::add(std::string_view text) {
  const uint64_t size = text.size();
  XXH3_128bits_update(state_, &size, sizeof size);
  XXH3_128bits_update(state_, text.data(), text.size());
}

void Hasher::add(const Hash128& hash) {
  const auto bytes = hash.bytes();
  XXH3_128bits_update(state_, bytes.data(), bytes.size());
}

Hash128 Hasher::digest() const {
  const XXH128_hash_t value = XXH3_128bits_digest(state_);
  return {value.high64, value.low64};
}

std::optional<std::vector<PromptItem>> turn_items(const Message& message, Mode mode,
                                                  const PromptTemplate& style) {
  ChatRequest request;
  request.mode = mode;
  request.messages.resize(2);
  request.messages[0].role = "user";
  request.messages[1] = message;
  request.messages[1].role = "assistant";
  request.messages[1].prefix = false;
  request.messages[1].task.clear();
  auto items = encode_chat(request, style);
  if (!items) return std::nullopt;
  const auto begin = std::ranges::find(*items, PromptItem{true, std::string(special::kAssistant)});
  if (begin == items->end() || items->back() != PromptItem{true, std::string(special::kEos)})
    return std::nullopt;
  return std::vector<PromptItem>(begin + 1, items->end() - 1);
}

size_t turn_begin(std::span<const int32_t> prompt, const Tokenizer& tokenizer) {
  for (size_t n = prompt.size(); n > 0; --n) {
    const int32_t id = prompt[n - 1];
    if (!tokenizer.is_added(id)) continue;
    const std::string_view literal = tokenizer.token_bytes(id);
    if (literal == special::kAssistant) return n;
    if (special::ends_turn(literal)) return 0;
  }
  return 0;
}

Result<std::vector<int32_t>> ids_along(const std::vector<PromptItem>& items, std::span<const int32_t> sampled,
                                       const Tokenizer& tokenizer) {
  size_t item = 0, offset = 0;                        // how far the text agrees
  size_t used = 0, whole_item = 0, whole_offset = 0;  // and how far it does with whole characters
  for (size_t n = 0; n < sampled.size() && item < items.size(); ++n) {
    const std::string_view bytes = tokenizer.token_bytes(sampled[n]), text = items[item].text;
    if (items[item].special != tokenizer.is_added(sampled[n])) break;
    if (items[item].special ? bytes != text : !text.substr(offset).starts_with(bytes)) break;
    offset += bytes.size();
    if (offset == text.size()) ++item, offset = 0;
    const bool inside = offset > 0 && (static_cast<unsigned char>(text[offset]) & 0xC0) == 0x80;
    if (!inside) used = n + 1, whole_item = item, whole_offset = offset;
  }
  std::vector<int32_t> ids(sampled.begin(), sampled.begin() + static_cast<std::ptrdiff_t>(used));
  std::vector<PromptItem> rest(items.begin() + static_cast<std::ptrdiff_t>(whole_item), items.end());
  if (whole_offset > 0) rest.front().text.erase(0, whole_offset);
  const auto more = prompt_ids(rest, tokenizer);
  if (!more) return tl::make_unexpected(more.error());
  ids.insert(ids.end(), more->begin(), more->end());
  return ids;
}

}  // namespace hadal
