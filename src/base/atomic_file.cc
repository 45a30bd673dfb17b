#include "base/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/error.h"

namespace hadal {
namespace fs = std::filesystem;
namespace {

// A symbolic link keeps pointing where it did: the file behind it is replaced.
fs::path follow_links(const fs::path& target) {
  std::error_code ignored;
  const fs::path resolved = fs::weakly_canonical(target, ignored);
  return resolved.empty() ? target : resolved;
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& target) : target_(follow_links(target)) {
  std::error_code ignored;
  const fs::file_status status = fs::status(target_, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status))
    fail(ErrorCode::kInvalidInput, "{}: a file name is expected, this is {}", target.string(),
         fs::is_directory(status) ? "a folder" : "a device, pipe or socket");
  for (int attempt = 0; attempt < 1000; ++attempt) {
    temporary_ = target_;
    temporary_ += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
    fd_ = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd_ >= 0 || errno != EEXIST) break;
  }
  if (fd_ < 0) fail(ErrorCode::kIo, "{}: cannot create: {}", target.string(), std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write_at(int64_t offset, std::span<const std::byte> bytes) {
  HADAL_CHECK(fd_ >= 0 && offset >= 0);
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0)
      fail(ErrorCode::kIo, "{}: cannot write: {}", target_.string(),
           n < 0 ? std::strerror(errno) : "no progress");
    offset += n;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::append(std::span<const std::byte> bytes) {
  write_at(end_, bytes);
  end_ += static_cast<int64_t>(bytes.size());
}

void AtomicFile::commit() {
  HADAL_CHECK(fd_ >= 0);
  if (::fsync(fd_) != 0) fail(ErrorCode::kIo, "{}: cannot flush: {}", target_.string(), std::strerror(errno));
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    fail(ErrorCode::kIo, "{}: cannot replace: {}", target_.string(), std::strerror(errno));
  ::close(fd_);
  fd_ = -1;
  // The rename itself is durable once the folder is; a file system that cannot sync folders keeps its own
  // promises.
  const fs::path folder = target_.has_parent_path() ? target_.parent_path() : fs::path(".");
  const int folder_fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_fd >= 0) {
    ::fsync(folder_fd);
    ::close(folder_fd);
  }
}

}  // namespace hadal
