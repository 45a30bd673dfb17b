// Every route of the server (api.md B1.1), with all spellings that clients use.
#include "serve/admin/openapi.h"
#include "serve/admin/operations.h"
#include "serve/anthropic/messages.h"
#include "serve/ollama/chat.h"
#include "serve/ollama/models.h"
#include "serve/openai/chat.h"
#include "serve/openai/completions.h"
#include "serve/openai/models.h"
#include "serve/openai/responses.h"
#include "serve/service.h"

namespace hadal::serve {

void Service::add_routes() {
  using Patterns = std::initializer_list<std::string_view>;
  const auto add = [&](std::string_view method, Patterns patterns, Door door, Endpoint endpoint) {
    router_.add(method, patterns, Route{std::string(method), std::string(*patterns.begin()), door, endpoint});
  };
  const auto get = [&](Patterns patterns, Door door, Endpoint endpoint) {
    add("GET", patterns, door, endpoint);
  };
  const auto post = [&](Patterns patterns, Door door, Endpoint endpoint) {
    add("POST", patterns, door, endpoint);
  };

  // OpenAI, as the hosted API has it
  post({"/v1/chat/completions", "/chat/completions", "/beta/chat/completions", "/beta/v1/chat/completions",
        "/v1/beta/chat/completions", "/v1/v1/chat/completions"},
       Door::kInference, chat_completions);
  post({"/v1/completions", "/completions", "/beta/completions", "/beta/v1/completions",
        "/v1/beta/completions", "/v1/v1/completions"},
       Door::kInference, completions);
  post({"/v1/responses", "/responses", "/beta/responses", "/v1/v1/responses"}, Door::kInference,
       responses::create);
  get({"/v1/models", "/models", "/beta/models", "/anthropic/v1/models", "/v1/v1/models"}, Door::kKey,
      list_models);
  get({"/v1/models/{id}", "/models/{id}", "/beta/models/{id}", "/anthropic/v1/models/{id}",
       "/v1/v1/models/{id}"},
      Door::kKey, show_model);
  get({"/user/balance", "/v1/user/balance"}, Door::kKey, user_balance);

  // Anthropic
  post({"/v1/messages", "/anthropic/v1/messages", "/anthropic/messages", "/messages", "/v1/v1/messages",
        "/anthropic/v1/v1/messages"},
       Door::kInference, anthropic::messages);
  post(
      {"/v1/messages/count_tokens", "/anthropic/v1/messages/count_tokens", "/anthropic/messages/count_tokens",
       "/messages/count_tokens", "/v1/v1/messages/count_tokens", "/anthropic/v1/v1/messages/count_tokens"},
      Door::kKey, anthropic::count_tokens);

  // Ollama
  post({"/api/chat"}, Door::kInference, ollama::chat);
  post({"/api/generate"}, Door::kInference, ollama::generate);
  get({"/api/tags"}, Door::kKey, ollama::list_models);
  get({"/api/ps"}, Door::kKey, ollama::list_running);
  post({"/api/show"}, Door::kKey, ollama::show_model);
  get({"/api/version"}, Door::kOpen, ollama::version);
  post({"/api/pull"}, Door::kKey, ollama::pull);
  post({"/api/embed", "/api/embeddings", "/api/push", "/api/create", "/api/copy"}, Door::kKey,
       ollama::not_supported);
  add("DELETE", {"/api/delete"}, Door::kKey, ollama::not_supported);

  // Operations
  get({"/"}, Door::kOpen, root);
  get({"/health", "/v1/health", "/healthz", "/live"}, Door::kOpen, health);
  get({"/ping"}, Door::kOpen, health);
  post({"/ping"}, Door::kOpen, health);
  get({"/ready"}, Door::kOpen, ready);
  get({"/version"}, Door::kOpen, version);
  get({"/openapi.json"}, Door::kOpen, openapi);
  get({"/metrics"}, config_.open_metrics ? Door::kOpen : Door::kAdmin, metrics);
  get({"/props"}, Door::kKey, props);
  get({"/slots"}, Door::kAdmin, slots);
  post({"/tokenize", "/v1/tokenize"}, Door::kKey, tokenize);
  post({"/detokenize", "/v1/detokenize"}, Door::kKey, detokenize);
  get({"/tokenizer_info"}, Door::kKey, tokenizer_info);
  post({"/apply-template"}, Door::kKey, apply_template);
  post({"/completion", "/infill", "/embeddings", "/v1/embeddings", "/embedding", "/rerank", "/v1/rerank"},
       Door::kKey, not_supported);
}

}  // namespace hadal::serve
