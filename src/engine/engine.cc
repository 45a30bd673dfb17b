#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "base/check.h"
#include "base/log.h"

namespace hadal {

Engine::Engine(std::shared_ptr<const Model> model, Ops& ops, KvPool pool, EngineConfig config,
               std::unique_ptr<PrefixCache> cache)
    : model_(std::move(model)),
      ops_(ops),
      memory_(model_->state_layout(), std::move(pool), config.boundary_bytes, std::move(cache)),
      config_(std::move(config)) {
  publish_stats(true);
}

Engine::~Engine() {
  take_inbox();
  for (const auto& [id, job] : jobs_)
    if (!job->done) finish(*job, EndReason::kCancelled);
}

// Prompt and answer together, at most.
Result<int64_t> Engine::most_tokens(const Request& request) const {
  const Config& config = model_->config();
  const auto check_ids = [&](const std::vector<int32_t>& ids, const char* where) -> Result<void> {
    for (size_t i = 0; i < ids.size(); ++i)
      if (ids[i] < 0 || ids[i] >= config.vocab_size)
        return problem(
            fmt::format("{}[{}]", where, i),
            fmt::format("expected a token id from 0 to {}, found {}", config.vocab_size - 1, ids[i]));
    return {};
  };
  const int64_t prompt = static_cast<int64_t>(request.prompt.size());
  if (prompt == 0) return problem("prompt", "expected at least one token");
  if (const auto ids = check_ids(request.prompt, "prompt"); !ids) return tl::make_unexpected(ids.error());
  if (const auto ids = check_ids(request.end_ids, "end_ids"); !ids) return tl::make_unexpected(ids.error());
  if (const auto valid = validate(request.sampling); !valid) return tl::make_unexpected(valid.error());
  if (request.max_tokens && *request.max_tokens < 1)
    return problem("max_tokens", fmt::format("expected at least 1, found {}", *request.max_tokens));
  if (request.allowed && static_cast<int64_t>(request.allowed->size()) != (config.vocab_size + 31) / 32)
    return problem("allowed", fmt::format("expected a bit for each of {} tokens", config.vocab_size));

  const int64_t room = config.max_position_embeddings - prompt;
  if (room <= 0)
    return problem("prompt", fmt::format("it has {} tokens and the model holds {}", prompt,
                                         config.max_position_embeddings));
  const int64_t most = prompt + std::min(room, request.max_tokens.value_or(room));
  const MemoryShape shape = memory_.shape();
  if (request.max_tokens) {
    if (const auto fits = check_admissible(shape, most, memory_.limit()); !fits)
      return problem("max_tokens", fits.error().what);
    return most;
  }
  if (const auto fits = check_admissible(shape, prompt + 1, memory_.limit()); !fits)
    return problem("prompt", fits.error().what);
  return std::min(most, capacity());
}

int64_t Engine::capacity() const {
  const int64_t positions = model_->config().max_position_embeddings;
  const MemoryShape shape = memory_.shape();
  if (shape.block_bytes == 0) return positions;
  const int64_t blocks = std::max<int64_t>(0, (memory_.limit() - shape.fixed_bytes) / shape.block_bytes);
  return std::min(positions,
                  blocks > positions / shape.block_tokens ? positions : blocks * shape.block_tokens);
}

Result<RequestId> Engine::submit(Request request, std::shared_ptr<EventSink> sink) {
  HADAL_CHECK(sink != nullptr);
  const Result<int64_t> most = most_tokens(request);
  if (!most) return tl::make_unexpected(most.error());
  auto job = std::make_unique<Job>();
  job->ids = std::move(request.prompt);
  job->request = std::move(request);
  if (job->request.constraint) job->constraint = job->request.constraint->fork();
  job->sink = std::move(sink);
  job->prompt = static_cast<int64_t>(job->ids.size());
  job->most = *most;
  job->submitted = config_.clock();
  job->info.prompt_tokens = job->prompt;
  const std::lock_guard lock(mutex_);
  const RequestId id = job->id = next_id_++;
  inbox_.jobs.push_back(std::move(job));
  work_came_.notify_one();
  return id;
}

void Engine::cancel(RequestId id) {
  const std::lock_guard lock(mutex_);
  inbox_.cancelled.push_back(id);
  work_came_.notify_one();
}

void Engine::take_inbox() {
  Inbox inbox;
  {
    const std::lock_guard lock(mutex_);
    std::swap(inbox, inbox_);
  }
  for (std::unique_ptr<Job>& job : inbox.jobs) {
    ++counts_.submitted;
    if (job->request.deadline) deadlines_.emplace(*job->request.deadline, job->id);
    waiting_.emplace(job->place(), job.get());
    const RequestId id = job->id;
    jobs_.emplace(id, std::move(job));
  }
  for (const RequestId id : inbox.cancelled)
    if (const auto found = jobs_.find(id); found != jobs_.end() && !found->second->done)
      finish(*found->second, EndReason::kCancelled);
}

void Engine::expire(TimePoint now) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now)
    finish(*jobs_.at(deadlines_.begin()->second), EndReason::kDeadline);
}

// The job stays in jobs_, marked, until the end of the step: loops may still hold it.
void Engine::finish(Job& job, EndReason reason, std::string error) {
  HADAL_CHECK(!job.done);
  job.done = true;
  if (job.running()) {
    std::erase(running_, &job);
    if (reason != EndReason::kError) memory_.publish(*job.resident);
    memory_.close(std::move(job.resident));
  } else {
    waiting_.erase(job.place());
  }
  if (job.request.deadline) deadlines_.erase({*job.request.deadline, job.id});
  ++counts_.finished[static_cast<size_t>(reason)];

  const auto seconds = [](TimePoint from, TimePoint to) {
    return std::max(0.0, std::chrono::duration<double>(to - from).count());
  };
  const TimePoint now = config_.clock(), never{};
  FinishInfo& info = job.info;
  info.reason = reason;
  info.error = std::move(error);
  info.generated_tokens = job.generated();
  info.queue_seconds = seconds(job.submitted, job.admitted == never ? now : job.admitted);
  if (job.admitted != never)
    info.prefill_seconds = seconds(job.admitted, job.answering == never ? now : job.answering);
  if (job.answering != never) info.decode_seconds = seconds(job.answering, now);
  try {
    job.sink->on_finish(info);
  } catch (const std::exception& failure) {
    log_warning("the end of request {} could not be delivered: {}", job.id, failure.what());
  }
  job.sink.reset();
}

void Engine::bury() {
  std::erase_if(jobs_, [](const auto& entry) { return entry.second->done; });
}

void Engine::drain() {
  while (step()) {
  }
}

void Engine::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (std::exchange(stopping_, false)) return;
    }
    if (step()) continue;
    std::unique_lock lock(mutex_);
    work_came_.wait(lock, [&] { return stopping_ || !inbox_.empty(); });
  }
}

void Engine::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  work_came_.notify_one();
}

// with_cache: also what a disk must be asked for.
void Engine::publish_stats(bool with_cache) {
  counts_.waiting = static_cast<int64_t>(waiting_.size());
  counts_.running = static_cast<int64_t>(running_.size());
  counts_.memory_limit = memory_.limit();
  counts_.memory_used = memory_.pool().used_bytes();
  counts_.running_bytes = memory_.used();
  if (with_cache) {
    counts_.cache = memory_.cache_stats();
    cache_stats_read_ = config_.clock();
  }
  const std::lock_guard lock(mutex_);
  published_ = counts_;
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(mutex_);
  return published_;
}

}  // namespace hadal
