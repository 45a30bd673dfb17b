// Runs many requests on one model: continuous batching, chunked prefill, preemption. One thread calls step()
// (or run(), or drain()); submit, cancel, stop and stats are safe from any thread.
//
// The tokens of a request depend on the request alone: whatever else runs, however it is cut into chunks, and
// whether it was preempted in between, they are the same.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/job.h"
#include "engine/request.h"
#include "engine/scheduler.h"
#include "engine/sequence_memory.h"
#include "engine/stats.h"
#include "model/model.h"

namespace hadal {

struct EngineConfig {
  SchedulerConfig scheduler;
  // Places that a sequence can be taken up from again: bytes of one sequence, at most.
  int64_t boundary_bytes = int64_t{64} << 20;
  std::function<TimePoint()> clock = [] { return std::chrono::steady_clock::now(); };
};

class Engine {
 public:
  // Ops is the engine thread's alone and outlives the engine; the pool's limit is what sequences may take.
  // The cache, which may be null, is of the same pool; without one every prompt is computed, and so is what
  // was preempted.
  Engine(std::shared_ptr<const Model> model, Ops& ops, KvPool pool, EngineConfig config = {},
         std::unique_ptr<PrefixCache> cache = nullptr);
  // What has not ended ends with kCancelled, on the calling thread; no other may be in a call.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Problem: the field of the request that makes no sense, or that no step of this engine could ever hold.
  // Sinks hear of everything else.
  Result<RequestId> submit(Request request, std::shared_ptr<EventSink> sink);
  // The request ends with kCancelled unless it has ended. Ids that are no more are ignored.
  void cancel(RequestId id);

  // Takes what was submitted, schedules, computes, samples and tells the sinks. False: there was nothing to
  // do.
  bool step();
  // Steps until everything submitted has ended.
  void drain();
  // Steps as long as there is work and waits for more, until stop().
  void run();
  void stop();

  // Tokens of prompt and answer together that one request can ever have.
  int64_t capacity() const;
  EngineStats stats() const;
  const Model& model() const { return *model_; }

 private:
  struct Inbox {
    std::vector<std::unique_ptr<Job>> jobs;
    std::vector<RequestId> cancelled;
    bool empty() const { return jobs.empty() && cancelled.empty(); }
  };
  struct Work {
    Job* job = nullptr;
    int64_t tokens = 0;
  };

  struct Answer {
    Job* job = nullptr;
    size_t row = 0;  // of logits_
    int32_t token = -1;
  };

  // Tokens of a prompt whose logits are wanted, computed in this step.
  struct Unscored {
    Job* job = nullptr;
    int64_t position = 0;  // of the first
    View streams;          // [tokens, M, D], in the arena until the end of the step
  };

  // engine.cc
  Result<int64_t> most_tokens(const Request& request) const;
  void take_inbox();
  void expire(TimePoint now);
  void finish(Job& job, EndReason reason, std::string error = {});
  void bury();
  void publish_stats(bool with_cache);

  // engine_step.cc
  std::vector<Work> schedule();
  Plan plan(bool admitting);
  bool admit(Job& job);
  void preempt(Job& job);
  void make_room(std::vector<Work>& work);
  void forward(const std::vector<Work>& work);
  void forward_alone(const std::vector<Work>& work, const std::vector<int64_t>& goals);
  void give_up(Job& job, const std::string& error, bool memory);
  void compute(std::span<const Work> work);
  void settle(const std::vector<Work>& work);
  void sample();
  TokenMask mask(Job& job);
  std::optional<int32_t> forced(Job& job);
  void choose(Job& job, Answer& answer);
  void score();
  void emit(const std::vector<Work>& work);
  void give(Job& job, int32_t token, std::span<const float> logits);
  template <class Call>
  bool tell(Job& job, Call&& call);

  const std::shared_ptr<const Model> model_;
  Ops& ops_;
  SequenceMemory memory_;
  const EngineConfig config_;

  // The engine thread's.
  std::map<RequestId, std::unique_ptr<Job>> jobs_;
  std::vector<Job*> running_;
  std::map<std::pair<int64_t, RequestId>, Job*> waiting_;  // by place
  std::set<std::pair<TimePoint, RequestId>> deadlines_;
  std::vector<float> logits_;    // [rows, vocab] of this step
  std::vector<Answer> answers_;  // who gets a token in this step
  std::vector<Unscored> unscored_;
  std::vector<uint32_t> mask_;  // scratch of mask()
  EngineStats counts_;
  TimePoint cache_stats_read_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable work_came_;
  Inbox inbox_;
  RequestId next_id_ = 1;
  bool stopping_ = false;
  EngineStats published_;
};

}  // namespace hadal
