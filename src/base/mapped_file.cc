#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"

namespace hadal {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// Opens a regular file for reading and tells its size. Non-blocking, so that a pipe with no writer does not
// hang.
int open_regular(const std::filesystem::path& path, size_t& size) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    const int reason = errno;
    if (reason == ENOENT || reason == ENOTDIR)
      fail(ErrorCode::kNotFound, "{}: there is no such file", path.string());
    fail(ErrorCode::kIo, "{}: cannot open: {}", path.string(), std::strerror(reason));
  }
  struct stat status{};
  if (::fstat(fd, &status) != 0) {
    const int reason = errno;
    ::close(fd);
    fail(ErrorCode::kIo, "{}: cannot read its size: {}", path.string(), std::strerror(reason));
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(fd);
    fail(ErrorCode::kInvalidFile, "{}: a regular file is expected, this is {}", path.string(),
         S_ISDIR(status.st_mode) ? "a folder" : "a device, pipe or socket");
  }
  size = static_cast<size_t>(status.st_size);
  return fd;
}

}  // namespace

std::unique_ptr<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  size_t size = 0;
  const Descriptor fd(open_regular(path, size));
  if (size == 0) fail(ErrorCode::kInvalidFile, "{}: the file is empty", path.string());
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED)
    fail(ErrorCode::kIo, "{}: cannot map {} bytes: {}", path.string(), size, std::strerror(errno));
  return std::unique_ptr<MappedFile>(new MappedFile(path, static_cast<const std::byte*>(data), size));
}

MappedFile::~MappedFile() {
  ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string read_text_file(const std::filesystem::path& path, size_t max_bytes) {
  size_t size = 0;
  const Descriptor fd(open_regular(path, size));
  if (size > max_bytes)
    fail(ErrorCode::kInvalidFile, "{}: {} bytes, expected at most {}", path.string(), size, max_bytes);
  std::string text(size, '\0');
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd.get(), text.data() + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorCode::kIo, "{}: cannot read: {}", path.string(), std::strerror(errno));
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  text.resize(done);
  return text;
}

}  // namespace hadal
