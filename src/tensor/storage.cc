#include "tensor/storage.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/error.h"

namespace hadal {
namespace {

constexpr int64_t kAlign = 64;

int64_t round_up(int64_t n) {
  return (n + kAlign - 1) / kAlign * kAlign;
}

}  // namespace

void Storage::Free::operator()(std::byte* bytes) const {
  std::free(bytes);
}

Storage::Storage(int64_t bytes) : bytes_(bytes) {
  HADAL_CHECK(bytes >= 0);
  const int64_t rounded = std::max(round_up(bytes), kAlign);
  auto* block = static_cast<std::byte*>(std::aligned_alloc(kAlign, static_cast<size_t>(rounded)));
  if (block == nullptr)
    fail(ErrorCode::kOutOfMemory, "out of memory: {} bytes could not be allocated", rounded);
  std::memset(block, 0, static_cast<size_t>(rounded));
  data_.reset(block);
}

View Arena::alloc(const Shape& shape, DType dtype) {
  const int64_t bytes = round_up(std::max<int64_t>(shape.elements() * dtype_bytes(dtype), 1));
  while (true) {
    HADAL_CHECK(mark_.chunk < kMaxChunks, "arena of {} bytes exhausted", reserved_);
    Storage& chunk = chunks_[mark_.chunk];
    // A chunk past the mark holds nothing: too small a one is replaced, each at least twice the one before.
    if (mark_.used == 0 && chunk.bytes() < bytes) {
      const int64_t previous = mark_.chunk == 0 ? 0 : chunks_[mark_.chunk - 1].bytes();
      reserved_ -= chunk.bytes();
      chunk = Storage();
      chunk = Storage(std::max({bytes, chunk_bytes_, 2 * previous}));
      reserved_ += chunk.bytes();
    }
    if (mark_.used + bytes <= chunk.bytes()) break;
    ++mark_.chunk;
    mark_.used = 0;
  }
  View out(chunks_[mark_.chunk].data() + mark_.used, dtype, shape);
  mark_.used += bytes;
  return out;
}

}  // namespace hadal
