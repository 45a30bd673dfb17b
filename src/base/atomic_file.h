// Writes a file so that others see the old one or the whole new one: a temporary file beside it, fsync,
// rename.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace hadal {

// Not thread-safe. Without commit() the temporary file is removed and the target is untouched. Throws
// Error(kIo) with the system's reason, kInvalidInput when the target is a folder or a device.
class AtomicFile {
 public:
  explicit AtomicFile(const std::filesystem::path& target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // At a byte offset; gaps read as zeros.
  void write_at(int64_t offset, std::span<const std::byte> bytes);
  // After the last byte written by append().
  void append(std::span<const std::byte> bytes);
  // Makes the bytes durable and gives them the target's name. Nothing may be written afterwards.
  void commit();

 private:
  std::filesystem::path target_, temporary_;
  int fd_ = -1;
  int64_t end_ = 0;
};

}  // namespace hadal
