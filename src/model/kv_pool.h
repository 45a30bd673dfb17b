// The memory that states, snapshots and caches of one engine take: counted, limited, shared by reference.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "ops/ops.h"
#include "tensor/storage.h"

namespace hadal {

// A share in one piece of memory. The last share gives the piece back to its pool. Whoever holds the only
// share may write.
using KvPiece = std::shared_ptr<Storage>;

inline std::span<std::byte> bytes_of(const KvPiece& piece) {
  return {piece->data(), static_cast<size_t>(piece->bytes())};
}

// A handle: copies are the same pool. Thread-safe. The ops must outlive it; pieces may outlive every handle.
class KvPool {
 public:
  static constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

  explicit KvPool(Ops& ops, int64_t limit_bytes = kNoLimit);

  // Zero-filled. Throws Error{kOutOfMemory} that says how much there is when the limit would be passed or the
  // system refuses.
  KvPiece allocate(int64_t bytes) const;

  int64_t limit_bytes() const;
  int64_t used_bytes() const;   // of live pieces
  int64_t live_pieces() const;  // how many there are

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace hadal
