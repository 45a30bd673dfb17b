#include "serve/metrics.h"

#include <gmock/gmock.h>

#include <thread>

#include "prometheus_reader.h"

namespace hadal::serve {
namespace {

using hadal::test::PrometheusReader;
using Labels = std::map<std::string, std::string>;

MetricsOptions options() {
  return {"deep \"seek\"\\v4\n", 1'048'576, "1.2.3", "release"};
}
const Labels kModel = {{"model_name", "deep \"seek\"\\v4\n"}};

Labels with(Labels labels, const std::string& name, const std::string& value) {
  labels[name] = value;
  return labels;
}

EngineStats engine_stats() {
  EngineStats out;
  out.submitted = 20;
  out.finished = {5, 4, 3, 2, 1};
  out.waiting = 3;
  out.running = 2;
  out.preemptions = 6;
  out.prompt_tokens = 1000;
  out.cached_tokens = 640;
  out.generated_tokens = 77;
  out.steps = 3;
  for (const int64_t tokens : {1, 8, 100}) out.batch_tokens.add(tokens);
  out.seconds = {0.1, 0.2, 3.5, 0.4, 0.5};
  out.memory_limit = 1000;
  out.memory_used = 500;
  out.running_bytes = 250;
  out.cache.lookups = 9;
  out.cache.hits = 7;
  out.cache.disk_hits = 2;
  out.cache.memory_tokens = 512;
  out.cache.disk_tokens = 128;
  out.cache.blocks = 5;
  out.cache.bytes = 11;
  out.cache.disk.bytes = 22;
  out.cache.disk.loaded_bytes = 33;
  return out;
}

TEST(Metrics, EveryPromisedNameIsThere) {
  const Metrics metrics(options());
  const auto families = PrometheusReader::read(metrics.render({}, {}));
  for (const char* const name : {"vllm:num_requests_running",
                                 "vllm:num_requests_waiting",
                                 "vllm:kv_cache_usage_perc",
                                 "vllm:gpu_cache_usage_perc",
                                 "vllm:prompt_tokens_total",
                                 "vllm:generation_tokens_total",
                                 "vllm:request_success_total",
                                 "vllm:prefix_cache_queries_total",
                                 "vllm:prefix_cache_hits_total",
                                 "vllm:num_preemptions_total",
                                 "vllm:time_to_first_token_seconds",
                                 "vllm:inter_token_latency_seconds",
                                 "vllm:time_per_output_token_seconds",
                                 "vllm:e2e_request_latency_seconds",
                                 "vllm:request_queue_time_seconds",
                                 "vllm:request_prefill_time_seconds",
                                 "vllm:request_decode_time_seconds",
                                 "vllm:request_inference_time_seconds",
                                 "vllm:request_prompt_tokens",
                                 "vllm:request_generation_tokens",
                                 "vllm:iteration_tokens_total",
                                 "llamacpp:prompt_tokens_total",
                                 "llamacpp:prompt_seconds_total",
                                 "llamacpp:tokens_predicted_total",
                                 "llamacpp:tokens_predicted_seconds_total",
                                 "llamacpp:prompt_tokens_seconds",
                                 "llamacpp:predicted_tokens_seconds",
                                 "llamacpp:kv_cache_usage_ratio",
                                 "llamacpp:kv_cache_tokens",
                                 "llamacpp:requests_processing",
                                 "llamacpp:requests_deferred",
                                 "hadal_tool_calls_total",
                                 "hadal_tool_parse_repairs_total",
                                 "hadal_tool_parse_failures_total",
                                 "hadal_replay_hits_total",
                                 "hadal_grammar_compiles_total",
                                 "hadal_grammar_cache_hits_total",
                                 "hadal_masked_tokens_total",
                                 "hadal_forced_tokens_total",
                                 "hadal_restored_reasoning_total",
                                 "hadal_http_requests_total",
                                 "hadal_prefix_cache_bytes",
                                 "hadal_phase_seconds_total",
                                 "hadal_build_info",
                                 "process_resident_memory_bytes"})
    EXPECT_TRUE(families.contains(name)) << name;
  for (const auto& [name, family] : families) {
    if (!name.starts_with("vllm:")) continue;
    for (const auto& sample : family.samples)
      EXPECT_EQ(sample.labels.at("model_name"), kModel.at("model_name")) << name;
  }
  EXPECT_FALSE(families.contains("hadal_key_requests_total"));
  EXPECT_GT(families.at("process_resident_memory_bytes").value(), 1e5);
  EXPECT_EQ(
      families.at("hadal_build_info").value(with(with(kModel, "version", "1.2.3"), "numerics", "release")),
      1);
}

TEST(Metrics, TheEnginesNumbers) {
  const Metrics metrics(options());
  const auto families = PrometheusReader::read(metrics.render(engine_stats(), {}));
  const auto value = [&](const std::string& family, const Labels& labels = {},
                         const std::string& suffix = "") {
    return families.at(family).value(labels, suffix);
  };
  EXPECT_EQ(value("vllm:num_requests_running", kModel), 2);
  EXPECT_EQ(value("vllm:kv_cache_usage_perc", kModel), 0.25);
  EXPECT_EQ(value("llamacpp:kv_cache_usage_ratio"), 0.5);
  EXPECT_EQ(value("llamacpp:kv_cache_tokens"), 640);
  EXPECT_EQ(value("vllm:prefix_cache_queries_total", kModel), 1000);
  EXPECT_EQ(value("vllm:prefix_cache_hits_total", kModel), 640);
  EXPECT_EQ(value("vllm:request_success_total", with(kModel, "finished_reason", "stop")), 5);
  EXPECT_EQ(value("vllm:request_success_total", with(kModel, "finished_reason", "abort")), 5);
  EXPECT_EQ(value("hadal_requests_finished_total", {{"reason", "deadline"}}), 2);
  EXPECT_EQ(value("hadal_phase_seconds_total", {{"phase", "forward"}}), 3.5);
  EXPECT_EQ(value("hadal_prefix_cache_hits_total", {{"tier", "memory"}}), 5);
  EXPECT_EQ(value("hadal_prefix_cache_hits_total", {{"tier", "disk"}}), 2);
  EXPECT_EQ(value("hadal_prefix_cache_hit_tokens_total", {{"tier", "disk"}}), 128);
  EXPECT_EQ(value("hadal_prefix_cache_bytes", {{"tier", "memory"}}), 11);
  EXPECT_EQ(value("hadal_prefix_cache_bytes", {{"tier", "disk"}}), 22);
  EXPECT_EQ(value("hadal_disk_cache_loaded_bytes_total"), 33);
  EXPECT_EQ(value("vllm:iteration_tokens_total", kModel, "_sum"), 109);
  EXPECT_EQ(value("vllm:iteration_tokens_total", kModel, "_count"), 3);
  EXPECT_EQ(value("vllm:iteration_tokens_total", with(kModel, "le", "7"), "_bucket"), 1);
  EXPECT_EQ(value("vllm:iteration_tokens_total", with(kModel, "le", "15"), "_bucket"), 2);
  EXPECT_EQ(value("hadal_batch_tokens", {{"le", "127"}}, "_bucket"), 3);
}

TEST(Metrics, FinishedRequests) {
  Metrics metrics(options());
  metrics.finished({0.03, 1.2, 0.01, 0.5, 0.7, 200, 128, 50, "stop"});
  metrics.finished({std::nullopt, 0.4, 0.4, 0, 0, 30, 0, 0, "cancelled"});
  metrics.token_gap(0.02);
  metrics.token_gap(0.3);
  const auto families = PrometheusReader::read(metrics.render({}, {}));
  const auto value = [&](const std::string& family, const Labels& labels, const std::string& suffix) {
    return families.at(family).value(labels, suffix);
  };
  EXPECT_EQ(value("vllm:time_to_first_token_seconds", kModel, "_count"), 1);
  EXPECT_EQ(value("vllm:time_to_first_token_seconds", with(kModel, "le", "0.04"), "_bucket"), 1);
  EXPECT_EQ(value("vllm:time_to_first_token_seconds", with(kModel, "le", "0.02"), "_bucket"), 0);
  EXPECT_EQ(value("vllm:e2e_request_latency_seconds", kModel, "_count"), 2);
  EXPECT_DOUBLE_EQ(value("vllm:e2e_request_latency_seconds", kModel, "_sum"), 1.6);
  EXPECT_DOUBLE_EQ(value("vllm:request_inference_time_seconds", kModel, "_sum"), 1.2);
  EXPECT_EQ(value("vllm:inter_token_latency_seconds", kModel, "_count"), 2);
  EXPECT_EQ(value("vllm:time_per_output_token_seconds", with(kModel, "le", "0.025"), "_bucket"), 1);
  EXPECT_EQ(value("vllm:request_prompt_tokens", with(kModel, "le", "200"), "_bucket"), 2);
  EXPECT_EQ(value("vllm:request_prompt_tokens", with(kModel, "le", "100"), "_bucket"), 1);
  EXPECT_EQ(value("vllm:request_generation_tokens", kModel, "_sum"), 50);
  EXPECT_TRUE(std::isnan(value("vllm:request_prompt_tokens", with(kModel, "le", "2000000"), "_bucket")));
  EXPECT_EQ(value("llamacpp:prompt_tokens_total", {}, ""), 102);
  EXPECT_EQ(value("llamacpp:tokens_predicted_total", {}, ""), 50);
  EXPECT_DOUBLE_EQ(value("llamacpp:prompt_tokens_seconds", {}, ""), 204);
  EXPECT_EQ(value("hadal_answers_total", {{"finish_reason", "stop"}}, ""), 1);
  EXPECT_EQ(value("hadal_answers_total", {{"finish_reason", "cancelled"}}, ""), 1);
}

TEST(Metrics, ServerAndKeys) {
  Metrics metrics(options());
  metrics.http("POST", "/v1/chat/completions", 200);
  metrics.http("POST", "/v1/chat/completions", 200);
  metrics.http("POST", "/v1/chat/completions", 429);
  metrics.count(ServerEvent::kDeprecatedName);
  metrics.count(ServerEvent::kClientGone, 4);
  metrics.count(ServerEvent::kClientGone, -9);
  ServerStats server;
  server.open_connections = 7;
  server.replay.replayed = 6;
  server.replay.reasonings = 8;
  server.grammars = {
      .compiled = 3, .refused = 1, .hits = 9, .compile_seconds = 0.5, .grammars = 2, .bytes = 77};
  server.accepted_connections = 70;
  server.start_time_unix_seconds = 1.7e9;
  server.keys = {{"ann", {3, 1, 10, 20, 30, 5, {1'500'000'000}}}, {"bob \"x\"", {}}};
  const auto families = PrometheusReader::read(metrics.render({}, server));
  const auto value = [&](const std::string& family, const Labels& labels = {}) {
    return families.at(family).value(labels);
  };
  EXPECT_EQ(value("hadal_http_requests_total",
                  {{"method", "POST"}, {"route", "/v1/chat/completions"}, {"status", "200"}}),
            2);
  EXPECT_EQ(value("hadal_http_requests_total",
                  {{"method", "POST"}, {"route", "/v1/chat/completions"}, {"status", "429"}}),
            1);
  EXPECT_EQ(value("hadal_deprecated_model_names_total"), 1);
  EXPECT_EQ(value("hadal_tool_calls_total"), 0);
  EXPECT_EQ(value("hadal_clients_gone_total"), 4);
  EXPECT_EQ(value("hadal_replay_hits_total"), 6);
  EXPECT_EQ(value("hadal_grammar_compiles_total"), 3);
  EXPECT_EQ(value("hadal_grammar_refused_total"), 1);
  EXPECT_EQ(value("hadal_grammar_cache_hits_total"), 9);
  EXPECT_EQ(value("hadal_grammar_compile_seconds_total"), 0.5);
  EXPECT_EQ(value("hadal_grammar_cache_bytes"), 77);
  EXPECT_EQ(value("hadal_restored_reasoning_total"), 8);
  EXPECT_EQ(value("hadal_http_open_connections"), 7);
  EXPECT_EQ(value("hadal_http_connections_total"), 70);
  EXPECT_EQ(value("process_start_time_seconds"), 1.7e9);
  EXPECT_EQ(value("hadal_key_requests_total", {{"key", "ann"}}), 3);
  EXPECT_EQ(value("hadal_key_reasoning_tokens_total", {{"key", "ann"}}), 5);
  EXPECT_EQ(value("hadal_key_cost_total", {{"key", "ann"}}), 1.5);
  EXPECT_EQ(value("hadal_key_requests_total", {{"key", "bob \"x\""}}), 0);
}

TEST(Metrics, NamesThatNeverEndDoNotFillTheMemory) {
  Metrics metrics(options());
  for (int i = 0; i < 5000; ++i) {
    metrics.http("GET", "/" + std::to_string(i), 404);
    const std::string reason = "reason " + std::to_string(i);
    metrics.finished({std::nullopt, 0, 0, 0, 0, 0, 0, 0, reason});
  }
  const auto families = PrometheusReader::read(metrics.render({}, {}));
  EXPECT_LE(families.at("hadal_http_requests_total").samples.size(), 513u);
  EXPECT_LE(families.at("hadal_answers_total").samples.size(), 33u);
  double requests = 0, answers = 0;
  for (const auto& sample : families.at("hadal_http_requests_total").samples) requests += sample.value;
  for (const auto& sample : families.at("hadal_answers_total").samples) answers += sample.value;
  EXPECT_EQ(requests, 5000);
  EXPECT_EQ(answers, 5000);
}

TEST(Metrics, CountersOnlyGrowWhileOthersCount) {
  Metrics metrics(options());
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        metrics.token_gap(0.001 * i);
        metrics.count(ServerEvent::kToolCalls);
        if (i % 10 == 0) metrics.finished({0.1, 1, 0, 0.5, 0.5, 10, 5, 3, "stop"});
        if (i % 10 == 0) metrics.http("GET", t == 0 ? "/a" : "/b", 200);
      }
    });
  std::map<std::pair<std::string, Labels>, double> before;
  for (int round = 0; round < 20; ++round) {
    for (const auto& [name, family] : PrometheusReader::read(metrics.render({}, {}))) {
      if (family.type == "gauge") continue;
      for (const auto& sample : family.samples) {
        double& last = before[{sample.name, sample.labels}];
        EXPECT_GE(sample.value, last) << sample.name;
        last = sample.value;
      }
    }
  }
  for (std::thread& thread : threads) thread.join();
  const auto families = PrometheusReader::read(metrics.render({}, {}));
  EXPECT_EQ(families.at("hadal_tool_calls_total").value(), 6000);
  EXPECT_EQ(families.at("vllm:inter_token_latency_seconds").value(kModel, "_count"), 6000);
  EXPECT_EQ(families.at("hadal_answers_total").value({{"finish_reason", "stop"}}), 600);
}

}  // namespace
}  // namespace hadal::serve
