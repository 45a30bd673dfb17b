// A file mapped read-only into memory. Nothing is read before it is touched, so a file of any size opens at
// once.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace hadal {

// Immutable and safe to share between threads; the span lives as long as the object. The size is that of the
// moment of opening: a file that somebody truncates later makes the process receive SIGBUS when the lost part
// is touched, as any mapping does.
class MappedFile {
 public:
  // Throws Error: kNotFound, kInvalidFile (a folder, a device, an empty file), kIo (the system refused, with
  // its reason).
  static std::unique_ptr<MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::filesystem::path path_;
  const std::byte* data_;
  size_t size_;
};

// A whole small text file (config.json, an index). Throws Error: kNotFound, kInvalidFile when it is not a
// regular file or larger than max_bytes, kIo.
std::string read_text_file(const std::filesystem::path& path, size_t max_bytes);

}  // namespace hadal
