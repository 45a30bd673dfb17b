// The pieces of JSON that the OpenAI APIs share: usage, log-probabilities, the head of every object.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "assistant/token_probs.h"
#include "serve/answer_writer.h"
#include "serve/json_out.h"
#include "text/tokenizer.h"

namespace hadal::serve {

// What every object of one answer says of itself.
struct AnswerName {
  std::string id;
  int64_t created = 0;  // Unix seconds
  std::string model;
  std::string fingerprint;  // of build and weights
};

// `{"id":...,"object":OBJECT,"created":...,"model":...,"system_fingerprint":...` without the closing brace.
void begin_object(JsonOut& json, const AnswerName& name, std::string_view object);

// "usage": {...} of B3.4.
void write_usage(JsonOut& json, const TokenUsage& usage);

// The end of a stream's chunk with one choice, which is open: why it ended, if it did, and the usage, if it
// is told here. `shows_usage`: the other chunks of the stream have "usage": null.
void end_chunk(JsonOut& json, const FinishReason* reason, const TokenUsage* usage, bool shows_usage);

// A chunk with nothing but the usage. `head`: what begin_object() wrote.
std::string usage_chunk(std::string head, const TokenUsage& usage);

// An entry of logprobs.content (B4): the token, its bytes, and the likeliest ones.
void write_token_probs(JsonOut& json, const Tokenizer& tokenizer, const TokenProbs& probs);

}  // namespace hadal::serve
