// What taking back, copying and finding again costs for a long session: a state of V4-Flash's sizes with
// 102,000 tokens in turns of 3,000. No arithmetic of the model runs; a rewind's replay (at most 127 tokens)
// comes on top.
#include <benchmark/benchmark.h>

#include <vector>

#include "cpu/cpu_ops.h"
#include "disk_folder.h"
#include "kv/prefix_cache.h"
#include "model/state.h"
#include "model/synth.h"
#include "model/tail_record.h"

namespace hadal {
namespace {

constexpr int64_t kTurn = 3'000, kTokens = 34 * kTurn;

class Session {
 public:
  Session()
      : layout_(Config::parse(synth_config("v4-flash"), "v4-flash"), Numerics::kRelease, 8),
        pool_(ops_),
        state_(layout_, pool_),
        cache_(layout_, pool_, options()) {
    std::vector<int32_t> ids;
    for (int64_t i = 0; i < kTokens; ++i) ids.push_back(static_cast<int32_t>(i * 7919 % 129280));
    for (int64_t at = 0; at < kTokens; at += kBlockTokens) {
      const int64_t n = std::min<int64_t>(kBlockTokens, kTokens - at);
      state_.reserve(n);
      state_.advance(std::span(ids).subspan(static_cast<size_t>(at), static_cast<size_t>(n)));
      const bool end_of_turn = (state_.length() + kBlockTokens - 1) % kTurn < kBlockTokens - 1;
      if (state_.keep_boundary(end_of_turn)) state_.thin_boundaries(int64_t{256} << 20);
    }
    cache_.insert(state_);
  }

  SequenceState& state() { return state_; }
  PrefixCache& cache() { return cache_; }
  const StateLayout& layout() const { return layout_; }
  const KvPool& pool() const { return pool_; }

 private:
  PrefixCacheOptions options() const {
    PrefixCacheOptions out;
    out.identity = {{1, 1}, "release", "v4-official", layout_.block_bytes};
    return out;
  }

  CpuOps ops_;
  StateLayout layout_;
  KvPool pool_;
  SequenceState state_;
  PrefixCache cache_;
};

Session& session() {
  static Session one;
  return one;
}

void rewind_one_turn(benchmark::State& bench) {
  int64_t replay = 0;
  for (auto _ : bench) {
    bench.PauseTiming();
    SequenceState state = session().state().fork();
    bench.ResumeTiming();
    replay = kTokens - kTurn - state.rewind(kTokens - kTurn);
    benchmark::DoNotOptimize(state.length());
  }
  bench.counters["replay_tokens"] = static_cast<double>(replay);
}
BENCHMARK(rewind_one_turn)->Unit(benchmark::kMillisecond);

void fork_session(benchmark::State& bench) {
  for (auto _ : bench) benchmark::DoNotOptimize(session().state().fork().length());
}
BENCHMARK(fork_session)->Unit(benchmark::kMillisecond);

void snapshot_session(benchmark::State& bench) {
  for (auto _ : bench) benchmark::DoNotOptimize(session().state().snapshot().length());
}
BENCHMARK(snapshot_session)->Unit(benchmark::kMillisecond);

// A new request with the same beginning: match in memory and restore.
void start_from_cache(benchmark::State& bench) {
  Session& s = session();
  const std::vector<int32_t> ids(s.state().tokens().begin(), s.state().tokens().end());
  SequenceState fresh(s.layout(), s.pool());
  for (auto _ : bench) {
    fresh.restore(s.cache().match(ids, kTokens - kTurn).snapshot);
    benchmark::DoNotOptimize(fresh.length());
  }
  bench.counters["tokens"] = static_cast<double>(fresh.length());
}
BENCHMARK(start_from_cache)->Unit(benchmark::kMillisecond);

// The same after a restart, 32K tokens: hashing the ids, finding, memory for the rows, reading, checking,
// restoring. The page cache is dropped each time; kv_store_bench measures the disk itself.
void start_from_disk(benchmark::State& state) {
  const bench::DiskFolder folder;
  constexpr int64_t kLong = 32 * 1024;
  CpuOps ops;
  const StateLayout layout(Config::parse(synth_config("v4-flash"), "v4-flash"), Numerics::kRelease, 8);
  const KvPool pool(ops);
  const auto open = [&] {
    PrefixCacheOptions options;
    options.identity = {{1, 1}, "release", "v4-official", layout.block_bytes};
    DiskStoreOptions disk;
    disk.folder = folder.path / "kv";
    disk.max_bytes = int64_t{1} << 32;
    options.disk = DiskStore::open(disk, options.identity);
    return std::make_unique<PrefixCache>(layout, pool, std::move(options));
  };
  std::vector<int32_t> ids(kLong + 1);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(i * 7919 % 129280);
  {
    SequenceState written(layout, pool);
    for (int64_t at = 0; at < kLong; at += kBlockTokens) {
      written.reserve(kBlockTokens);
      written.advance(std::span(ids).subspan(static_cast<size_t>(at), kBlockTokens));
    }
    written.keep_boundary(true);
    open()->insert(written);  // written when it goes
  }
  for (auto _ : state) {
    state.PauseTiming();
    bench::drop_from_page_cache(folder.path / "kv");
    auto cache = open();
    SequenceState fresh(layout, pool);
    state.ResumeTiming();
    fresh.restore(cache->match(ids, kLong).snapshot);
    if (fresh.length() != kLong) state.SkipWithError("the rows did not come back");
    state.PauseTiming();
    fresh.reset();
    cache.reset();
    state.ResumeTiming();
  }
  state.SetBytesProcessed(state.iterations() *
                          (kLong / kBlockTokens * layout.block_bytes + tail_bytes(layout, kLong)));
}
BENCHMARK(start_from_disk)->Unit(benchmark::kMillisecond)->UseRealTime()->Iterations(7);

}  // namespace
}  // namespace hadal

BENCHMARK_MAIN();
