// A cache folder on the disk to measure, for benchmarks that read it cold. HADAL_BENCH_DIR says where.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace hadal::bench {

// Goes away with its files.
struct DiskFolder {
  std::filesystem::path path;
  DiskFolder() {
    const char* const wanted = std::getenv("HADAL_BENCH_DIR");
    path = (wanted != nullptr ? std::filesystem::path(wanted) : std::filesystem::temp_directory_path()) /
           fmt::format("hadal-bench-{}", ::getpid());
    std::filesystem::create_directories(path / "kv");
  }
  ~DiskFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  DiskFolder(const DiskFolder&) = delete;
  DiskFolder& operator=(const DiskFolder&) = delete;
};

// The next read of the folder's files, but for an index, comes from the disk.
inline void drop_from_page_cache(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with("index")) continue;
    const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    ::fsync(fd);
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    ::close(fd);
  }
}

}  // namespace hadal::bench
