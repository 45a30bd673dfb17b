#include "serve/completion_prompt.h"

#include <algorithm>
#include <array>
#include <optional>

#include "chat/special_tokens.h"

namespace hadal::serve {
namespace {

constexpr std::string_view kFimBegin = "<｜fim▁begin｜>", kFimHole = "<｜fim▁hole｜>",
                           kFimEnd = "<｜fim▁end｜>";

int32_t bos_id(const TextModel& model) {
  return static_cast<int32_t>(model.model()->config().bos_token_id);
}

void append(std::vector<int32_t>& ids, const std::vector<int32_t>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

}  // namespace

std::vector<int32_t> plain_prompt_ids(const TextModel& model, std::string_view text) {
  return model.plain_prompt(text).ids;
}

std::vector<int32_t> raw_prompt_ids(const TextModel& model, std::string_view text) {
  std::vector<int32_t> ids = model.tokenizer().encode_with_added(text);
  if (ids.empty() || ids.front() != bos_id(model)) ids.insert(ids.begin(), bos_id(model));
  return ids;
}

Asked<std::vector<int32_t>> fim_prompt_ids(const TextModel& model, std::string_view prefix,
                                           std::string_view suffix) {
  const Tokenizer& tokenizer = model.tokenizer();
  const auto begin = tokenizer.added_id(kFimBegin), hole = tokenizer.added_id(kFimHole),
             end = tokenizer.added_id(kFimEnd);
  if (!begin || !hole || !end)
    return refuse("suffix is not supported by this model: its tokenizer has no fill-in-the-middle tokens",
                  "suffix");
  std::vector<int32_t> ids = {bos_id(model), *begin};
  append(ids, tokenizer.encode(prefix));
  ids.push_back(*hole);
  append(ids, tokenizer.encode(suffix));
  ids.push_back(*end);
  return ids;
}

bool can_fill_in_middle(const TextModel& model) {
  const Tokenizer& tokenizer = model.tokenizer();
  return tokenizer.added_id(kFimBegin) && tokenizer.added_id(kFimHole) && tokenizer.added_id(kFimEnd);
}

std::vector<int32_t> completion_end_ids(const TextModel& model) {
  std::vector<int32_t> ids = model.end_ids();
  for (const std::string_view literal : {kFimBegin, kFimHole, kFimEnd, special::kEndOfTurn})
    if (const std::optional<int32_t> id = model.tokenizer().added_id(literal)) ids.push_back(*id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace hadal::serve
