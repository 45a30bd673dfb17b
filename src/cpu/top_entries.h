// The k best of a stream of scores, in memory that does not grow with the stream.
#pragma once

#include <cstdint>

#include "cpu/kernel_table.h"

namespace hadal {

// The order of the indexer: the higher score, then the lower entry; NaN counts as -inf, -0 as 0. An item is a
// score and an entry as one number, so that the better one is the larger and no two are equal.
uint64_t index_item(float score, int32_t entry);
int32_t item_entry(uint64_t item);
// Keeps the k best of n items in front, in the order they had. spare: room for n items.
void keep_best(uint64_t* items, int64_t n, int64_t k, uint64_t* spare);

// Keeps every score that may still be among the k best: at first all of them, later those above the k-th best
// so far (entries come in ascending order, so an equal one is worse). Scores are offered in parts of at most
// kMostOffered. Borrows its memory. Not thread-safe.
class TopEntries {
 public:
  static constexpr int64_t kMostOffered = 1024;
  static constexpr int64_t room(int64_t k) { return k + 2 * kMostOffered; }  // items

  TopEntries() = default;
  // items and spare: room(k) of them; places: kMostOffered. Spare and places may serve several streams.
  TopEntries(int64_t k, uint64_t* items, uint64_t* spare, int32_t* places)
      : k_(k), items_(items), spare_(spare), places_(places) {}

  // Scores of entries first ... first + n - 1, after all earlier ones.
  void offer(const KernelTable& kernels, const float* scores, int64_t n, int64_t first);
  // How many items are left, in ascending order of entry: k, or all that were offered if those are fewer.
  int64_t finish();
  uint64_t* items() const { return items_; }

 private:
  void shrink();

  int64_t k_ = 0;
  uint64_t *items_ = nullptr, *spare_ = nullptr;
  int32_t* places_ = nullptr;
  int64_t count_ = 0;
  float threshold_ = 0;
  bool full_ = false;  // threshold_ is the k-th best score so far
};

}  // namespace hadal
