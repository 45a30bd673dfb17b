#include "model/kv_pool.h"

#include <cstring>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hadal {
namespace {

constexpr int64_t kMostSpare = int64_t{256} << 20;  // freed memory that is kept for the next sequence

}  // namespace

struct KvPool::Core {
  Core(Ops& o, int64_t l) : ops(o), limit(l) {}

  Ops& ops;
  const int64_t limit;
  mutable std::mutex mutex;
  int64_t used = 0, pieces = 0;
  int64_t spare_bytes = 0;
  std::map<int64_t, std::vector<Storage>> spare;  // by size: there are only a few

  // Live and spare memory together stay below the limit.
  Storage take(int64_t bytes) {
    const std::lock_guard lock(mutex);
    if (bytes > limit - used)
      fail(ErrorCode::kOutOfMemory, "the KV memory is full: {} bytes wanted, {} of {} in use", bytes, used,
           limit);
    Storage storage;
    if (const auto found = spare.find(bytes); found != spare.end() && !found->second.empty()) {
      storage = std::move(found->second.back());
      found->second.pop_back();
      spare_bytes -= bytes;
      std::memset(storage.data(), 0, static_cast<size_t>(bytes));  // nothing of another sequence
    } else {
      if (spare_bytes > limit - used - bytes) drop_spare();
      storage = ops.allocate(bytes);
    }
    used += bytes;
    ++pieces;
    return storage;
  }

  void give_back(Storage storage) noexcept {
    const std::lock_guard lock(mutex);
    const int64_t bytes = storage.bytes();
    used -= bytes;
    --pieces;
    if (spare_bytes > kMostSpare - bytes) return;
    try {
      spare[bytes].push_back(std::move(storage));
      spare_bytes += bytes;
    } catch (const std::bad_alloc&) {  // then the system has it back
    }
  }

  void drop_spare() {
    spare.clear();
    spare_bytes = 0;
  }
};

KvPool::KvPool(Ops& ops, int64_t limit_bytes) : core_(std::make_shared<Core>(ops, limit_bytes)) {}

KvPiece KvPool::allocate(int64_t bytes) const {
  struct GiveBack {
    std::shared_ptr<Core> core;
    void operator()(Storage* storage) const {
      core->give_back(std::move(*storage));
      delete storage;
    }
  };
  auto owned = std::make_unique<Storage>();
  *owned = core_->take(bytes);
  return KvPiece(owned.release(), GiveBack{core_});
}

int64_t KvPool::limit_bytes() const {
  return core_->limit;
}

int64_t KvPool::used_bytes() const {
  const std::lock_guard lock(core_->mutex);
  return core_->used;
}

int64_t KvPool::live_pieces() const {
  const std::lock_guard lock(core_->mutex);
  return core_->pieces;
}

}  // namespace hadal
