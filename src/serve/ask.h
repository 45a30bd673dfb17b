// What a request for tokens comes down to, whichever API it came by: prompts for the engine, settings for the
// parser, and how many answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/message.h"
#include "chat/parser.h"
#include "sample/constraint.h"
#include "sample/params.h"

namespace hadal::serve {

struct Ask {
  std::vector<std::vector<int32_t>> prompts;  // at least one; each gets n choices, in order
  int n = 1;
  SamplingParams sampling;
  int64_t max_tokens = 1;      // of each choice
  int64_t context_tokens = 0;  // of prompt and answer together, which may leave less; 0: max_tokens fits
  std::vector<int32_t> end_ids;
  ParserOptions parser;
  std::shared_ptr<const TokenConstraint> constraint;  // what every choice must fit; null: anything
  bool plain_text = false;  // no chat format: every token is text, stop strings count everywhere
  int top_logprobs = -1;    // the likeliest so many with every token; -1: no probabilities
  bool prompt_logprobs = false;
  bool show_end = false;    // plain_text: the writer hears of the token that ended the answer as well
  std::string cache_scope;  // whose cached prefixes and replayed turns may be used (api.md B14)
  // For the replay of this turn in the next request (assistant/replay.h); without it nothing is kept.
  std::optional<ChatRequest> chat;
};

}  // namespace hadal::serve
