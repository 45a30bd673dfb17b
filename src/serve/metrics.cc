#include "serve/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "kv/chain.h"

namespace hadal::serve {
namespace {

using Type = PrometheusText::Type;

constexpr size_t kMostRoutes = 512, kMostReasons = 32;  // a bug must not fill the memory of who collects

// The bounds of vLLM's histograms, so that its dashboards fit.
std::vector<double> first_token_bounds() {
  return {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
          1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
}
std::vector<double> gap_bounds() {
  return {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80};
}
std::vector<double> request_bounds() {
  return {0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
}
std::vector<double> token_bounds(int64_t most) {  // 1, 2, 5, 10, 20, 50, ...
  std::vector<double> out;
  for (int64_t power = 1; power <= most; power *= 10)
    for (const int64_t digit : {1, 2, 5})
      if (digit * power <= most) out.push_back(static_cast<double>(digit * power));
  return out;
}

struct EventFamily {
  ServerEvent event;
  const char* name;
  const char* help;
};
constexpr EventFamily kEvents[] = {
    {ServerEvent::kToolCalls, "hadal_tool_calls_total", "Tool calls found in answers."},
    {ServerEvent::kToolRepairs, "hadal_tool_parse_repairs_total",
     "Times malformed markup of tool calls was understood all the same."},
    {ServerEvent::kToolFailures, "hadal_tool_parse_failures_total",
     "Tool calls in answers that could not be understood or whose arguments are no JSON object."},
    {ServerEvent::kDeprecatedName, "hadal_deprecated_model_names_total",
     "Requests for a model name that will go away."},
    {ServerEvent::kAuthenticationFailure, "hadal_authentication_failures_total",
     "Requests without a valid key."},
    {ServerEvent::kRateLimited, "hadal_rate_limited_total",
     "Requests refused because of a limit of their key."},
    {ServerEvent::kBalanceRefused, "hadal_insufficient_balance_total",
     "Requests refused because the balance of their key is spent."},
    {ServerEvent::kQueueRefused, "hadal_queue_refusals_total",
     "Requests refused because the server was too busy."},
    {ServerEvent::kClientGone, "hadal_clients_gone_total",
     "Requests whose client disconnected before the end."},
};
static_assert(std::size(kEvents) == static_cast<size_t>(ServerEvent::kCount));

}  // namespace

Metrics::Metrics(MetricsOptions options)
    : options_(std::move(options)),
      first_token_(first_token_bounds()),
      gap_(gap_bounds()),
      total_(request_bounds()),
      queue_(request_bounds()),
      inference_(request_bounds()),
      prefill_(request_bounds()),
      decode_(request_bounds()),
      prompt_tokens_(token_bounds(options_.max_positions)),
      generated_tokens_(token_bounds(options_.max_positions)) {}

void Metrics::finished(const RequestTimes& times) {
  if (times.first_token_seconds) first_token_.observe(*times.first_token_seconds);
  total_.observe(times.total_seconds);
  queue_.observe(times.queue_seconds);
  inference_.observe(times.prefill_seconds + times.decode_seconds);
  prefill_.observe(times.prefill_seconds);
  decode_.observe(times.decode_seconds);
  prompt_tokens_.observe(static_cast<double>(times.prompt_tokens));
  generated_tokens_.observe(static_cast<double>(times.generated_tokens));
  computed_prompt_tokens_ += std::max<int64_t>(0, times.prompt_tokens - times.cached_tokens);
  if (times.finish_reason.empty()) return;
  const std::lock_guard lock(mutex_);
  auto found = finish_reasons_.find(times.finish_reason);
  if (found == finish_reasons_.end())
    found =
        finish_reasons_
            .emplace(finish_reasons_.size() < kMostReasons ? std::string(times.finish_reason) : "other", 0)
            .first;
  ++found->second;
}

void Metrics::token_gap(double seconds) {
  gap_.observe(seconds);
}

void Metrics::count(ServerEvent event, int64_t times) {
  events_[static_cast<size_t>(event)].fetch_add(std::max<int64_t>(0, times), std::memory_order_relaxed);
}

void Metrics::http(std::string_view method, std::string_view route, int status) {
  std::tuple<std::string, std::string, int> place(method, route, status);
  const std::lock_guard lock(mutex_);
  if (http_.size() >= kMostRoutes && !http_.contains(place)) place = {"other", "other", status};
  ++http_[place];
}

std::string Metrics::render(const EngineStats& engine, const ServerStats& server) const {
  PrometheusText text;
  text.one(
      "hadal_build_info", Type::kGauge, "Which program and model this is.",
      {{"version", options_.version}, {"model_name", options_.model_name}, {"numerics", options_.numerics}},
      int64_t{1});
  render_server(text, server);
  render_engine(text, engine);
  render_cache(text, engine.cache);
  render_vllm(text, engine);
  render_llamacpp(text, engine);
  return text.take();
}

void Metrics::render_server(PrometheusText& text, const ServerStats& server) const {
  text.one("process_resident_memory_bytes", Type::kGauge,
           "Memory of the process that is resident, mapped weights too.", {}, resident_bytes());
  text.one("process_start_time_seconds", Type::kGauge, "When the process started, in Unix time.", {},
           server.start_time_unix_seconds);
  text.one("hadal_http_open_connections", Type::kGauge, "Connections that are open.", {},
           server.open_connections);
  text.one("hadal_http_connections_total", Type::kCounter, "Connections that were accepted.", {},
           server.accepted_connections);
  text.one("hadal_http_open_streams", Type::kGauge, "Answers that are being streamed.", {},
           server.open_streams);
  {
    const std::lock_guard lock(mutex_);
    text.family("hadal_http_requests_total", Type::kCounter,
                "Requests that were answered, by route and status.");
    for (const auto& [place, count] : http_)
      text.sample({{"method", std::get<0>(place)},
                   {"route", std::get<1>(place)},
                   {"status", std::to_string(std::get<2>(place))}},
                  count);
    text.family("hadal_answers_total", Type::kCounter,
                "Answers of the model, by the finish reason the client was told.");
    for (const auto& [reason, count] : finish_reasons_) text.sample({{"finish_reason", reason}}, count);
  }
  for (const EventFamily& family : kEvents)
    text.one(family.name, Type::kCounter, family.help, {},
             events_[static_cast<size_t>(family.event)].load(std::memory_order_relaxed));
  const ReplayStats& replay = server.replay;
  text.one("hadal_replay_turns", Type::kGauge, "Answers that are remembered for the next request.", {},
           replay.turns);
  text.one("hadal_replay_bytes", Type::kGauge, "Memory that remembering them takes.", {}, replay.bytes);
  text.one("hadal_replay_hits_total", Type::kCounter,
           "Assistant turns of histories that became the tokens that were sampled.", {}, replay.replayed);
  text.one("hadal_replay_arguments_total", Type::kCounter,
           "Tool calls of histories whose arguments were spelled again as they were given out.", {},
           replay.arguments);
  text.one("hadal_restored_reasoning_total", Type::kCounter,
           "Assistant turns whose reasoning the client had left out and that got it back.", {},
           replay.reasonings);

  const GrammarCacheStats& grammars = server.grammars;
  text.one("hadal_grammar_compiles_total", Type::kCounter, "Grammars that were made for answers.", {},
           grammars.compiled);
  text.one("hadal_grammar_refused_total", Type::kCounter, "Grammars that could not be made.", {},
           grammars.refused);
  text.one("hadal_grammar_cache_hits_total", Type::kCounter, "Times a grammar was there already.", {},
           grammars.hits);
  text.one("hadal_grammar_compile_seconds_total", Type::kCounter, "Time that making them took.", {},
           grammars.compile_seconds);
  text.one("hadal_grammar_cache_grammars", Type::kGauge, "Grammars that are kept.", {}, grammars.grammars);
  text.one("hadal_grammar_cache_bytes", Type::kGauge, "Memory that they take.", {}, grammars.bytes);
  if (server.keys.empty()) return;
  const auto by_key = [&](std::string_view name, std::string_view help, int64_t UsageTotals::* field) {
    text.family(name, Type::kCounter, help);
    for (const KeyTotals& key : server.keys) text.sample({{"key", key.name}}, key.totals.*field);
  };
  by_key("hadal_key_requests_total", "Requests of each key.", &UsageTotals::requests);
  by_key("hadal_key_errors_total", "Requests of each key that failed.", &UsageTotals::errors);
  by_key("hadal_key_prompt_cache_hit_tokens_total", "Prompt tokens of each key that a cache had.",
         &UsageTotals::cache_hit_tokens);
  by_key("hadal_key_prompt_cache_miss_tokens_total", "Prompt tokens of each key that were computed.",
         &UsageTotals::cache_miss_tokens);
  by_key("hadal_key_completion_tokens_total", "Tokens of the answers to each key.",
         &UsageTotals::completion_tokens);
  by_key("hadal_key_reasoning_tokens_total", "Of those, tokens of reasoning.",
         &UsageTotals::reasoning_tokens);
  text.family("hadal_key_cost_total", Type::kCounter,
              "What the requests of each key cost, in the prices' currency.");
  for (const KeyTotals& key : server.keys)
    text.sample({{"key", key.name}},
                static_cast<double>(key.totals.cost.nano) / static_cast<double>(kNanoPerUnit));
}

void Metrics::render_vllm(PrometheusText& text, const EngineStats& engine) const {
  const std::string& model = options_.model_name;
  const auto one = [&](std::string_view name, Type type, std::string_view help, auto value) {
    text.one(name, type, help, {{"model_name", model}}, value);
  };
  const auto histogram = [&](std::string_view name, std::string_view help,
                             const PrometheusHistogram& values) {
    text.family(name, Type::kHistogram, help);
    text.histogram({{"model_name", model}}, values);
  };
  const double usage = engine.memory_limit > 0 ? static_cast<double>(engine.running_bytes) /
                                                     static_cast<double>(engine.memory_limit)
                                               : 0.0;
  one("vllm:num_requests_running", Type::kGauge, "Requests that are being computed.", engine.running);
  one("vllm:num_requests_waiting", Type::kGauge, "Requests that wait for their turn.", engine.waiting);
  one("vllm:kv_cache_usage_perc", Type::kGauge,
      "Share of the memory for sequences that running requests take, 0 to 1.", usage);
  one("vllm:gpu_cache_usage_perc", Type::kGauge, "The older name of vllm:kv_cache_usage_perc.", usage);
  one("vllm:prompt_tokens_total", Type::kCounter, "Tokens of prompts, cached ones included.",
      engine.prompt_tokens);
  one("vllm:generation_tokens_total", Type::kCounter, "Tokens that were generated.", engine.generated_tokens);
  one("vllm:num_preemptions_total", Type::kCounter, "Times a request gave its memory up to another.",
      engine.preemptions);
  one("vllm:prefix_cache_queries_total", Type::kCounter, "Prompt tokens that were looked for in the cache.",
      engine.prompt_tokens);
  one("vllm:prefix_cache_hits_total", Type::kCounter, "Prompt tokens that the cache had.",
      engine.cached_tokens);
  text.family("vllm:request_success_total", Type::kCounter, "Requests by how they ended.");
  const auto ended = [&](EndReason reason) { return engine.finished[static_cast<size_t>(reason)]; };
  text.sample({{"model_name", model}, {"finished_reason", "stop"}}, ended(EndReason::kStop));
  text.sample({{"model_name", model}, {"finished_reason", "length"}}, ended(EndReason::kLength));
  text.sample({{"model_name", model}, {"finished_reason", "abort"}},
              ended(EndReason::kCancelled) + ended(EndReason::kDeadline));
  text.sample({{"model_name", model}, {"finished_reason", "error"}}, ended(EndReason::kError));

  histogram("vllm:time_to_first_token_seconds", "From the arrival of a request to its first token.",
            first_token_);
  histogram("vllm:inter_token_latency_seconds", "From one token of an answer to the next.", gap_);
  histogram("vllm:time_per_output_token_seconds", "The older name of vllm:inter_token_latency_seconds.",
            gap_);
  histogram("vllm:e2e_request_latency_seconds", "From the arrival of a request to its end.", total_);
  histogram("vllm:request_queue_time_seconds", "Time that requests waited.", queue_);
  histogram("vllm:request_inference_time_seconds", "Time from the first step of a request to its last.",
            inference_);
  histogram("vllm:request_prefill_time_seconds", "Time until the prompt was computed.", prefill_);
  histogram("vllm:request_decode_time_seconds", "Time from the first token to the last.", decode_);
  histogram("vllm:request_prompt_tokens", "Prompt tokens of requests.", prompt_tokens_);
  histogram("vllm:request_generation_tokens", "Generated tokens of requests.", generated_tokens_);
  text.family("vllm:iteration_tokens_total", Type::kHistogram, "Tokens computed in one step.");
  render_powers(text, {{"model_name", model}}, engine.batch_tokens);
}

void Metrics::render_llamacpp(PrometheusText& text, const EngineStats& engine) const {
  const auto computed = static_cast<double>(computed_prompt_tokens_.load());
  const double generated = generated_tokens_.sum();
  const auto rate = [](double tokens, double seconds) { return seconds > 0 ? tokens / seconds : 0.0; };
  text.one("llamacpp:prompt_tokens_total", Type::kCounter,
           "Prompt tokens of finished requests that were computed.", {}, computed);
  text.one("llamacpp:prompt_seconds_total", Type::kCounter,
           "Time that finished requests took for their prompts.", {}, prefill_.sum());
  text.one("llamacpp:tokens_predicted_total", Type::kCounter, "Tokens generated by finished requests.", {},
           generated);
  text.one("llamacpp:tokens_predicted_seconds_total", Type::kCounter,
           "Time that finished requests took to generate.", {}, decode_.sum());
  text.one("llamacpp:prompt_tokens_seconds", Type::kGauge, "Prompt tokens per second, on average.", {},
           rate(computed, prefill_.sum()));
  text.one("llamacpp:predicted_tokens_seconds", Type::kGauge,
           "Generated tokens per second of a request, on average.", {}, rate(generated, decode_.sum()));
  text.one("llamacpp:kv_cache_usage_ratio", Type::kGauge,
           "Share of the memory for sequences that is taken, 0 to 1.", {},
           rate(static_cast<double>(engine.memory_used), static_cast<double>(engine.memory_limit)));
  text.one("llamacpp:kv_cache_tokens", Type::kGauge, "Tokens that the cache in memory holds.", {},
           engine.cache.blocks * kChainBlockTokens);
  text.one("llamacpp:requests_processing", Type::kGauge, "Requests that are being computed.", {},
           engine.running);
  text.one("llamacpp:requests_deferred", Type::kGauge, "Requests that wait for their turn.", {},
           engine.waiting);
}

int64_t resident_bytes() {
  int64_t all = 0, resident = 0;
  std::ifstream in("/proc/self/statm");
  return in >> all >> resident ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace hadal::serve
