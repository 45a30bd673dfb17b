// The scheduler's promises, over simulated workloads: a clock of steps, requests that come and go, a budget
// of bytes, and a cache that keeps what was preempted for as long as there is room.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "engine/scheduler.h"

namespace hadal {
namespace {

struct Job {
  ScheduledSequence sequence;
  int64_t comes = 0, leaves = 0;  // steps; leaves: cancelled then, unless done
  int64_t prompt = 0;
  int64_t stop_every = 0;
  bool running = false;
};

bool before(const ScheduledSequence& a, const ScheduledSequence& b) {
  return a.priority != b.priority ? a.priority > b.priority : a.arrival < b.arrival;
}

struct World {
  SchedulerConfig config;
  MemoryShape shape;
  int64_t budget = 0;
  std::vector<Job> jobs;  // not yet done
  std::map<uint64_t, int64_t> cache;
  int64_t step = 0, last_admission = -1000, preemptions = 0, finished = 0;

  int64_t used() const {
    int64_t bytes = 0;
    for (const Job& job : jobs) bytes += job.running ? shape.bytes(job.sequence.length) : 0;
    return bytes;
  }

  Job& job(uint64_t id) {
    const auto found =
        std::find_if(jobs.begin(), jobs.end(), [&](const Job& j) { return j.sequence.id == id; });
    RC_ASSERT(found != jobs.end());
    return *found;
  }

  // What the engine would tell the scheduler now.
  Plan next() {
    std::vector<ScheduledSequence> running, waiting;
    for (Job& job : jobs) {
      ScheduledSequence& s = job.sequence;
      if (job.comes > step) continue;
      if (!job.running) s.length = std::min(cache.count(s.id) ? cache[s.id] : 0, s.known - 1) / 128 * 128;
      s.held = job.running ? shape.bytes(s.length) : 0;
      s.stop_at =
          job.stop_every == 0 ? ScheduledSequence::kNoStop : (s.length / job.stop_every + 1) * job.stop_every;
      (job.running ? running : waiting).push_back(s);
    }
    return make_plan(config, shape, {running, waiting, budget - used()});
  }

  void apply(const Plan& plan) {
    check_order(plan);
    for (const uint64_t id : plan.preempt) {
      Job& j = job(id);
      RC_ASSERT(j.running);
      j.running = false;
      cache[id] = j.sequence.length;
      ++preemptions;
    }
    if (!plan.preempt.empty() && plan.admit.empty())
      // Memory ran out. Whoever was admitted last came in with a block for everyone.
      RC_ASSERT(step >= last_admission + 128);
    for (const uint64_t id : plan.admit) {
      Job& j = job(id);
      RC_ASSERT(!j.running && j.comes <= step);
      j.running = true;
      last_admission = step;
    }
    check_queue(plan);
    check_work(plan);
    for (const Plan::Work& w : plan.work) job(w.id).sequence.length += w.tokens;
    RC_ASSERT(used() <= budget);
    while (!cache.empty() && used() + cached() > budget) cache.erase(cache.begin());
    sample();
  }

  int64_t cached() const {
    int64_t bytes = 0;
    for (const auto& [id, tokens] : cache) bytes += shape.bytes(tokens);
    return bytes;
  }

  // The head of the line gives way only to a higher priority.
  void check_order(const Plan& plan) {
    const Job* head = nullptr;
    for (const Job& j : jobs)
      if (j.running && (head == nullptr || before(j.sequence, head->sequence))) head = &j;
    if (head == nullptr || std::count(plan.preempt.begin(), plan.preempt.end(), head->sequence.id) == 0)
      return;
    bool outranked = false;
    for (const uint64_t id : plan.admit)
      outranked = outranked || job(id).sequence.priority > head->sequence.priority;
    RC_ASSERT(outranked);
  }

  // First come, first served within a priority, and no admission past a higher one.
  void check_queue(const Plan& plan) {
    int64_t running = 0;
    for (const Job& r : jobs) {
      if (!r.running) continue;
      ++running;
      const bool admitted = std::count(plan.admit.begin(), plan.admit.end(), r.sequence.id) > 0;
      for (const Job& w : jobs) {
        if (w.running || w.comes > step) continue;
        if (admitted || r.sequence.priority == w.sequence.priority) RC_ASSERT(before(r.sequence, w.sequence));
      }
    }
    RC_ASSERT(running <= config.max_batch);
  }

  void check_work(const Plan& plan) {
    std::map<uint64_t, int64_t> tokens;
    int64_t prefill = 0;
    for (const Plan::Work& w : plan.work) {
      const Job& j = job(w.id);
      const ScheduledSequence& s = j.sequence;
      RC_ASSERT(j.running && tokens.emplace(w.id, w.tokens).second);
      RC_ASSERT(w.tokens > 0 && s.length + w.tokens <= std::min(s.known, s.stop_at));
      if (s.known - s.length == 1) continue;
      prefill += w.tokens;
      const int64_t end = s.length + w.tokens, block = (s.length / 128 + 1) * 128;
      RC_ASSERT(end % 128 == 0 || end == s.known || end == s.stop_at ||
                (w.tokens == config.chunk_tokens && end < block));
    }
    RC_ASSERT(prefill <= config.chunk_tokens);
    bool any = false;
    for (const Job& j : jobs) {
      any = any || j.comes <= step;
      if (j.running && j.sequence.known - j.sequence.length == 1)
        RC_ASSERT(tokens.count(j.sequence.id) == 1u);
    }
    RC_ASSERT(!any || !plan.work.empty());  // something always progresses
  }

