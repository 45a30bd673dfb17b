// The owners of tensor bytes: Storage (one aligned block) and Arena (activations of a forward pass). Views
// never own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tensor/view.h"

namespace hadal {

// A zero-filled block of host memory, 64-byte aligned. Move-only. Throws Error{kOutOfMemory} that names the
// size.
class Storage {
 public:
  Storage() = default;
  explicit Storage(int64_t bytes);

  std::byte* data() const { return data_.get(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  int64_t bytes_ = 0;
};

// A stack of activations: alloc bumps, Frame gives back all that came after it. Grows by whole chunks, so
// views stay valid; after one pass of the largest shape it never asks the system again. Not thread-safe: one
// per engine thread.
class Arena {
 public:
  explicit Arena(int64_t chunk_bytes = int64_t{1} << 20) : chunk_bytes_(chunk_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised, 64-byte aligned.
  View alloc(const Shape& shape, DType dtype);

  struct Mark {
    int chunk = 0;
    int64_t used = 0;
  };
  Mark mark() const { return mark_; }
  void release(Mark mark) { mark_ = mark; }

  int64_t reserved_bytes() const { return reserved_; }

  // Releases on leaving a scope what was allocated in it.
  class Frame {
   public:
    explicit Frame(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~Frame() { arena_.release(mark_); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Arena& arena_;
    Mark mark_;
  };

 private:
  int64_t chunk_bytes_;
  int64_t reserved_ = 0;
  Mark mark_;
  static constexpr int kMaxChunks = 64;
  Storage chunks_[kMaxChunks];
};

}  // namespace hadal
