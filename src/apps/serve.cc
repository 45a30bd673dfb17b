// hadal serve: the HTTP server in front of one model.
#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "apps/answer_options.h"
#include "apps/commands.h"
#include "apps/engine_options.h"
#include "apps/generation.h"
#include "apps/model_options.h"
#include "base/error.h"
#include "base/log.h"
#include "kv/fingerprint.h"
#include "model/inspect.h"
#include "serve/http/server.h"
#include "serve/service.h"

namespace hadal::apps {
namespace {

using namespace hadal::serve;

struct ServeOptions : ModelOptions {
  EngineOptions engine;
  SchedulerConfig scheduler;
  HttpConfig http;
  ServiceConfig service;
  AccountsOptions accounts;
  RequestLogOptions log;
  std::string name, prompt_generation, context, key_file, ledger, prices, log_file, trace, tls_certificate,
      tls_key;
  std::vector<std::string> aliases, hosts, cors;
  std::string body_limit = "64MiB", effort_map = "official", thinking_sampling = "hosted",
              usage_chunk = "deepseek", json_space = "compact";
  double grace = 30, keep_alive = 5;
  std::optional<double> temperature, top_p, min_p;
  bool metrics_need_key = false, no_keep_alive = false;
};

void add_options(CLI::App& command, ServeOptions& o) {
  add_model_options(command, o);
  add_engine_options(command, o.engine);
  command.add_option("--host", o.http.host, "address to listen on; 0.0.0.0 or :: for every network")
      ->capture_default_str();
  command.add_option("--port", o.http.port, "0: any that is free")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_option("--name", o.name, "what the model is called in answers (default: its folder's name)");
  command.add_option("--alias", o.aliases, "another name it answers to; may be given again");
  command
      .add_option("--ctx", o.service.rules.context_tokens,
                  "tokens of prompt and answer together (default: what the model and --memory hold)")
      ->check(CLI::PositiveNumber);
  command.add_option("--batch", o.scheduler.max_batch, "requests that run at the same time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command
      .add_option("--chunk", o.scheduler.chunk_tokens, "prompt tokens between two steps of running answers")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command
      .add_option("--max-waiting", o.service.most_waiting,
                  "requests that may wait; with more, clients hear 503")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  command
      .add_option("--queue-timeout", o.service.queue_seconds,
                  "seconds after which a request that has not begun is given up")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--prompt-generation", o.prompt_generation,
                  "prompt format of the checkpoint (default: as its folder says)")
      ->check(CLI::IsMember({"v4-preview", "v4-official"}));

  command
      .add_option("--temp,--temperature", o.temperature,
                  "for requests that say nothing (default: as the checkpoint says)")
      ->check(CLI::Range(0.0, 2.0));
  command.add_option("--top-p", o.top_p, "the same for nucleus sampling")->check(CLI::Range(0.0, 1.0));
  command.add_option("--min-p", o.min_p, "the same for min-p")->check(CLI::Range(0.0, 1.0));
  add_seed_option(command, o.service.rules.seed,
                  "of requests that give none: the same request, the same answer (default: random)");
  command
      .add_option(
          "--thinking-sampling", o.thinking_sampling,
          "temperature and top_p of requests while thinking: ignored as the hosted API does, or the client's")
      ->check(CLI::IsMember({"hosted", "client"}))
      ->capture_default_str();
  command.add_option("--effort-map", o.effort_map, "what effort names mean (official or preview)")
      ->check(CLI::IsMember({"official", "preview"}))
      ->capture_default_str();
  command
      .add_option("--usage-chunk", o.usage_chunk,
                  "where a chat stream tells its usage: in the last chunk, or in one of its own")
      ->check(CLI::IsMember({"deepseek", "openai"}))
      ->capture_default_str();
  command
      .add_option("--json-space", o.json_space,
                  "white space in answers that must be JSON: none, as Python writes it, or any")
      ->check(CLI::IsMember({"compact", "python", "any"}))
      ->capture_default_str();
  command.add_flag("--strict-tools", o.service.rules.strict_tools,
                   "refuse a history in which a tool call has no result");
  command.add_flag("--require-reasoning", o.service.rules.require_reasoning,
                   "refuse a history of tool calls without its reasoning");
  command
      .add_option("--keep-alive", o.keep_alive, "seconds of silence after which a stream shows that it lives")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_flag("--no-keep-alive-comments", o.no_keep_alive, "no comments in event streams");

  command.add_option("--api-key", o.accounts.keys, "a key that lets in; may be given again")
      ->envname("HADAL_API_KEY");
  command.add_option("--key-file", o.key_file, "file of keys, one a line")->check(not_empty());
  command.add_option("--ledger", o.ledger, "ledger of `hadal keys`: keys, limits, usage")->check(not_empty());
  command.add_option("--prices", o.prices, "price table, JSON")->check(not_empty());
  command.add_option("--cors", o.cors, "origins whose pages may call (\"*\": any)");
  command.add_option("--allow-host", o.hosts,
                     "names that a Host header may have (default on loopback: loopback's)");
  command.add_option("--tls-cert", o.tls_certificate,
                     "PEM file of the certificate and its chain: serve HTTPS");
  command.add_option("--tls-key", o.tls_key, "PEM file of its key");
  command.add_option("--body-limit", o.body_limit, "largest request body")->capture_default_str();
  command.add_option("--max-connections", o.http.limits.connections, "connections at the same time")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command.add_option("--grace", o.grace, "seconds that running answers get at the end")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();

  command.add_option("--log-file", o.log_file, "one line for every request (default: standard error)")
      ->check(not_empty());
  command.add_flag("--log-json", o.log.json, "the lines are JSON");
  command.add_flag("--log-prompts", o.log.log_prompts, "with the text of prompts and answers");
  command.add_option("--trace", o.trace, "Chrome trace of requests and engine")->check(not_empty());
  command.add_flag("--slots", o.service.show_slots, "GET /slots shows what runs");
  command.add_flag("--metrics-need-key", o.metrics_need_key, "GET /metrics is for administrators");
}

// The program's end, awaited by one thread while all others leave these signals alone.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  int wait() const {
    int signal = 0;
    while (::sigwait(&set_, &signal) != 0) {
    }
    return signal;
  }

