// What monitoring reads at /metrics: counters and histograms of the server, and the engine's statistics, in
// Prometheus' text format under the names that dashboards for vLLM and llama.cpp know, and under our own.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "assistant/grammar_cache.h"
#include "assistant/replay.h"
#include "engine/stats.h"
#include "serve/accounts/accounts.h"
#include "serve/prometheus_text.h"

namespace hadal::serve {

struct MetricsOptions {
  std::string model_name;     // the label of vLLM's metrics
  int64_t max_positions = 1;  // the model's: decides the buckets of token counts
  std::string version;        // of the program
  std::string numerics;
};

// One request that reached the engine, when its answer is complete or given up.
struct RequestTimes {
  // From the arrival of the request; none: there was no token.
  std::optional<double> first_token_seconds;
  double total_seconds = 0;
  double queue_seconds = 0, prefill_seconds = 0, decode_seconds = 0;
  int64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
  std::string_view finish_reason;  // as the API says it: one of a few
};

// Things worth counting that the engine does not see.
enum class ServerEvent {
  kToolCalls,       // parsed out of answers
  kToolRepairs,     // of malformed markup of tool calls
  kToolFailures,    // markup that was no call, or arguments that are no JSON object
  kDeprecatedName,  // requests for a name that will go away
  kAuthenticationFailure,
  kRateLimited,     // 429 because of a key's limits
  kBalanceRefused,  // 402
  kQueueRefused,    // 503 because the queue is full
  kClientGone,      // disconnected before the end
  kCount,
};

// What the server knows at the moment of the question.
struct ServerStats {
  int64_t open_connections = 0, accepted_connections = 0;
  int64_t open_streams = 0;
  double start_time_unix_seconds = 0;
  ReplayStats replay;
  GrammarCacheStats grammars;
  std::vector<KeyTotals> keys;  // per-key counters; leave empty to keep names out
};

// Thread-safe. token_gap() and count() are for every token: some nanoseconds and no lock.
class Metrics {
 public:
  explicit Metrics(MetricsOptions options);

  void finished(const RequestTimes& times);
  void token_gap(double seconds);  // between two tokens of one answer
  void count(ServerEvent event, int64_t times = 1);
  // `route` is a pattern of ours ("/v1/chat/completions"), never a path a client made up.
  void http(std::string_view method, std::string_view route, int status);

  // Content-Type: text/plain; version=0.0.4; charset=utf-8
  std::string render(const EngineStats& engine, const ServerStats& server) const;

 private:
  void render_server(PrometheusText& text, const ServerStats& server) const;
  void render_vllm(PrometheusText& text, const EngineStats& engine) const;
  void render_llamacpp(PrometheusText& text, const EngineStats& engine) const;

  MetricsOptions options_;
  PrometheusHistogram first_token_, gap_;
  PrometheusHistogram total_, queue_, inference_, prefill_, decode_;
  PrometheusHistogram prompt_tokens_, generated_tokens_;
  std::atomic<int64_t> computed_prompt_tokens_{0};  // of finished requests, what no cache had
  std::array<std::atomic<int64_t>, static_cast<size_t>(ServerEvent::kCount)> events_{};
  mutable std::mutex mutex_;                                           // of the two maps
  std::map<std::tuple<std::string, std::string, int>, int64_t> http_;  // method, route, status
  std::map<std::string, int64_t, std::less<>> finish_reasons_;
};

// The engine's statistics and the cache's under our own names.
void render_engine(PrometheusText& text, const EngineStats& engine);
void render_cache(PrometheusText& text, const PrefixCacheStats& cache);
// Lines of a histogram whose family has begun.
void render_powers(PrometheusText& text, PrometheusLabels labels, const Histogram& values);

// Bytes of this process that are in memory; 0 where the system does not say.
int64_t resident_bytes();

}  // namespace hadal::serve
