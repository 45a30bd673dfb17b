#include "cpu/top_entries.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>

#include "base/check.h"

namespace hadal {
namespace {

constexpr uint32_t kSign = 0x80000000u;
constexpr int kBinBits = 10;

float item_score(uint64_t item) {
  const auto word = static_cast<uint32_t>(item >> 32);
  return std::bit_cast<float>((word & kSign) != 0 ? word ^ kSign : ~word);
}

}  // namespace

uint64_t index_item(float score, int32_t entry) {
  const float number = score == score ? score : -std::numeric_limits<float>::infinity();
  const auto word = std::bit_cast<uint32_t>(number == 0.0f ? 0.0f : number);
  const uint32_t ordered = (word & kSign) != 0 ? ~word : word | kSign;
  return static_cast<uint64_t>(ordered) << 32 | ~static_cast<uint32_t>(entry);
}

int32_t item_entry(uint64_t item) {
  return static_cast<int32_t>(~static_cast<uint32_t>(item));
}

void keep_best(uint64_t* items, int64_t n, int64_t k, uint64_t* spare) {
  if (n <= k) return;
  // Which of a thousand equal intervals holds the k-th best, then which item of the interval is it.
  uint64_t low = items[0], high = items[0];
  for (int64_t i = 1; i < n; ++i) {
    low = std::min(low, items[i]);
    high = std::max(high, items[i]);
  }
  const int shift = std::max(0, static_cast<int>(std::bit_width(high - low)) - kBinBits);
  int32_t counts[1 << kBinBits] = {};
  for (int64_t i = 0; i < n; ++i) ++counts[(items[i] - low) >> shift];
  uint64_t bin = (uint64_t{1} << kBinBits) - 1;
  int64_t better = 0;  // in higher bins
  while (better + counts[bin] < k) better += counts[bin--];
  int64_t close = 0;
  for (int64_t i = 0; i < n; ++i) {
    spare[close] = items[i];
    close += (items[i] - low) >> shift == bin ? 1 : 0;
  }
  std::nth_element(spare, spare + (k - better - 1), spare + close, std::greater<>());
  const uint64_t last = spare[k - better - 1];
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    const uint64_t item = items[i];
    items[kept] = item;
    kept += item >= last ? 1 : 0;
  }
}

void TopEntries::shrink() {
  keep_best(items_, count_, k_, spare_);
  count_ = k_;
  threshold_ = item_score(*std::min_element(items_, items_ + k_));
  full_ = true;
}

void TopEntries::offer(const KernelTable& kernels, const float* scores, int64_t n, int64_t first) {
  HADAL_CHECK(n <= kMostOffered);
  if (count_ + n > room(k_)) shrink();
  if (!full_) {
    for (int64_t i = 0; i < n; ++i) items_[count_++] = index_item(scores[i], static_cast<int32_t>(first + i));
    return;
  }
  const int64_t found = kernels.above(places_, scores, n, threshold_);
  for (int64_t i = 0; i < found; ++i)
    items_[count_++] = index_item(scores[places_[i]], static_cast<int32_t>(first + places_[i]));
}

int64_t TopEntries::finish() {
  if (count_ > k_) shrink();
  return count_;
}

}  // namespace hadal