 private:
  sigset_t set_;
};

// Runs an engine until it goes out of scope.
class EngineThread {
 public:
  explicit EngineThread(Engine& engine) : engine_(engine), thread_([this] { engine_.run(); }) {}
  ~EngineThread() {
    engine_.stop();
    thread_.join();
  }

 private:
  Engine& engine_;
  std::thread thread_;
};

std::string folder_name(const std::string& model) {
  const auto path = std::filesystem::weakly_canonical(model);
  return path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
}

void complete(ServeOptions& o, const TextModel& text, const Engine& engine) {
  const Model& model = *text.model();
  ChatRules& rules = o.service.rules;
  const int64_t holds = engine.capacity();
  if (rules.context_tokens > holds)
    fail(ErrorCode::kInvalidInput, "--ctx: {} tokens are more than the model and --memory hold, {}",
         rules.context_tokens, holds);
  if (rules.context_tokens == 0) rules.context_tokens = holds;
  GenerationOptions sampling;
  if (o.temperature) sampling.temperature = static_cast<float>(*o.temperature);
  if (o.top_p) sampling.top_p = static_cast<float>(*o.top_p);
  if (o.min_p) sampling.min_p = static_cast<float>(*o.min_p);
  rules.sampling = sampling_params(sampling, text.defaults());
  rules.client_sampling_in_thinking = o.thinking_sampling == "client";
  rules.preview_efforts = o.effort_map == "preview";
  rules.json.space = json_space(o.json_space);
  ServiceConfig& service = o.service;
  service.usage_in_own_chunk = o.usage_chunk == "openai";
  service.keep_alive_comments = !o.no_keep_alive;
  service.open_metrics = !o.metrics_need_key;
  service.fingerprint = "fp_" + fingerprint(*model.weights().source).hex().substr(0, 10);
  service.version = HADAL_VERSION;
  service.model_path = o.model;
  const Inspection facts = inspect(model.config(), model.weights(), machine_memory());
  service.parameters = facts.size.parameters;
  service.model_bytes = facts.stored_bytes;
  service.slots = o.scheduler.max_batch;
}

