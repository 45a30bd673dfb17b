// A fixed team of threads for parallel loops of microseconds: the caller works too, idle workers spin briefly
// and then sleep.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "base/function_ref.h"

namespace hadal {

// CPUs this process may use: its affinity mask, cut by the quota of its control group; at least 1.
int available_cpus();

// One caller at a time. Bodies run with denormals flushed (base/float_mode.h) on every thread, the caller's
// state is given back. A body must not throw and must not start another loop on the same pool: both are bugs
// and CHECKed.
class ThreadPool {
 public:
  using Body = function_ref<void(int64_t begin, int64_t end, int worker)>;

  // `threads` counts the caller; 0: available_cpus(). Fewer are started when the system refuses more.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body on pieces of [0, n), `grain` items each (the last one shorter), in any order: each worker has
  // a share of neighbouring pieces, which it takes one after another, and then helps the others with theirs.
  // A worker index is below size() and never in two calls at the same time. Returns when all are done; what
  // they wrote is visible then. Runs on the caller alone when there is only one piece.
  void parallel_for(int64_t n, int64_t grain, Body body);

 private:
  struct Job {
    const Body* body = nullptr;
    int64_t n = 0, grain = 1;
    int shares = 1;  // of the pieces: one a worker, or one for the caller alone
  };

  // Pieces of one worker that nobody took.
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;  // written while the gate is shut
  };

  void worker_main(int worker);
  void work(int worker);
  uint64_t wait_for_job(uint64_t seen, int64_t& spin_ns);

  std::vector<std::thread> workers_;
  Job job_;  // written while the gate is shut and nobody is inside
  std::vector<Share> shares_;

  // Bits 0-15: workers that entered; bit 16: open; above: number of the job.
  alignas(64) std::atomic<uint64_t> gate_{0};
  alignas(64) std::atomic<uint32_t> finished_{0};  // workers that entered and left
  alignas(64) std::atomic<int> parked_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> busy_{false};
  int64_t max_spin_ns_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace hadal
