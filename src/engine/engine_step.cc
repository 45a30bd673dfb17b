// One step of the engine: schedule, compute, sample, tell.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/engine.h"

namespace hadal {
namespace {

// Of an answer, in one step: a batch stays about as large as decoding makes it.
constexpr int64_t kMostAtOnce = 32;

// Adds the time of a scope to a sum.
class PhaseTimer {
 public:
  PhaseTimer(const std::function<TimePoint()>& clock, double& sum)
      : clock_(clock), sum_(sum), start_(clock()) {}
  ~PhaseTimer() { sum_ += std::chrono::duration<double>(clock_() - start_).count(); }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  const std::function<TimePoint()>& clock_;
  double& sum_;
  TimePoint start_;
};

}  // namespace

bool Engine::step() {
  take_inbox();
  expire(config_.clock());
  const bool worked = !jobs_.empty();
  if (!running_.empty() || !waiting_.empty()) {
    std::vector<Work> work = schedule();
    make_room(work);
    if (!work.empty()) {
      const Arena::Frame frame(ops_.arena());  // of unscored_
      forward(work);
      settle(work);
      score();
      sample();
      emit(work);
    }
  }
  bury();
  publish_stats(!worked || config_.clock() - cache_stats_read_ >= std::chrono::seconds(1));
  return worked;
}

// Asks for a plan and does what it says but for the work. Whoever was admitted brought some of its tokens
// from a cache, so the work is planned anew then.
std::vector<Engine::Work> Engine::schedule() {
  Plan next;
  for (const bool admitting : {true, false}) {
    next = plan(admitting);
    for (const uint64_t id : next.preempt) preempt(*jobs_.at(id));
    bool admitted = false;
    for (const uint64_t id : next.admit) admitted = admit(*jobs_.at(id)) || admitted;
    if (next.admit.empty()) break;
  }
  std::vector<Work> work;
  for (const Plan::Work& w : next.work) work.push_back({jobs_.at(w.id).get(), w.tokens});
  return work;
}

Plan Engine::plan(bool admitting) {
  const PhaseTimer timer(config_.clock, counts_.seconds.schedule);
  std::vector<ScheduledSequence> running, waiting;
  int64_t available = memory_.limit() - memory_.used();
  const auto describe = [](const Job& job) {
    ScheduledSequence s;
    s.id = s.arrival = job.id;
    s.priority = job.request.priority;
    s.length = job.length();
    s.known = job.known();
    s.most = job.most;
    s.fresh = job.fresh;
    return s;
  };
  for (Job* job : running_) {
    ScheduledSequence s = describe(*job);
    s.held = memory_.held(*job->resident);
    s.owed = memory_.owed(*job->resident);
    s.stop_at = memory_.next_stop(*job->resident);
    if (s.length == 0) {  // to the scheduler a state without tokens takes nothing
      s.held -= memory_.shape().fixed_bytes;
      available += memory_.shape().fixed_bytes;
    }
    running.push_back(s);
  }
  // No more than these can be admitted at once, and nobody is overtaken.
  for (const auto& [place, job] : waiting_) {
    if (!admitting || static_cast<int64_t>(waiting.size()) == config_.scheduler.max_batch) break;
    waiting.push_back(describe(*job));
  }
  return make_plan(config_.scheduler, memory_.shape(), {running, waiting, available});
}

// False: there is no memory for it after all. It waits on, unless nothing else could ever give some back.
bool Engine::admit(Job& job) {
  const PhaseTimer timer(config_.clock, counts_.seconds.cache);
  try {
    // What comes out of a cache has no logits.
    const int64_t most = job.scored < job.to_score() ? job.scored : job.known();
    job.resident = memory_.open(job.ids, job.prompt, most, job.request.cache_scope);
    if (!job.sampler) {
      job.sampler.emplace(job.request.sampling, static_cast<int32_t>(model_->config().vocab_size),
                          job.request.sequence);
      job.sampler->add_prompt(job.ids);
    }
  } catch (const std::exception& error) {
    if (job.resident) memory_.close(std::move(job.resident));
    if (running_.empty()) finish(job, EndReason::kError, error.what());
    return false;
  }
  waiting_.erase(job.place());
  running_.push_back(&job);
  if (job.admitted == TimePoint{}) {
    job.admitted = config_.clock();
    job.info.cached_tokens = job.length();
    counts_.prompt_tokens += job.prompt;
    counts_.cached_tokens += job.length();
    tell(job, [&](EventSink& sink) { sink.on_start(job.info.cached_tokens, job.prompt); });
  } else {
    counts_.resumed_tokens += job.length();
  }
  return true;
}

// Others get its memory. What it had computed goes to the cache, and it waits at its place.
void Engine::preempt(Job& job) {
  const PhaseTimer timer(config_.clock, counts_.seconds.cache);
  memory_.publish(*job.resident);
  memory_.close(std::move(job.resident));
  std::erase(running_, &job);
  waiting_.emplace(job.place(), &job);
  ++job.info.preemptions;
  ++counts_.preemptions;
}

// The plan counts on everything in the pool that is not a running sequence's. Where somebody else holds some
// of it, the last give way after all, and in the end the only one fails.
void Engine::make_room(std::vector<Work>& work) {
  const PhaseTimer timer(config_.clock, counts_.seconds.cache);
  const MemoryShape shape = memory_.shape();
  const auto missing = [&] {
    int64_t bytes = 0;
    for (const Work& w : work)
      bytes +=
          (shape.blocks(w.job->length() + w.tokens) - shape.blocks(w.job->length())) * shape.block_bytes +
          memory_.owed(*w.job->resident);
    return bytes;
  };
  while (!work.empty() && !memory_.make_room(missing())) {
    Job* last = *std::max_element(running_.begin(), running_.end(),
                                  [](const Job* a, const Job* b) { return a->place() < b->place(); });
    std::erase_if(work, [&](const Work& w) { return w.job == last; });
    if (running_.size() > 1)
      preempt(*last);
    else
      finish(*last, EndReason::kError,
             fmt::format("out of memory: {} of {} bytes are in use", memory_.pool().used_bytes(),
                         memory_.pool().limit_bytes()));
  }
}

void Engine::forward(const std::vector<Work>& work) {
  const PhaseTimer timer(config_.clock, counts_.seconds.forward);
  ++counts_.steps;
  counts_.batch_sequences.add(static_cast<int64_t>(work.size()));
  int64_t tokens = 0;
  for (const Work& w : work) {
    tokens += w.tokens;
    (w.tokens <= w.job->fresh ? counts_.decoded_tokens : counts_.prefilled_tokens) += w.tokens;
  }
  counts_.batch_tokens.add(tokens);
  answers_.clear();
  unscored_.clear();
  std::vector<int64_t> goals;
  for (const Work& w : work) goals.push_back(w.job->length() + w.tokens);
  try {
    compute(work);
  } catch (const std::exception& error) {
    if (work.size() > 1) log_warning("a step of {} sequences failed: {}", work.size(), error.what());
    // The states are whole, and some are shorter than they were.
    for (const Work& w : work) memory_.update(*w.job->resident, w.job->length());
    forward_alone(work, goals);
  }
}

// Something in a batch is wrong. One by one it shows whose fault it is; the others have lost nothing but
// time.
void Engine::forward_alone(const std::vector<Work>& work, const std::vector<int64_t>& goals) {
  answers_.clear();
  unscored_.clear();
  for (size_t i = 0; i < work.size(); ++i) {
    Job& job = *work[i].job;
    try {
      while (job.length() < goals[i]) {
        const Work piece{&job, std::min(goals[i] - job.length(), config_.scheduler.chunk_tokens)};
        compute({&piece, 1});
      }
    } catch (const std::exception& error) {
      const auto* known = dynamic_cast<const Error*>(&error);
      const bool memory = known != nullptr ? known->code() == ErrorCode::kOutOfMemory
                                           : dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
      give_up(job, error.what(), memory);
    }
  }
}

// Want of memory is nobody's fault as long as somebody else can give some back.
void Engine::give_up(Job& job, const std::string& error, bool memory) {
  if (memory && running_.size() > 1)
    preempt(job);
  else
    finish(job, EndReason::kError, error);
}

// Appends to the states, the answers and what is to be scored.
void Engine::compute(std::span<const Work> work) {
  const size_t vocab = static_cast<size_t>(model_->config().vocab_size), first = answers_.size();
  std::vector<int32_t> ids;
  std::vector<Segment> segments;
  std::vector<Answer> answers;
  struct Rows {
    Job* job;
    int64_t position, begin, count;  // begin: among the tokens of the batch
  };
  std::vector<Rows> unscored;
  for (const Work& w : work) {
    const Job& job = *w.job;
    const auto begin = job.ids.begin() + job.length();
    const int64_t end = job.length() + w.tokens;
    const bool last = end == job.known();
    const auto row = static_cast<int64_t>(ids.size());
    segments.push_back(
        {&job.resident->state, row, w.tokens, last ? LogitsWanted::kLast : LogitsWanted::kNone});
    const int64_t from = std::max(job.scored, job.length());
    if (const int64_t to = std::min(end, job.to_score()); from < to)
      unscored.push_back({w.job, from, row + from - job.length(), to - from});
    ids.insert(ids.end(), begin, begin + w.tokens);
    if (last) answers.push_back({w.job, first + answers.size()});
  }
  if (logits_.size() < (first + answers.size()) * vocab) logits_.resize((first + answers.size()) * vocab);
  const View rows(logits_.data() + first * vocab, DType::kF32,
                  {static_cast<int64_t>(answers.size()), static_cast<int64_t>(vocab)});
  View streams;
  if (!unscored.empty())
    streams = ops_.arena().alloc(
        {static_cast<int64_t>(ids.size()), model_->config().hc_mult, model_->config().hidden_size},
        model_->activation_dtype());
  model_->forward(Ctx{ops_}, Batch{ids, segments}, {answers.empty() ? View{} : rows, streams});
  answers_.insert(answers_.end(), answers.begin(), answers.end());
  for (const Rows& r : unscored) unscored_.push_back({r.job, r.position, streams.slice(0, r.begin, r.count)});
}

// The states have grown.
void Engine::settle(const std::vector<Work>& work) {
  const PhaseTimer timer(config_.clock, counts_.seconds.cache);
  for (const Work& w : work) {
    Job& job = *w.job;
    if (!job.running()) continue;  // its forward pass failed
    memory_.update(*job.resident, job.length() - w.tokens);
    if (job.published || job.length() < job.prompt) continue;
    job.published = true;
    memory_.publish(*job.resident);
  }
}

// What a request may have next. Valid until the next call.
TokenMask Engine::mask(Job& job) {
  const TokenMask allowed = job.request.allowed ? TokenMask(*job.request.allowed) : TokenMask();
  if (!job.constraint) return allowed;
  const PhaseTimer timer(config_.clock, counts_.seconds.mask);
  ++counts_.masked_tokens;
  mask_.resize(static_cast<size_t>(model_->config().vocab_size + 31) / 32);
  job.constraint->allow(mask_);
  for (size_t i = 0; i < allowed.size(); ++i) mask_[i] &= allowed[i];
  return mask_;
}

// The next token, if there is no choice.
std::optional<int32_t> Engine::forced(Job& job) {
  if (!job.constraint) return {};
  const PhaseTimer timer(config_.clock, counts_.seconds.mask);
  if (job.forced.empty()) {
    const std::vector<int32_t> ids = job.constraint->forced();
    job.forced.assign(ids.begin(), ids.end());
  }
  if (job.forced.empty()) return {};
  const int32_t token = job.forced.front();
  if (job.request.allowed && !is_allowed(*job.request.allowed, static_cast<size_t>(token))) {
    job.forced.clear();
    return {};
  }
  job.forced.pop_front();
  if (!job.constraint->accept(token))
    fail(ErrorCode::kInvalidInput, "token {} is what the answer must go on with and is refused", token);
  ++counts_.forced_tokens;
  return token;
}

void Engine::choose(Job& job, Answer& answer) {
  if (const std::optional<int32_t> token = forced(job)) {
    answer.token = *token;
    return;
  }
  const size_t vocab = static_cast<size_t>(model_->config().vocab_size);
  const TokenMask allowed = mask(job);
  const PhaseTimer timer(config_.clock, counts_.seconds.sample);
  answer.token = job.sampler->sample({logits_.data() + answer.row * vocab, vocab}, job.known(), allowed);
  if (job.constraint && !job.constraint->accept(answer.token))
    fail(ErrorCode::kInvalidInput, "token {} fits what the answer must be and is refused", answer.token);
}

void Engine::sample() {
  for (Answer& answer : answers_) {
    if (answer.job->done) continue;  // its sink failed
    try {
      choose(*answer.job, answer);
    } catch (const std::exception& error) {
      finish(*answer.job, EndReason::kError, error.what());
    }
  }
}

// Calls a sink. One that throws ends its request; false then.
template <class Call>
bool Engine::tell(Job& job, Call&& call) {
  try {
    call(*job.sink);
    return true;
  } catch (const std::exception& error) {
    finish(job, EndReason::kError, fmt::format("the receiver of the answer failed: {}", error.what()));
    return false;
  }
}

// Tells sinks the logits of their prompts, a few rows at a time: a row of a large vocabulary is half a
// megabyte.
void Engine::score() {
  constexpr int64_t kRows = 64;
  const PhaseTimer timer(config_.clock, counts_.seconds.forward);
  const int64_t vocab = model_->config().vocab_size;
  for (const Unscored& part : unscored_) {
    Job& job = *part.job;
    HADAL_CHECK(job.done || part.position == job.scored, "{} is scored and {} comes", job.scored,
                part.position);
    for (int64_t at = 0; at < part.streams.dim[0] && !job.done; at += kRows) {
      const int64_t n = std::min(kRows, part.streams.dim[0] - at);
      const Arena::Frame frame(ops_.arena());
      View logits;
      try {
        logits = ops_.arena().alloc({n, vocab}, DType::kF32);
        model_->logits(Ctx{ops_}, part.streams.slice(0, at, n), logits);
      } catch (const std::exception& error) {
        finish(job, EndReason::kError, error.what());
        break;
      }
      for (int64_t i = 0; i < n && !job.done; ++i) {
        const std::span row(logits.row<float>(i), static_cast<size_t>(vocab));
        if (tell(job, [&](EventSink& sink) { sink.on_prompt_logits(job.scored, row); })) ++job.scored;
      }
    }
  }
}

void Engine::emit(const std::vector<Work>& work) {
  const PhaseTimer timer(config_.clock, counts_.seconds.emit);
  const size_t vocab = static_cast<size_t>(model_->config().vocab_size);
  for (const Work& w : work) {
    Job& job = *w.job;
    const int64_t read = std::min(job.length(), job.prompt);
    if (job.done || read <= job.reported) continue;  // after a preemption it is behind for a while
    job.reported = read;
    tell(job, [&](EventSink& sink) { sink.on_prefill(read, job.prompt); });
  }
  for (const Answer& answer : answers_) {
    Job& job = *answer.job;
    if (job.done) continue;
    if (job.answering == TimePoint{}) job.answering = config_.clock();
    job.fresh = 0;
    give(job, answer.token, {logits_.data() + answer.row * vocab, vocab});
    if (job.request.token_logits) continue;
    try {
      while (!job.done && job.fresh < kMostAtOnce) {
        const std::optional<int32_t> token = forced(job);
        if (!token) break;
        give(job, *token, {});
      }
    } catch (const std::exception& error) {
      finish(job, EndReason::kError, error.what());
    }
  }
}

// One more token of an answer, or its end.
void Engine::give(Job& job, int32_t token, std::span<const float> logits) {
  const std::vector<int32_t>& ends = job.request.end_ids;
  if (std::find(ends.begin(), ends.end(), token) != ends.end()) {
    job.info.end_id = token;
    finish(job, EndReason::kStop);
    return;
  }
  job.ids.push_back(token);
  ++job.fresh;
  job.sampler->accept(token);
  ++counts_.generated_tokens;
  bool wanted = true;
  if (!tell(job, [&](EventSink& sink) { wanted = sink.on_token({token, logits}); })) return;
  if (!wanted)
    finish(job, EndReason::kStop);
  else if (job.known() == job.most)
    finish(job, EndReason::kLength);
}

}  // namespace hadal