  // Whoever has all its tokens in the state gets one more or is done.
  void sample() {
    for (Job& j : jobs)
      if (j.running && j.sequence.length == j.sequence.known) ++j.sequence.known;
    std::erase_if(jobs, [&](const Job& j) {
      const bool done = j.sequence.known == j.sequence.most && j.running;
      finished += done;
      return done || j.leaves <= step;
    });
    ++step;
  }

  // Steps in which all are done even if only the first in the order ever progresses.
  int64_t bound() const {
    int64_t steps = 0;
    for (const Job& j : jobs) {
      const int64_t chunk = std::min<int64_t>(config.chunk_tokens, 128);
      const int64_t pieces = j.sequence.most / 128 + 1;
      steps += pieces * ((128 + chunk - 1) / chunk + 1) + (j.sequence.most - j.prompt) + 2;
      if (j.stop_every > 0) steps += j.sequence.most / j.stop_every + 1;
    }
    for (const Job& j : jobs) steps = std::max(steps, j.comes) + (j.comes > 0 ? j.comes : 0);
    return steps;
  }
};

// Uniform at every size of the property.
int64_t any(int64_t from, int64_t below) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange<int64_t>(from, below));
}
int64_t any_of(int64_t from, int64_t below, int64_t other_from, int64_t other_below) {
  return any(0, 2) == 0 ? any(from, below) : any(other_from, other_below);
}

World random_world(bool cancels) {
  World world;
  world.config.chunk_tokens = any_of(1, 20, 1, 600);
  world.config.max_batch = any(1, 9);
  world.shape = {any(0, 300), any(0, 60), 128};
  const int64_t priorities = any(1, 4);
  const int64_t n = any(1, 20);
  int64_t largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    Job job;
    job.sequence.priority = static_cast<int>(any(0, priorities));
    job.prompt = job.sequence.known = any_of(1, 40, 1, 1500);
    job.sequence.most = job.prompt + any(1, 400);
    job.comes = any_of(0, 1, 0, 500);
    job.leaves = cancels && any(0, 4) == 0 ? job.comes + any(0, 300) : ScheduledSequence::kNoStop;
    job.stop_every = *rc::gen::element<int64_t>(0, 0, 50, 128, 384);
    largest = std::max(largest, world.shape.bytes(job.sequence.most));
    world.jobs.push_back(job);
  }
  std::stable_sort(world.jobs.begin(), world.jobs.end(),
                   [](const Job& a, const Job& b) { return a.comes < b.comes; });
  for (size_t i = 0; i < world.jobs.size(); ++i)
    world.jobs[i].sequence.id = world.jobs[i].sequence.arrival = i;
  // From just enough for the largest to more than enough for all.
  world.budget = largest * any(10, 60) / 10;
  for (const Job& job : world.jobs)
    RC_ASSERT(check_admissible(world.shape, job.sequence.most, world.budget).has_value());
  return world;
}

// A world takes milliseconds; the number of cases is set for tests that take seconds.
constexpr int kWorlds = 20;

RC_GTEST_PROP(SchedulerProperties, EverythingFinishesWithinTheBudget, ()) {
  int64_t preemptions = 0;
  for (int i = 0; i < kWorlds; ++i) {
    World world = random_world(false);
    const int64_t jobs = static_cast<int64_t>(world.jobs.size()), bound = world.bound();
    while (!world.jobs.empty()) {
      RC_ASSERT(world.step <= bound);
      world.apply(world.next());
    }
    RC_ASSERT(world.finished == jobs);
    preemptions += world.preemptions;
  }
  RC_CLASSIFY(preemptions > 0, "preempted");
}

RC_GTEST_PROP(SchedulerProperties, CancelsAtAnyTimeHarmNobody, ()) {
  for (int i = 0; i < kWorlds; ++i) {
    World world = random_world(true);
    const int64_t bound = world.bound();
    while (!world.jobs.empty()) {
      RC_ASSERT(world.step <= bound);
      world.apply(world.next());
    }
  }
}

// The plan depends on what is told and not on the order it is told in.
RC_GTEST_PROP(SchedulerProperties, ThePlanIsAFunctionOfTheSets, ()) {
  World world = random_world(false);
  for (int i = 0; i < 30 && !world.jobs.empty(); ++i) {
    World other = world;
    std::reverse(other.jobs.begin(), other.jobs.end());
    const Plan a = world.next(), b = other.next();
    RC_ASSERT(a.preempt == b.preempt && a.admit == b.admit && a.work.size() == b.work.size());
    for (size_t k = 0; k < a.work.size(); ++k)
      RC_ASSERT(a.work[k].id == b.work[k].id && a.work[k].tokens == b.work[k].tokens);
    world.apply(a);
  }
}

}  // namespace
}  // namespace hadal
