// The V4 prompt of a chat request (api.md A3-A13), as items and as token ids. Pure functions, safe from any
// thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "chat/message.h"
#include "chat/prompt_item.h"
#include "chat/prompt_template.h"

namespace hadal {

class Tokenizer;

// kHosted: what DeepSeek's API renders (A3, A4), the form to run a model with. kReference: the published
// encoder to the letter, which does not repair unusual conversations: late system messages and second
// assistant turns appear without a marker, tools without system text begin with an empty line, whole function
// objects are printed.
enum class Dialect { kHosted, kReference };

struct EncodeOptions {
  Dialect dialect = Dialect::kHosted;
};

// Problem: the message and field that cannot be rendered.
Result<std::vector<PromptItem>> encode_chat(const ChatRequest& request, const PromptTemplate& style,
                                            const EncodeOptions& options = {});

// A15: each run of text is tokenised as plain text, each special item is its id. Problem: a literal that the
// tokenizer does not have.
Result<std::vector<int32_t>> prompt_ids(const std::vector<PromptItem>& items, const Tokenizer& tokenizer);

}  // namespace hadal
