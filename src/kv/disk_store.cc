#include "kv/disk_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

namespace hadal {
namespace fs = std::filesystem;

DiskStore::DiskStore(const DiskStoreOptions& options, const KvIdentity& identity)
    : options_(options), identity_(identity), root_(chain_root(identity)) {}

std::unique_ptr<DiskStore> DiskStore::open(const DiskStoreOptions& options, const KvIdentity& identity) {
  std::unique_ptr<DiskStore> store(new DiskStore(options, identity));
  {
    const std::lock_guard lock(store->mutex_);
    store->reopen(false);
  }
  store->prune(options.max_bytes);
  return store;
}

DiskStore::~DiskStore() {
  flush();
}

DiskStore::Mode DiskStore::mode() const {
  const std::lock_guard lock(mutex_);
  return index_ == nullptr ? Mode::kOff : writable_ ? Mode::kOn : Mode::kReadOnly;
}

void DiskStore::reopen(bool rebuild) {
  // A disk that damages the index again and again is no place for a cache.
  constexpr int kMostReopens = 20;
  index_.reset();
  if (++reopened_ > kMostReopens) {
    writable_ = false;
    log_.report(FailureLog::kOff,
                fmt::format("the cache on disk is off: {}: the index was damaged or removed {} times",
                            options_.folder.string(), kMostReopens));
    return;
  }
  const FolderOptions folder{.remove_damaged = true, .busy_ms = options_.busy_ms};
  OpenedFolder opened = rebuild ? rebuild_cache_folder(options_.folder, folder, log_)
                                : open_cache_folder(options_.folder, folder, log_);
  index_ = std::move(opened.index);
  writable_ = opened.writable;
  struct stat status{};
  if (writable_ && ::stat((options_.folder / kIndexName).c_str(), &status) == 0) {
    index_device_ = status.st_dev;
    index_inode_ = status.st_ino;
  }
}

// Another process may have made the index again, and somebody may have removed the folder.
bool DiskStore::index_is_current() const {
  if (!writable_) return true;
  struct stat status{};
  return ::stat((options_.folder / kIndexName).c_str(), &status) == 0 && status.st_dev == index_device_ &&
         status.st_ino == index_inode_;
}

bool DiskStore::with_index(const std::function<void(DiskIndex&)>& body) {
  const std::lock_guard lock(mutex_);
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      if (index_ != nullptr && !index_is_current()) {
        log_.report(FailureLog::kDamagedIndex,
                    fmt::format("{}: the cache index was removed or replaced", options_.folder.string()));
        reopen(false);
      }
      if (index_ == nullptr) return false;
      body(*index_);
      return true;
    } catch (const SqliteError& error) {
      if (!error.broken()) {
        log_.report(FailureLog::kIndexFailure, fmt::format("cache index: {}", error.what()));
        return false;
      }
      log_.report(FailureLog::kDamagedIndex, fmt::format("cache index made again: {}", error.what()));
      reopen(true);
    } catch (const std::exception& error) {
      log_.report(FailureLog::kIndexFailure, fmt::format("cache index: {}", error.what()));
      return false;
    }
  }
  return false;
}

bool DiskStore::contains(const BlockKey& key) {
  bool found = false;
  return with_index([&](DiskIndex& index) { found = !index.blocks(key).empty(); }) && found;
}

bool DiskStore::has_tail(const BlockKey& key) {
  bool found = false;
  return with_index([&](DiskIndex& index) { found = !index.tails(key).empty(); }) && found;
}

void DiskStore::prune(int64_t max_bytes) {
  std::vector<std::string> evicted;
  const bool done = with_index([&](DiskIndex& index) {
    if (!writable_) return;
    evicted.clear();
    SqliteTransaction transaction(index.database());
    apply_touches(index);
    index.make_room(0, max_bytes, {}, evicted);
    transaction.commit();
    touches_.clear();
    stats_.evicted_files += static_cast<int64_t>(evicted.size());
  });
  if (done) remove_payloads(options_.folder, evicted);
}

void DiskStore::apply_touches(DiskIndex& index) {
  for (const auto& [name, time] : touches_) index.touch(name, time);
}

void DiskStore::flush() {
  with_index([&](DiskIndex& index) {
    if (!writable_ || touches_.empty()) return;
    SqliteTransaction transaction(index.database());
    apply_touches(index);
    transaction.commit();
    touches_.clear();
  });
}

int64_t DiskStore::now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t us = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  return last_us_ = std::max(us, last_us_ + 1);
}

DiskStats DiskStore::stats() {
  DiskStats out;
  int64_t bytes = 0, files = 0;
  with_index([&](DiskIndex& index) {
    bytes = index.total_bytes();
    files = index.file_count();
  });
  const std::lock_guard lock(mutex_);
  out = stats_;
  out.bytes = bytes;
  out.files = files;
  return out;
}

}  // namespace hadal
