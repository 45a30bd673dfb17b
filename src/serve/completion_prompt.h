// Prompts without the chat format (api.md A14): plain text, raw text, and the gap between two texts (FIM).
// What a client sends is text: its literals of special tokens are letters, but for the raw prompt. Safe from
// any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "assistant/text_model.h"
#include "serve/api_error.h"

namespace hadal::serve {

// BOS and the text.
std::vector<int32_t> plain_prompt_ids(const TextModel& model, std::string_view text);

// The same, where literals of special tokens are these tokens, and a text that begins with BOS gets no
// second one. For clients that write the whole prompt format themselves.
std::vector<int32_t> raw_prompt_ids(const TextModel& model, std::string_view text);

// BOS, and the question what stands between prefix and suffix. Error 400: the model's tokenizer does not know
// how to ask that.
Asked<std::vector<int32_t>> fim_prompt_ids(const TextModel& model, std::string_view prefix,
                                           std::string_view suffix);

// Whether fim_prompt_ids has an answer.
bool can_fill_in_middle(const TextModel& model);

// What ends such an answer when it is sampled: what ends a turn, and the tokens that only the prompt of a gap
// may contain. In ascending order.
std::vector<int32_t> completion_end_ids(const TextModel& model);

}  // namespace hadal::serve
