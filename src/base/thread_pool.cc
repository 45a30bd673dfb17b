#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <system_error>

#include "base/check.h"
#include "base/float_mode.h"

namespace hadal {
namespace {

constexpr uint64_t kEnteredMask = 0xffff, kOpen = 0x10000, kJobStep = 0x20000;
constexpr int kMaxThreads = 1024;
// How long an idle worker watches before it sleeps. Loops of one forward pass follow each other within
// microseconds; waking a sleeper costs about fifty.
constexpr int64_t kSpinNs = 200'000;
// Two looks at the clock this far apart mean that the thread lost its CPU between them.
constexpr int64_t kPreemptedNs = 500'000;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// CPUs by the quota of the control group this process sees as its root (both versions); 0 when there is none.
int quota_cpus() {
  double quota = 0, period = 0;
  std::ifstream v2("/sys/fs/cgroup/cpu.max");
  std::string first;
  if (v2 >> first >> period) {
    if (first == "max") return 0;
    try {
      quota = std::stod(first);
    } catch (const std::exception&) {
      return 0;
    }
  } else {
    std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
        period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (!(quota_file >> quota) || !(period_file >> period)) return 0;
  }
  if (quota <= 0 || period <= 0) return 0;
  return std::max(1, static_cast<int>(std::min(quota / period + 0.5, 1.0 * kMaxThreads)));
}

int affinity_cpus() {
  // The set grows until the kernel's mask fits.
  for (size_t cpus = 1024; cpus <= 1u << 18; cpus *= 4) {
    cpu_set_t* set = CPU_ALLOC(cpus);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(cpus);
    CPU_ZERO_S(bytes, set);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    const int count = known ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int available_cpus() {
  const int cpus = std::min(affinity_cpus(), kMaxThreads), quota = quota_cpus();
  return quota > 0 ? std::min(cpus, quota) : cpus;
}

ThreadPool::ThreadPool(int threads) {
  HADAL_CHECK(threads >= 0 && threads <= kMaxThreads, "{} threads", threads);
  const int cpus = available_cpus();
  const int wanted = threads == 0 ? cpus : threads;
  // A spinning worker beyond the CPUs only takes time from a working one.
  max_spin_ns_ = wanted <= cpus ? kSpinNs : 0;
  workers_.reserve(static_cast<size_t>(wanted - 1));
  shares_ = std::vector<Share>(static_cast<size_t>(wanted));
  for (int i = 1; i < wanted; ++i) {
    try {
      workers_.emplace_back([this, i] { worker_main(i); });
    } catch (const std::system_error&) {
      break;
    }
  }
}

ThreadPool::~ThreadPool() {
  HADAL_CHECK(!busy_.load(), "a pool destroyed while a loop runs");
  {
    const std::lock_guard lock(mutex_);
    stop_.store(true);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::parallel_for(int64_t n, int64_t grain, Body body) {
  HADAL_CHECK(grain > 0, "grain {}", grain);
  HADAL_CHECK(!busy_.exchange(true, std::memory_order_acquire), "a parallel loop inside a parallel loop");
  const ScopedFloatMode mode;
  const int64_t pieces = (n + grain - 1) / grain;
  const bool alone = workers_.empty() || pieces <= 1;
  job_ = {&body, n, grain, alone ? 1 : size()};
  for (int64_t i = 0; i < job_.shares; ++i) {
    Share& share = shares_[static_cast<size_t>(i)];
    share.next.store(pieces * i / job_.shares, std::memory_order_relaxed);
    share.end = pieces * (i + 1) / job_.shares;
  }
  if (alone) {
    work(0);
    busy_.store(false, std::memory_order_release);
    return;
  }
  finished_.store(0, std::memory_order_relaxed);
  gate_.store(((gate_.load(std::memory_order_relaxed) & ~(kEnteredMask | kOpen)) + kJobStep) | kOpen);
  // Either this load sees the sleeper or the sleeper, which counted itself first, sees the open gate.
  if (parked_.load() > 0) {
    {
      const std::lock_guard lock(mutex_);
    }
    wake_.notify_all();
  }
  work(0);
  // Shut: a worker that comes later finds nothing; those inside are waited for.
  const uint64_t entered = gate_.fetch_and(~kOpen, std::memory_order_acq_rel) & kEnteredMask;
  for (int spins = 0; finished_.load(std::memory_order_acquire) != entered; ++spins) {
    if (spins < 4000 && max_spin_ns_ > 0)
      pause();
    else
      sched_yield();
  }
  busy_.store(false, std::memory_order_release);
}

// Takes pieces until none is left. Neighbours lie next to each other in memory, where one reader's prefetches
// are of use to itself only.
void ThreadPool::work(int worker) {
  try {
    for (int i = 0; i < job_.shares; ++i) {
      Share& share = shares_[static_cast<size_t>((worker + i) % job_.shares)];
      while (share.next.load(std::memory_order_relaxed) < share.end) {
        const int64_t piece = share.next.fetch_add(1, std::memory_order_relaxed);
        if (piece >= share.end) break;
        const int64_t begin = piece * job_.grain;
        (*job_.body)(begin, std::min(begin + job_.grain, job_.n), worker);
      }
    }
  } catch (const std::exception& error) {
    HADAL_CHECK(false, "an exception left the body of a parallel loop: {}", error.what());
  }
}

void ThreadPool::worker_main(int worker) {
  pthread_setname_np(pthread_self(), "hadal-worker");
  const ScopedFloatMode mode;
  uint64_t seen = 0;  // number of the last job this worker looked at
  int64_t spin_ns = max_spin_ns_;
  while (true) {
    uint64_t gate = wait_for_job(seen, spin_ns);
    if (stop_.load(std::memory_order_relaxed)) return;
    seen = gate / kJobStep;
    while ((gate & kOpen) != 0 && gate / kJobStep == seen) {
      if (!gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        continue;
      work(worker);
      finished_.fetch_add(1, std::memory_order_release);
      break;
    }
  }
}

// Waits for a job other than number `seen`; returns the gate as it was found. `spin_ns` adapts: spinning that
// ends in a job is worth more of it, spinning during which the CPU was taken away is not.
uint64_t ThreadPool::wait_for_job(uint64_t seen, int64_t& spin_ns) {
  uint64_t gate = gate_.load(std::memory_order_acquire);
  const int64_t start = now_ns();
  for (int64_t last = start; last - start < spin_ns;) {
    for (int i = 0; i < 64; ++i) {
      gate = gate_.load(std::memory_order_acquire);
      if (gate / kJobStep != seen || stop_.load(std::memory_order_relaxed)) {
        spin_ns = std::min(max_spin_ns_, spin_ns * 2);
        return gate;
      }
      pause();
    }
    const int64_t now = now_ns();
    if (now - last > kPreemptedNs)
      spin_ns = std::max<int64_t>(spin_ns / 4, std::min<int64_t>(max_spin_ns_, 1000));
    last = now;
  }
  parked_.fetch_add(1);
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] {
    gate = gate_.load();
    return gate / kJobStep != seen || stop_.load(std::memory_order_relaxed);
  });
  parked_.fetch_sub(1);
  return gate;
}

}  // namespace hadal
