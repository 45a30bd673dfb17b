// The statistics of the engine and of its cache as metrics of our own.
#include "engine/request.h"
#include "serve/metrics.h"

namespace hadal::serve {
namespace {

using Type = PrometheusText::Type;

constexpr EndReason kReasons[] = {EndReason::kStop, EndReason::kLength, EndReason::kCancelled,
                                  EndReason::kDeadline, EndReason::kError};

}  // namespace

void render_powers(PrometheusText& text, PrometheusLabels labels, const Histogram& values) {
  // Entry i holds whole numbers up to 2^i - 1; the last one all that is larger.
  std::vector<double> bounds;
  for (size_t i = 0; i + 1 < values.count.size(); ++i)
    bounds.push_back(static_cast<double>((int64_t{1} << i) - 1));
  text.histogram(labels, bounds, values.count, static_cast<double>(values.sum));
}

void render_engine(PrometheusText& text, const EngineStats& engine) {
  const auto counter = [&](std::string_view name, std::string_view help, auto value) {
    text.one(name, Type::kCounter, help, {}, value);
  };
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    text.one(name, Type::kGauge, help, {}, value);
  };
  counter("hadal_requests_submitted_total", "Requests that the engine was given.", engine.submitted);
  text.family("hadal_requests_finished_total", Type::kCounter,
              "Requests that the engine is done with, by reason.");
  for (const EndReason reason : kReasons)
    text.sample({{"reason", end_reason_name(reason)}}, engine.finished[static_cast<size_t>(reason)]);
  gauge("hadal_requests_running", "Requests that are being computed.", engine.running);
  gauge("hadal_requests_waiting", "Requests in the queue.", engine.waiting);
  counter("hadal_preemptions_total", "Times a request gave its memory up to another.", engine.preemptions);

  counter("hadal_prompt_tokens_total", "Prompt tokens of the requests that were admitted.",
          engine.prompt_tokens);
  counter("hadal_prompt_cached_tokens_total", "Of those, tokens that a cache had.", engine.cached_tokens);
  counter("hadal_prefilled_tokens_total", "Tokens of prompts, and of what was preempted, that were computed.",
          engine.prefilled_tokens);
  counter("hadal_decoded_tokens_total", "Tokens of answers that were computed.", engine.decoded_tokens);
  counter("hadal_resumed_tokens_total", "Tokens that a cache had when a preempted request went on.",
          engine.resumed_tokens);
  counter("hadal_generated_tokens_total", "Tokens of answers.", engine.generated_tokens);
  counter("hadal_masked_tokens_total", "Tokens that were sampled under a grammar.", engine.masked_tokens);
  counter("hadal_forced_tokens_total", "Tokens that a grammar left no choice about.", engine.forced_tokens);

  counter("hadal_steps_total", "Forward passes.", engine.steps);
  text.family("hadal_phase_seconds_total", Type::kCounter, "Time of the engine's thread, by what it did.");
  text.sample({{"phase", "schedule"}}, engine.seconds.schedule);
  text.sample({{"phase", "cache"}}, engine.seconds.cache);
  text.sample({{"phase", "forward"}}, engine.seconds.forward);
  text.sample({{"phase", "mask"}}, engine.seconds.mask);
  text.sample({{"phase", "sample"}}, engine.seconds.sample);
  text.sample({{"phase", "emit"}}, engine.seconds.emit);
  text.family("hadal_batch_sequences", Type::kHistogram, "Sequences in one forward pass.");
  render_powers(text, {}, engine.batch_sequences);
  text.family("hadal_batch_tokens", Type::kHistogram, "Tokens in one forward pass.");
  render_powers(text, {}, engine.batch_tokens);

  gauge("hadal_kv_memory_limit_bytes", "Memory that sequences and the cache may take.", engine.memory_limit);
  gauge("hadal_kv_memory_used_bytes", "Memory that sequences and the cache take.", engine.memory_used);
  gauge("hadal_kv_memory_running_bytes", "Of that, memory of running requests.", engine.running_bytes);
}

void render_cache(PrometheusText& text, const PrefixCacheStats& cache) {
  const auto counter = [&](std::string_view name, std::string_view help, auto value) {
    text.one(name, Type::kCounter, help, {}, value);
  };
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    text.one(name, Type::kGauge, help, {}, value);
  };
  const auto tiers = [&](std::string_view name, Type type, std::string_view help, int64_t memory,
                         int64_t disk) {
    text.family(name, type, help);
    text.sample({{"tier", "memory"}}, memory);
    text.sample({{"tier", "disk"}}, disk);
  };
  counter("hadal_prefix_cache_lookups_total", "Times a prefix was looked for.", cache.lookups);
  counter("hadal_prefix_cache_wanted_tokens_total", "Tokens of the prefixes that were looked for.",
          cache.wanted_tokens);
  // A hit counts for the tier that its longest part came from.
  tiers("hadal_prefix_cache_hits_total", Type::kCounter,
        "Times a prefix was found, by where the end of it was.", cache.hits - cache.disk_hits,
        cache.disk_hits);
  tiers("hadal_prefix_cache_hit_tokens_total", Type::kCounter, "Tokens that were found, by where they were.",
        cache.memory_tokens, cache.disk_tokens);
  tiers("hadal_prefix_cache_bytes", Type::kGauge, "What is kept now.", cache.bytes, cache.disk.bytes);
  gauge("hadal_prefix_cache_blocks", "Blocks of tokens in memory.", cache.blocks);
  gauge("hadal_prefix_cache_anchors", "Places in memory that a sequence can go on from.", cache.anchors);
  counter("hadal_prefix_cache_evicted_anchors_total", "Places that were given up for memory.",
          cache.evicted_anchors);
  gauge("hadal_disk_cache_files", "Files on disk.", cache.disk.files);
  counter("hadal_disk_cache_hits_total", "Searches on disk that found something.", cache.disk.hits);
  counter("hadal_disk_cache_misses_total", "Searches on disk that found nothing.", cache.disk.misses);
  counter("hadal_disk_cache_loaded_bytes_total", "Bytes read from disk.", cache.disk.loaded_bytes);
  counter("hadal_disk_cache_stored_bytes_total", "Bytes written to disk.", cache.disk.stored_bytes);
  counter("hadal_disk_cache_failed_loads_total", "Files that could not be read or were damaged.",
          cache.disk.failed_loads);
  counter("hadal_disk_cache_evicted_files_total", "Files that were removed to make room.",
          cache.disk.evicted_files);
  counter("hadal_disk_cache_refused_puts_total", "What was not stored because the disk did not keep up.",
          cache.disk.refused_puts);
}

}  // namespace hadal::serve
