// Every route of the server (api.md B1.1), with all spellings that clients use.
#include "serve/admin/operations.h"
#include "serve/openai/chat.h"
#include "serve/openai/completions.h"
#include "serve/openai/models.h"
#include "serve/service.h"

namespace hadal::serve {

void Service::add_routes() {
  using Patterns = std::initializer_list<std::string_view>;
  const auto add = [&](std::string_view method, Patterns patterns, Door door, Endpoint endpoint) {
    router_.add(method, patterns, Route{std::string(*patterns.begin()), door, endpoint});
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
  get({"/v1/models", "/models", "/beta/models", "/anthropic/v1/models", "/v1/v1/models"}, Door::kKey,
      list_models);
  get({"/v1/models/{id}", "/models/{id}", "/beta/models/{id}", "/anthropic/v1/models/{id}",
       "/v1/v1/models/{id}"},
      Door::kKey, show_model);
  get({"/user/balance", "/v1/user/balance"}, Door::kKey, user_balance);

  // Operations
  get({"/"}, Door::kOpen, root);
  get({"/health", "/v1/health", "/healthz", "/ping", "/live"}, Door::kOpen, health);
  post({"/ping"}, Door::kOpen, health);
  get({"/ready"}, Door::kOpen, ready);
  get({"/version"}, Door::kOpen, version);
  get({"/metrics"}, config_.open_metrics ? Door::kOpen : Door::kAdmin, metrics);
  get({"/props"}, Door::kKey, props);
  get({"/slots"}, Door::kAdmin, slots);
  post({"/tokenize", "/v1/tokenize"}, Door::kKey, tokenize);
  post({"/detokenize", "/v1/detokenize"}, Door::kKey, detokenize);
  post({"/apply-template"}, Door::kKey, apply_template);
  post({"/completion", "/infill", "/embeddings", "/v1/embeddings", "/embedding", "/rerank", "/v1/rerank"},
       Door::kKey, not_supported);
}

}  // namespace hadal::serve
