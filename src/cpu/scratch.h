// Memory of the CPU backend that is kept between calls: it grows to the largest need and is never zeroed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace hadal {

// 64-byte aligned; contents are lost when it grows. Not thread-safe.
class Scratch {
 public:
  template <class T>
  T* get(int64_t count) {
    return reinterpret_cast<T*>(bytes(count * static_cast<int64_t>(sizeof(T))));
  }
  std::byte* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  std::byte* bytes(int64_t n) {
    if (n > size_) {
      data_.reset();
      size_ = n + n / 4 + 64;
      data_.reset(static_cast<std::byte*>(::operator new(static_cast<size_t>(size_), kAlign)));
    }
    return data_.get();
  }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(std::byte* p) const { ::operator delete(p, kAlign); }
  };
  std::unique_ptr<std::byte, Free> data_;
  int64_t size_ = 0;
};

}  // namespace hadal
