// A conversation to be answered, as every chat API reads it out of its own kind of body, and its way to the
// engine's terms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "assistant/answer_grammar.h"
#include "chat/message.h"
#include "sample/params.h"
#include "serve/api_error.h"
#include "serve/ask.h"
#include "serve/model_names.h"

namespace hadal::serve {

inline constexpr int64_t kMostAnswerTokens = 393216;  // B2: what the hosted API calls 384K

struct ChatAsk {
  ChatRequest chat;     // mode and effort are set by resolve_thinking
  bool paired = false;  // its tool results are in order already, by rules of its own API
  ModelChoice model;
  // What the client said of thinking: on or off, and how hard.
  std::optional<bool> thinking;
  std::string effort;  // a name, or empty
  // Sampling, where the client said something.
  std::optional<float> temperature, top_p, min_p, presence_penalty, frequency_penalty, repetition_penalty;
  std::optional<int32_t> top_k;
  std::optional<uint64_t> seed;
  std::optional<int64_t> max_tokens;
  std::vector<std::string> stops;
  int n = 1;
  int top_logprobs = -1;
  bool stream = false;
  std::string user;  // whose conversation it is, by the client's own word

  // What the answer must be: content and parallel. The rest comes of what follows (answer_rules).
  AnswerRules answer{};
  std::string format_field;         // of the body, that says what the content must be
  bool must_call = false;           // a tool, and nothing else
  std::vector<std::string> strict;  // tools whose arguments must fit their schema
  std::vector<std::string> notes;   // what of the schemas has no effect
};

// How a server treats what requests leave open or get wrong.
struct ChatRules {
  int64_t context_tokens = 0;                // prompt and answer together
  int64_t default_max_tokens = 8192;         // without thinking
  int64_t default_max_thinking = 65536;      // reasoning and answer together
  SamplingParams sampling;                   // what requests do not say, but for the seed:
  std::optional<uint64_t> seed;              // without, every request has a random one of its own
  bool client_sampling_in_thinking = false;  // otherwise temperature and top_p count without thinking only
  bool strict_tools = false;  // a tool call without its result is an error, not an empty result
  bool require_reasoning = false;
  bool preview_efforts = false;  // effort names as the hosted preview understood them (B3.3)
  grammar::JsonStyle json;       // of content that must be JSON
};

// B3.3: explicit thinking, else the effort, else the model's name, else on. Sets chat.mode and chat.effort.
// Where a call is forced there is none, and asking for it is an error (B6).
Asked<void> resolve_thinking(ChatAsk& ask, const ChatRules& rules);

// Every tool call has its result right after it and every result its call (B3.2). What is missing because an
// agent was interrupted becomes an empty result, unless the rules are strict.
Asked<void> pair_tool_results(std::vector<Message>& messages, const ChatRules& rules);

// Where the rules want it: with tools and thinking, calls come with the reasoning that led to them (B3.8).
Asked<void> check_reasoning(const ChatRequest& chat, const ChatRules& rules);

// What the answer to a prompt that ends like this must be; tools as ask.chat has them.
AnswerRules answer_rules(const ChatAsk& ask, const ChatRules& rules, ParserStart start);

// The settings that do not depend on the prompt: sampling, stop strings, the number of answers.
Asked<Ask> settings_of(const ChatAsk& ask, const ChatRules& rules);

// max_tokens as asked or by default, cut to what the context leaves. Error: context_length_exceeded.
Asked<int64_t> token_budget(int64_t prompt_tokens, std::optional<int64_t> asked, int64_t by_default,
                            int64_t context_tokens);

}  // namespace hadal::serve
