#include "cpu/roofline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

namespace hadal {
namespace {

constexpr int64_t kPiece = 1 << 20;  // of the buffer, that one thread reads at a time

// Sums words a cache line at a time, so that every line is loaded and little else is done.
uint64_t sum_lines(const std::byte* data, int64_t bytes) {
  uint64_t sums[4] = {};
  for (int64_t at = 0; at + 128 <= bytes; at += 128) {
    uint64_t words[4];
    std::memcpy(&words[0], data + at, 16);
    std::memcpy(&words[2], data + at + 64, 16);
    for (int i = 0; i < 4; ++i) sums[i] += words[i];
  }
  return sums[0] + sums[1] + sums[2] + sums[3];
}

// Calls step(round), a few milliseconds that return the work they did, until the time is over. Work per
// second of the fastest step: what else the machine did then counts least.
template <class Step>
double rate(double seconds, Step step) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  step(0);  // threads awake, pages there
  const auto begin = Clock::now();
  double best = 0;
  for (int64_t round = 1; round == 1 || since(begin) < seconds; ++round) {
    const auto start = Clock::now();
    const double work = step(round);
    best = std::max(best, work / since(start));
  }
  return best;
}

double peak_rate(const PeakKernel& kernel, ThreadPool& pool, double seconds) {
  if (kernel.run == nullptr) return 0;
  constexpr int64_t kRounds = 1 << 17;
  std::atomic<float> sink = 0;
  return rate(seconds, [&](int64_t) {
    pool.parallel_for(pool.size(), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) sink = kernel.run(kRounds);
    });
    return static_cast<double>(pool.size() * kRounds * kernel.flops);
  });
}

}  // namespace

RooflineMeter::RooflineMeter(const KernelTable& kernels, ThreadPool& pool, int64_t buffer_bytes)
    : kernels_(kernels), pool_(pool), buffer_(std::max(buffer_bytes / kPiece, int64_t{1}) * kPiece) {
  for (int64_t at = 0; at < buffer_.bytes(); at += kPiece) buffer_pieces_.push_back(buffer_.data() + at);
}

double RooflineMeter::read_rate(std::span<const std::byte* const> pieces, double seconds) {
  const auto count = static_cast<int64_t>(pieces.size()), batch = std::min<int64_t>(count, 64);
  std::atomic<uint64_t> sink = 0;
  return rate(seconds, [&](int64_t round) {
    pool_.parallel_for(batch, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i)
        sink += sum_lines(pieces[static_cast<size_t>((round * batch + i) % count)], kPiece);
    });
    return static_cast<double>(batch * kPiece);
  });
}

double RooflineMeter::measure_read(std::span<const std::span<const std::byte>> places, double seconds,
                                   int64_t least) {
  std::vector<const std::byte*> pieces;
  for (const std::span<const std::byte>& place : places)
    for (size_t at = 0; at + kPiece <= place.size(); at += kPiece) pieces.push_back(place.data() + at);
  if (pieces.empty() || static_cast<int64_t>(pieces.size()) * kPiece < least) return 0;
  return read_rate(pieces, seconds);
}

Roofline RooflineMeter::measure(double seconds) {
  Roofline roofline;
  roofline.read_bytes = read_rate(buffer_pieces_, seconds);
  roofline.flops =
      std::max(peak_rate(kernels_.peak, pool_, seconds), peak_rate(kernels_.peak_wide, pool_, seconds));
  roofline.integer_flops = peak_rate(kernels_.peak_bytes, pool_, seconds);
  return roofline;
}

}  // namespace hadal
