// prompt_ids: the only place of this module that knows the tokenizer.
#include <fmt/format.h>

#include "chat/encode.h"
#include "text/tokenizer.h"

namespace hadal {

Result<std::vector<int32_t>> prompt_ids(const std::vector<PromptItem>& items, const Tokenizer& tokenizer) {
  std::vector<int32_t> ids;
  std::string run;
  const auto flush = [&] {
    const auto encoded = tokenizer.encode(run);
    ids.insert(ids.end(), encoded.begin(), encoded.end());
    run.clear();
  };
  for (const PromptItem& item : items) {
    if (!item.special) {
      run.append(item.text);
      continue;
    }
    if (!run.empty()) flush();
    const std::optional<int32_t> id = tokenizer.added_id(item.text);
    if (!id)
      return problem("tokenizer",
                     fmt::format("has no token \"{}\", which the prompt format of V4 needs", item.text));
    ids.push_back(*id);
  }
  if (!run.empty()) flush();
  return ids;
}

}  // namespace hadal
