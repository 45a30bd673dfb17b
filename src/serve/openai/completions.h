// POST /completions (api.md B7): raw text, text with a gap in it (FIM), and the probabilities of given text.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "serve/body_rules.h"
#include "serve/chat_ask.h"
#include "serve/service.h"

namespace hadal::serve {

inline constexpr int64_t kMostFimTokens = 4096;  // B7: of the beta routes; everywhere what is not said
inline constexpr size_t kMostPrompts = 1024;     // of one request, each with its choices

// A body of /completions.
struct CompletionAsk {
  using Prompt = std::variant<std::string, std::vector<int32_t>>;  // text, or ids as they are

  ChatAsk settings;  // model, sampling, stops, limits, stream; without messages, and without thinking
  std::vector<Prompt> prompts;  // at least one
  std::string suffix;           // empty: none
  bool echo = false;
  bool nothing_new = false;  // max_tokens: 0, with echo: only the prompt comes back
  bool include_usage = false;
};
Asked<CompletionAsk> read_completion(const BodyRules& rules, const JsonValue& body);

Answered completions(Service& service, ApiCall& api);

}  // namespace hadal::serve
