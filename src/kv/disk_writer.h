// Writes cached prefixes to the disk tier in the background, so that no step waits for a disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "kv/disk_store.h"
#include "model/state.h"

namespace hadal {

// Thread-safe. The store outlives it.
class DiskWriter {
 public:
  // What is waiting to be written keeps at most `most_bytes` of rows and tails alive; beyond that nothing
  // more is taken.
  DiskWriter(DiskStore& store, int64_t most_bytes);
  // Writes what is waiting.
  ~DiskWriter();
  DiskWriter(const DiskWriter&) = delete;
  DiskWriter& operator=(const DiskWriter&) = delete;

  // root: the store's, or a scope of it. ids: 128 a block, from position 0; what the store has already is not
  // written again. Boundaries of blocks that are not `marked` are left out, but for the last block's. False:
  // the queue is full.
  bool put(const BlockKey& root, std::vector<int32_t> ids, std::vector<KvBlock> blocks);
  // Returns when everything put before is written (or was refused by the store).
  void flush();

 private:
  struct Entry {
    BlockKey root;
    std::vector<int32_t> ids;
    std::vector<KvBlock> blocks;
    int64_t bytes = 0;
  };

  void main();
  void write(const Entry& entry);

  DiskStore& store_;
  const int64_t most_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> queue_;  // the front one is being written
  int64_t queued_bytes_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hadal
