#include "kv/fingerprint.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"

namespace hadal {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kWholeBytes = int64_t{64} << 20;
constexpr int64_t kPieces = 64, kPieceBytes = 4096;
constexpr size_t kMaxTextBytes = size_t{256} << 20;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // of a safetensors file

class Hasher {
 public:
  Hasher() : state_(XXH3_createState(), &XXH3_freeState) {
    if (state_ == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(state_.get());
  }
  void add(std::span<const std::byte> bytes) {
    XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  }
  void add(int64_t value) { add(std::as_bytes(std::span(&value, 1))); }
  // With its length, so that two texts cannot trade bytes.
  void add(std::string_view text) {
    add(static_cast<int64_t>(text.size()));
    add(std::as_bytes(std::span(text)));
  }
  Hash128 digest() const {
    const XXH128_hash_t value = XXH3_128bits_digest(state_.get());
    return {value.high64, value.low64};
  }

 private:
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state_;
};

class WeightFile {
 public:
  explicit WeightFile(const fs::path& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0)
      fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}", path.string(),
           std::strerror(errno));
    struct stat status{};
    const int failed = ::fstat(fd_, &status);
    bytes_ = status.st_size;
    modified_seconds_ = status.st_mtim.tv_sec;
    modified_ns_ = status.st_mtim.tv_nsec;
    if (failed != 0 || !S_ISREG(status.st_mode)) {
      ::close(fd_);
      fail(ErrorCode::kInvalidFile, "{}: a regular file is expected", path.string());
    }
  }
  ~WeightFile() { ::close(fd_); }
  WeightFile(const WeightFile&) = delete;
  WeightFile& operator=(const WeightFile&) = delete;

  void add_to(Hasher& hasher) const {
    hasher.add(bytes_);
    hasher.add(modified_seconds_);
    hasher.add(modified_ns_);
    if (bytes_ <= kWholeBytes) {
      add_range(hasher, 0, bytes_);
      return;
    }
    // No read-ahead around the pieces; all are asked for before the first is waited for.
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_RANDOM);
    int64_t header = 0;
    std::memcpy(&header, read(0, 8).data(), 8);
    const bool plausible = header >= 0 && header <= std::min(kMaxHeaderBytes, bytes_ - 8);
    if (plausible) ::posix_fadvise(fd_, 0, 8 + header, POSIX_FADV_WILLNEED);
    for (int64_t i = 0; i < kPieces; ++i) ::posix_fadvise(fd_, piece(i), kPieceBytes, POSIX_FADV_WILLNEED);
    add_range(hasher, 0, plausible ? 8 + header : 8);
    for (int64_t i = 0; i < kPieces; ++i) add_range(hasher, piece(i), kPieceBytes);
  }

 private:
  int64_t piece(int64_t i) const {
    return (bytes_ - kPieceBytes) / (kPieces - 1) * i + (i == kPieces - 1 ? rest() : 0);
  }
  int64_t rest() const { return (bytes_ - kPieceBytes) % (kPieces - 1); }

  void add_range(Hasher& hasher, int64_t begin, int64_t bytes) const {
    constexpr int64_t kAtOnce = int64_t{1} << 20;
    for (int64_t done = 0; done < bytes; done += kAtOnce)
      hasher.add(read(begin + done, std::min(kAtOnce, bytes - done)));
  }

  std::span<const std::byte> read(int64_t offset, int64_t bytes) const {
    buffer_.resize(static_cast<size_t>(bytes));
    for (int64_t done = 0; done < bytes;) {
      const ssize_t n = ::pread(fd_, buffer_.data() + done, static_cast<size_t>(bytes - done), offset + done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0)
        fail(ErrorCode::kIo, "{}: cannot read at {}: {}", path_.string(), offset + done,
             n < 0 ? std::strerror(errno) : "the file ends early");
      done += n;
    }
    return buffer_;
  }

  fs::path path_;
  int fd_;
  int64_t bytes_ = 0, modified_seconds_ = 0, modified_ns_ = 0;
  mutable std::vector<std::byte> buffer_;
};

void add_text(Hasher& hasher, const fs::path& path) {
  std::error_code ignored;
  const bool there = fs::exists(path, ignored);
  hasher.add(int64_t{there});
  if (there) hasher.add(read_text_file(path, kMaxTextBytes));
}

}  // namespace

Hash128 fingerprint(const Checkpoint& checkpoint) {
  std::error_code ignored;
  const fs::path given = checkpoint.path();
  const fs::path folder = fs::is_directory(given, ignored) ? given : given.parent_path();
  Hasher hasher;
  add_text(hasher, folder / "config.json");
  add_text(hasher, given.extension() == ".json" ? given : folder / "model.safetensors.index.json");
  std::set<std::string, std::less<>> files;
  for (const auto& [name, tensor] : checkpoint.tensors()) files.emplace(tensor.file);
  for (const std::string& file : files) {
    hasher.add(file);
    WeightFile(folder / file).add_to(hasher);
  }
  return hasher.digest();
}

}  // namespace hadal
