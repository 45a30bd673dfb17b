#include "kv/disk_writer.h"

#include <exception>
#include <utility>

#include "base/log.h"

namespace hadal {
namespace {

int64_t size_of(const KvPiece& piece) {
  return piece ? piece->bytes() : 0;
}

}  // namespace

DiskWriter::DiskWriter(DiskStore& store, int64_t most_bytes)
    : store_(store), most_bytes_(most_bytes), thread_([this] { main(); }) {}

DiskWriter::~DiskWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool DiskWriter::put(const BlockKey& root, std::vector<int32_t> ids, std::vector<KvBlock> blocks) {
  int64_t bytes = 0;
  for (const KvBlock& block : blocks) bytes += size_of(block.rows) + size_of(block.boundary);
  {
    const std::lock_guard lock(mutex_);
    if (!queue_.empty() && queued_bytes_ + bytes > most_bytes_) return false;
    queue_.push_back({root, std::move(ids), std::move(blocks), bytes});
    queued_bytes_ += bytes;
  }
  changed_.notify_all();
  return true;
}

void DiskWriter::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return queue_.empty(); });
}

void DiskWriter::main() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Entry& entry = queue_.front();  // stays where it is while others push behind it
    lock.unlock();
    try {
      write(entry);
    } catch (const std::exception& error) {  // no memory for the lists; nothing is lost but a cache entry
      log_warning("a prefix was not written to disk: {}", error.what());
    }
    lock.lock();
    queued_bytes_ -= entry.bytes;
    queue_.pop_front();
    changed_.notify_all();
  }
}

void DiskWriter::write(const Entry& entry) {
  std::vector<const std::byte*> rows;
  std::vector<KvTailSource> tails;
  for (size_t i = 0; i < entry.blocks.size(); ++i) {
    const KvBlock& block = entry.blocks[i];
    rows.push_back(block.rows->data());
    if (block.boundary && (block.marked || i + 1 == entry.blocks.size()))
      tails.push_back(
          {static_cast<int64_t>(i + 1) * kBlockTokens, block.boundary_mtp_length, bytes_of(block.boundary)});
  }
  store_.put({entry.root, 0, entry.ids, rows, tails});
}

}  // namespace hadal
