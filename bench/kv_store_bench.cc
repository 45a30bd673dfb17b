// 32K tokens of state of V4-Flash from the disk cache, beside what the same disk gives to plain large reads
// of as many bytes, both with the page cache dropped. HADAL_BENCH_DIR names a folder on the disk to measure.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "disk_folder.h"
#include "kv/disk_store.h"

namespace hadal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlocks = 256;
constexpr int64_t kBlockBytes = 449'824;  // 128 tokens, 3514.25 bytes each
constexpr int64_t kTailBytes = 4'000'000;
constexpr int64_t kBytes = kBlocks * kBlockBytes + kTailBytes;

double seconds_of(const auto& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Reads a whole file into memory in pieces of 4 MiB.
void read_plainly(const fs::path& file, std::vector<std::byte>& memory, int threads) {
  constexpr int64_t kPiece = int64_t{4} << 20;
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  const auto size = static_cast<int64_t>(memory.size());
  std::atomic<int64_t> next{0};
  auto work = [&] {
    for (int64_t at = next.fetch_add(kPiece); at < size; at = next.fetch_add(kPiece))
      for (int64_t done = 0, n = std::min(kPiece, size - at); done < n;) {
        const ssize_t got = ::pread(fd, memory.data() + at + done, static_cast<size_t>(n - done), at + done);
        if (got <= 0) return;
        done += got;
      }
  };
  std::vector<std::thread> team;
  for (int i = 1; i < threads; ++i) team.emplace_back(work);
  work();
  for (std::thread& thread : team) thread.join();
  ::close(fd);
}

void load_32k_tokens(benchmark::State& state) {
  const bench::DiskFolder folder;
  std::vector<std::byte> source(kBytes), memory(kBytes);
  std::mt19937_64 random(1);
  for (size_t i = 0; i + 8 <= source.size(); i += 8) {
    const uint64_t value = random();
    std::memcpy(source.data() + i, &value, 8);
  }
  std::ofstream(folder.path / "plain", std::ios::binary)
      .write(reinterpret_cast<const char*>(source.data()), kBytes);

  const KvIdentity identity{{1, 2}, "release", "v4-preview", kBlockBytes};
  std::vector<int32_t> ids(kBlocks * kChainBlockTokens);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % 129'280);
  std::vector<const std::byte*> blocks;
  std::vector<std::byte*> destination;
  for (int64_t i = 0; i < kBlocks; ++i) {
    blocks.push_back(source.data() + i * kBlockBytes);
    destination.push_back(memory.data() + i * kBlockBytes);
  }
  const auto tail = std::span(source).last(kTailBytes);
  const KvTailSource tails[] = {{kBlocks * kChainBlockTokens, 0, tail}};
  DiskStoreOptions options;
  options.folder = folder.path / "kv";
  options.max_bytes = int64_t{1} << 33;
  bool fine = true;
  double write_seconds = 0;
  {
    const auto store = DiskStore::open(options, identity);
    write_seconds = seconds_of([&] { fine &= store->put({store->root(), 0, ids, blocks, tails}); });
  }

  double best = 1e9, plain_one = 1e9, plain_four = 1e9, open_seconds = 1e9;
  for (auto _ : state) {
    bench::drop_from_page_cache(folder.path);
    plain_one = std::min(plain_one, seconds_of([&] { read_plainly(folder.path / "plain", memory, 1); }));
    bench::drop_from_page_cache(folder.path);
    plain_four = std::min(plain_four, seconds_of([&] { read_plainly(folder.path / "plain", memory, 4); }));
    std::memset(memory.data(), 0, memory.size());
    bench::drop_from_page_cache(folder.path / "kv");
    std::unique_ptr<DiskStore> store;
    open_seconds = std::min(open_seconds, seconds_of([&] { store = DiskStore::open(options, identity); }));
    // What a request pays: hashing its ids, finding, reading, checking.
    const double seconds = seconds_of([&] {
      const auto keys = chain_keys(store->root(), ids);
      const DiskMatch match = store->find(store->root(), keys, ids);
      fine &= match.tokens == kBlocks * kChainBlockTokens &&
              store->load(match, 0, destination, std::span(memory).last(kTailBytes));
    });
    fine &= std::memcmp(memory.data(), source.data(), source.size()) == 0;
    best = std::min(best, seconds);
    state.SetIterationTime(seconds);
  }
  if (!fine) state.SkipWithError("the rows did not come back");
  state.SetBytesProcessed(state.iterations() * kBytes);
  const double disk = kBytes / std::min(plain_one, plain_four);
  state.SetLabel(fmt::format(
      "{:.1f} MB: best load {:.3f} s, {:.0f} MB/s; plain reads {:.0f} MB/s on one thread, {:.0f} on four; "
      "load / disk = {:.2f}; written and flushed at {:.0f} MB/s; opening {:.1f} ms",
      kBytes / 1e6, best, kBytes / best / 1e6, kBytes / plain_one / 1e6, kBytes / plain_four / 1e6,
      kBytes / best / disk, kBytes / write_seconds / 1e6, open_seconds * 1e3));
}
BENCHMARK(load_32k_tokens)->Iterations(7)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace hadal

BENCHMARK_MAIN();
