// The server behind its connections: knows every route, lets in who may, and answers. What a route does lies
// in the folder of its API.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "assistant/grammar_cache.h"
#include "assistant/replay.h"
#include "assistant/text_model.h"
#include "engine/engine.h"
#include "serve/accounts/accounts.h"
#include "serve/api_call.h"
#include "serve/body_rules.h"
#include "serve/chat_ask.h"
#include "serve/generation.h"
#include "serve/http/message.h"
#include "serve/http/router.h"
#include "serve/http/server.h"
#include "serve/metrics.h"
#include "serve/model_names.h"
#include "serve/openai/chat_json.h"
#include "serve/request_log.h"
#include "serve/trace_file.h"

namespace hadal::serve {

struct ServiceConfig {
  ChatRules rules;
  int64_t most_waiting = 1024;  // requests that wait for the engine; with more, clients hear 503
  double queue_seconds = 600;   // a request that has not begun by then is given up
  int most_choices = 16;        // n
  bool usage_in_own_chunk =
      false;  // of chat streams, as OpenAI's; otherwise in the last chunk, as DeepSeek's
  bool keep_alive_comments = true;   // in event streams
  bool show_slots = false;           // GET /slots tells what runs
  bool open_metrics = true;          // GET /metrics needs no key
  std::string fingerprint = "fp_0";  // system_fingerprint: of build and weights
  std::string version;
  std::string model_path;
  int64_t parameters = 0, model_bytes = 0;  // of the checkpoint
  int64_t slots = 1;                        // requests that run at the same time, at most
};

class Service;
// What a route leads to.
using Endpoint = Answered (*)(Service& service, ApiCall& api);
// Who may come in: anybody; who has a key; an administrator; who has a key and is within its limits.
enum class Door { kOpen, kKey, kAdmin, kInference };
struct Route {
  std::string method, pattern;  // the first of its spellings
  Door door = Door::kKey;
  Endpoint endpoint = nullptr;
};

// Thread-safe: worker threads call handle() at the same time. What it is given outlives it, and it outlives
// every answer.
class Service {
 public:
  struct Parts {
    const TextModel& text;
    Engine& engine;
    Accounts& accounts;
    Metrics& metrics;
    Replay& replay;
    GrammarCache& grammars;
    RequestLog& log;
    TraceFile* trace = nullptr;  // may be null
  };
  Service(Parts parts, ModelNames names, ServiceConfig config);

  std::unique_ptr<HttpAnswer> handle(HttpRequest request, Wake wake);
  // For HttpConfig::allow.
  std::string allow(std::string_view path) const;
  // For /metrics; set before the first request.
  void report_connections(std::function<HttpStats()> stats) { connections_ = std::move(stats); }
  // From now on /ready says no: the server is about to go.
  void close() { closing_ = true; }

  // For the routes.
  const Parts& parts() const { return parts_; }
  const ModelNames& names() const { return names_; }
  const ServiceConfig& config() const { return config_; }
  int64_t started() const { return started_; }  // Unix seconds
  bool closing() const { return closing_; }
  const std::vector<Route>& routes() const { return router_.targets(); }
  HttpStats connections() const { return connections_ ? connections_() : HttpStats{}; }

  // Which model a body's `model` means; remembers it for the record of the request.
  Asked<ModelChoice> choose_model(ApiCall& api, std::string_view name) const;
  // For the readers of bodies. Borrows the call.
  BodyRules body_rules(ApiCall& api) const;

  // A conversation as the model sees it. Restores what clients leave out of tool loops.
  struct Prompt {
    std::vector<PromptItem> items;
    std::vector<int32_t> ids;
  };
  Asked<Prompt> render(const ApiCall& api, ChatAsk& ask) const;
  // The same with its settings. Refuses what does not fit the context.
  Asked<Ask> prepare(const ApiCall& api, ChatAsk& ask) const;
  // What the answer to a prompt that ends like this must fit; null: anything. Compiles what is not known yet.
  // `begun`: how the answer begins already. What of the schemas has no effect goes to ask.notes.
  Asked<std::shared_ptr<const TokenConstraint>> constraint(ChatAsk& ask, ParserStart start,
                                                           const std::vector<int32_t>& end_ids,
                                                           std::string_view begun = {}) const;
  // Whose cached prefixes a request may use.
  std::string cache_scope(const ApiCall& api, std::string_view user) const;

  // What an answer says of itself, and the headers that go with the model's name.
  AnswerName answer_name(const ModelChoice& model, std::string id) const;
  // notes: ChatAsk::notes.
  std::vector<Header> answer_headers(const ModelChoice& model,
                                     const std::vector<std::string>& notes = {}) const;

  // Submits. The writer is that of the API.
  Answered generate(ApiCall& api, Ask ask, std::unique_ptr<AnswerWriter> writer);

 private:
  void add_routes();
  std::unique_ptr<HttpAnswer> refusal(const ApiCall& api, const ApiError& error) const;
  Asked<void> enter(ApiCall& api, Door door);
  void finished(const RequestScope& scope);
  const Parts parts_;
  const ModelNames names_;
  const ServiceConfig config_;
  const int64_t started_;
  Router<Route> router_;
  std::function<HttpStats()> connections_;
  std::atomic<bool> closing_ = false;
  std::atomic<int64_t> trace_track_ = 1;
};

}  // namespace hadal::serve
