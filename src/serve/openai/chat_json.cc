#include "serve/openai/chat_json.h"

#include <cmath>

#include "text/utf8.h"

namespace hadal::serve {

void begin_object(JsonOut& json, const AnswerName& name, std::string_view object) {
  json.begin('{');
  json.field("id", name.id).field("object", object).field("created", name.created);
  json.field("model", name.model).field("system_fingerprint", name.fingerprint);
}

void write_usage(JsonOut& json, const TokenUsage& usage) {
  json.key("usage").begin('{');
  json.field("prompt_tokens", usage.prompt).field("completion_tokens", usage.completion);
  json.field("total_tokens", usage.prompt + usage.completion);
  json.key("prompt_tokens_details").begin('{').field("cached_tokens", usage.cached).end('}');
  json.key("completion_tokens_details").begin('{').field("reasoning_tokens", usage.reasoning).end('}');
  json.field("prompt_cache_hit_tokens", usage.cached);
  json.field("prompt_cache_miss_tokens", usage.prompt - usage.cached);
  json.end('}');
}

void end_chunk(JsonOut& json, const FinishReason* reason, const TokenUsage* usage, bool shows_usage) {
  if (reason != nullptr)
    json.field("finish_reason", finish_reason_name(*reason));
  else
    json.null_field("finish_reason");
  json.end('}').end(']');
  if (usage != nullptr)
    write_usage(json, *usage);
  else if (shows_usage)
    json.null_field("usage");
  json.end('}');
}

std::string usage_chunk(std::string head, const TokenUsage& usage) {
  JsonOut json(head, true);
  json.key("choices").begin('[').end(']');
  write_usage(json, usage);
  json.end('}');
  return head;
}

namespace {

void write_token(JsonOut& json, const Tokenizer& tokenizer, const TokenProb& token) {
  const std::string_view bytes = tokenizer.token_bytes(token.id);
  std::string text;
  utf8_append_lossy(text, bytes, false);
  json.field("token", text).field("logprob", double{token.logprob});
  json.key("bytes").begin('[');
  for (const char byte : bytes) json.value(static_cast<int>(static_cast<unsigned char>(byte)));
  json.end(']');
}

}  // namespace

void write_token_probs(JsonOut& json, const Tokenizer& tokenizer, const TokenProbs& probs) {
  json.begin('{');
  write_token(json, tokenizer, probs.chosen);
  json.key("top_logprobs").begin('[');
  for (const TokenProb& token : probs.top) {
    json.begin('{');
    write_token(json, tokenizer, token);
    json.end('}');
  }
  json.end(']').end('}');
}

}  // namespace hadal::serve