HttpConfig http_config(const ServeOptions& o) {
  HttpConfig http = o.http;
  http.keep_alive_interval = std::chrono::milliseconds(static_cast<int64_t>(o.keep_alive * 1000));
  http.limits.body_bytes = static_cast<size_t>(parse_byte_size(o.body_limit));
  http.cors.mode = o.cors.empty() ? CorsPolicy::Mode::kOff : CorsPolicy::Mode::kListed;
  http.cors.origins = o.cors;
  for (const std::string& origin : o.cors)
    if (origin == "*") http.cors.mode = CorsPolicy::Mode::kAny;
  if (!o.hosts.empty()) http.allowed_hosts = o.hosts;
  if (o.tls_certificate.empty() != o.tls_key.empty())
    fail(ErrorCode::kInvalidInput, "--tls-cert and --tls-key: expected both or none");
  if (!o.tls_certificate.empty()) http.tls = TlsFiles{o.tls_certificate, o.tls_key};
  http.error_body = [](std::string_view path, int status, std::string_view message) {
    return error_body(style_of(path), {.status = status, .message = std::string(message)});
  };
  return http;
}

AccountsOptions accounts_options(const ServeOptions& o) {
  AccountsOptions accounts = o.accounts;
  if (!o.key_file.empty()) accounts.key_file = o.key_file;
  if (!o.ledger.empty()) accounts.ledger = o.ledger;
  if (!o.prices.empty()) accounts.prices = PriceTable::load(o.prices);
  return accounts;
}

MetricsOptions metrics_options(const std::string& name, const Model& model) {
  return {name, model.config().max_position_embeddings, HADAL_VERSION,
          std::string(numerics_name(model.numerics()))};
}

void serve(ServeOptions& o) {
  // Before the first thread, so that every thread leaves these signals to wait().
  const Signals signals;
  Accounts accounts(accounts_options(o));
  RequestLog log([&] {
    RequestLogOptions options = o.log;
    if (!o.log_file.empty()) options.file = o.log_file;
    return options;
  }());
  std::unique_ptr<TraceFile> trace;
  if (!o.trace.empty()) trace = std::make_unique<TraceFile>(o.trace);
  HttpConfig http = http_config(o);

  const OpenModel open = open_model(o);
  const TextModel text(open.model, o.model, o.prompt_generation);
  EngineConfig config;
  config.scheduler = o.scheduler;
  const std::unique_ptr<Engine> engine = make_engine(text, *open.ops, o.engine, config);
  complete(o, text, *engine);
  ModelNames names(o.name.empty() ? folder_name(o.model) : o.name, o.aliases);
  if (!o.prices.empty() && PriceTable::load(o.prices).find(names.own()) == nullptr)
    log_warning("{} has no prices for {}: its requests cost nothing (--name, or a price for \"*\")", o.prices,
                names.own());
  Metrics metrics(metrics_options(names.own(), *open.model));
  Replay replay(text.tokenizer(), text.style());
  GrammarCache grammars(text);
  Service service({text, *engine, accounts, metrics, replay, grammars, log, trace.get()}, names, o.service);
  http.allow = [&](std::string_view path) { return service.allow(path); };
  HttpServer server(http, [&](HttpRequest request, Wake wake) {
    return service.handle(std::move(request), std::move(wake));
  });
  service.report_connections([&] { return server.stats(); });

  const EngineThread running(*engine);
  server.start();
  if (http.host != "127.0.0.1" && http.host != "localhost" && http.host != "::1" && !accounts.needs_key())
    log_warning("anybody who reaches {} may use this server: --api-key, --key-file and --ledger ask for keys",
                server.url());
  fmt::print("{} is served at {} ({} tokens of context). OpenAI: {}/v1, Anthropic: {}, Ollama: {}\n",
             names.own(), server.url(), o.service.rules.context_tokens, server.url(), server.url(),
             server.url());
  std::fflush(stdout);

  while (signals.wait() == SIGHUP) log.reopen();
  log_info("stopping: running answers have {} s", o.grace);
  service.close();
  if (!server.drain(std::chrono::milliseconds(static_cast<int64_t>(o.grace * 1000))))
    log_warning("some answers were cut off");
}

}  // namespace

void add_serve(CLI::App& app) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "An HTTP server: the OpenAI, Anthropic and Ollama APIs");
  add_options(*command, *options);
  command->callback([options] { serve(*options); });
}

}  // namespace hadal::apps
