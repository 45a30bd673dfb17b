#include "kv/disk_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <exception>
#include <map>
#include <thread>

#include "base/log.h"
#include "kv/kv_reader.h"

namespace hadal {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLockName = "lock";

// Whoever changes which file is the index holds this. Released by the system when the process dies.
class FolderLock {
 public:
  FolderLock(const fs::path& folder, int wait_ms)
      : fd_(::open((folder / kLockName).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (fd_ < 0) {
      error_ = errno;
      return;
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(wait_ms);
    while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      error_ = errno;
      if (error_ != EINTR && (error_ != EWOULDBLOCK || std::chrono::steady_clock::now() >= end)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    error_ = 0;
  }
  ~FolderLock() {
    if (fd_ >= 0) ::close(fd_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  int error() const { return error_; }  // 0: held

 private:
  int fd_, error_ = 0;
};

// Processes that have the old index open go on with it, unlinked; its log and shared memory must not meet the
// new one.
void put_index_aside(const fs::path& folder) {
  const fs::path index = folder / kIndexName;
  std::error_code ignored;
  for (const char* const suffix : {"-wal", "-shm", "-journal"}) {
    fs::path part = index;
    fs::remove_all(part += suffix, ignored);
  }
  fs::path aside = index;
  aside += ".broken";
  fs::remove_all(aside, ignored);
  if (::rename(index.c_str(), aside.c_str()) != 0) fs::remove_all(index, ignored);
}

bool same_as_listed(const std::map<std::string, int64_t>& listed, const IndexedFile& file) {
  const auto found = listed.find(file.name);
  return found != listed.end() && found->second == file.bytes;
}

void add_payload(const fs::path& folder, const std::string& name, DiskIndex& index, bool remove_damaged,
                 FailureLog& log) {
  const auto reader = KvReader::open(folder / name);
  std::string wrong;
  if (reader) {
    const KvHeader& header = (*reader)->header();
    if (payload_name(header, (*reader)->header_checksum()) == name) {
      index.add(name, header, (*reader)->modified_us());
      return;
    }
    wrong = fmt::format("{}: name: not that of its content", (folder / name).string());
  } else if (reader.error().fault == KvFault::kForeign) {
    log.report(FailureLog::kForeignFile, reader.error().to_string());
    return;
  } else if (reader.error().fault != KvFault::kDamaged) {
    return;
  } else {
    wrong = reader.error().to_string();
  }
  log.report(FailureLog::kDamagedFile, fmt::format("cache file ignored: {}", wrong));
  std::error_code ignored;
  if (remove_damaged) fs::remove(folder / name, ignored);
}

void reconcile(const fs::path& folder, DiskIndex& index, bool remove_damaged, FailureLog& log) {
  bool readable = false;
  SqliteTransaction transaction(index.database());
  std::map<std::string, int64_t> listed;
  for (PayloadFile& file : list_payloads(folder, readable)) listed.emplace(std::move(file.name), file.bytes);
  for (const std::string& name : index.incomplete()) index.remove(name);
  std::set<std::string> known;
  for (const IndexedFile& file : index.files()) {
    if (same_as_listed(listed, file))
      known.insert(file.name);
    else
      index.remove(file.name);
  }
  for (const auto& [name, bytes] : listed)
    if (!known.contains(name)) add_payload(folder, name, index, remove_damaged, log);
  index.normalize();
  transaction.commit();
}

std::unique_ptr<DiskIndex> open_index(const fs::path& folder, const FolderOptions& options, FailureLog& log) {
  for (int attempt = 0;; ++attempt) {
    try {
      auto index = std::make_unique<DiskIndex>((folder / kIndexName).string(), options.busy_ms);
      reconcile(folder, *index, options.remove_damaged, log);
      return index;
    } catch (const SqliteError& error) {
      std::error_code ignored;
      const fs::file_status status = fs::symlink_status(folder / kIndexName, ignored);
      const bool no_file = fs::exists(status) && !fs::is_regular_file(status);
      if (attempt > 0 || !(error.broken() || no_file)) throw;
      log.report(FailureLog::kDamagedIndex, fmt::format("cache index made again: {}", error.what()));
      put_index_aside(folder);
    }
  }
}

// An index in memory of whatever can be read.
OpenedFolder open_read_only(const fs::path& folder, const std::string& why, FailureLog& log) {
  bool readable = false;
  list_payloads(folder, readable);
  if (!readable) {
    log.report(FailureLog::kOff, fmt::format("the cache on disk is off: {}", why));
    return {};
  }
  log.report(FailureLog::kReadOnly, fmt::format("the cache on disk is only read: {}", why));
  OpenedFolder out{std::make_unique<DiskIndex>(":memory:", 0), false};
  reconcile(folder, *out.index, false, log);
  return out;
}

OpenedFolder open_folder(const fs::path& folder, const FolderOptions& options, bool fresh, FailureLog& log) {
  try {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error && !fs::is_directory(folder)) {
      log.report(FailureLog::kOff, fmt::format("the cache on disk is off: {}: cannot create the folder: {}",
                                               folder.string(), error.message()));
      return {};
    }
    constexpr int kLockMs = 10'000;  // somebody else makes the index of many files
    const FolderLock lock(folder, kLockMs);
    if (lock.error() != 0)
      return open_read_only(
          folder,
          fmt::format("{}: cannot lock: {}", (folder / kLockName).string(), std::strerror(lock.error())),
          log);
    remove_dead_temporaries(folder);
    if (fresh) put_index_aside(folder);
    try {
      return {open_index(folder, options, log), true};
    } catch (const SqliteError& failed) {
      return open_read_only(folder, failed.what(), log);
    }
  } catch (const std::exception& failed) {
    log.report(FailureLog::kOff,
               fmt::format("the cache on disk is off: {}: {}", folder.string(), failed.what()));
    return {};
  }
}

}  // namespace

std::optional<std::string> payload_name(const KvHeader& header, uint64_t header_checksum) {
  if (header.ids.size() % kChainBlockTokens != 0) return std::nullopt;
  for (const KvTail& tail : header.tails)
    if (tail.length % kChainBlockTokens != 0) return std::nullopt;
  const auto keys = header.keys();
  return fmt::format("{}-{:016x}{}", (keys.empty() ? header.parent : keys.back()).hex(), header_checksum,
                     kPayloadSuffix);
}

bool is_payload_name(std::string_view name) {
  constexpr size_t kLength = 32 + 1 + 16;
  if (!name.ends_with(kPayloadSuffix)) return false;
  name.remove_suffix(std::strlen(kPayloadSuffix));
  return name.size() == kLength && name[32] == '-' &&
         name.find_first_not_of("0123456789abcdef-") == std::string_view::npos && name.rfind('-') == 32 &&
         name.find('-') == 32;
}

void FailureLog::report(Kind kind, const std::string& message) {
  const bool first = counts_[kind].fetch_add(1, std::memory_order_relaxed) == 0;
  log_line(first ? LogLevel::kWarning : LogLevel::kDebug, message);
}

std::vector<PayloadFile> list_payloads(const fs::path& folder, bool& readable) {
  std::vector<PayloadFile> out;
  std::error_code error;
  fs::directory_iterator entry(folder, error), end;
  readable = !error;
  for (; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (!is_payload_name(name)) continue;
    struct stat status{};
    if (::lstat(entry->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      out.push_back({name, status.st_size});
  }
  return out;
}

void remove_payloads(const fs::path& folder, const std::vector<std::string>& names) {
  for (const std::string& name : names)
    if (is_payload_name(name)) ::unlink((folder / name).c_str());
}

// NAME.hkv.tmp-PID-N is what base/atomic_file.h leaves. A number may have been given to another process
// since: old files go whatever lives under it.
void remove_dead_temporaries(const fs::path& folder) {
  constexpr int64_t kOldSeconds = 3600;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    const size_t mark = name.find(".tmp-");
    if (mark == std::string::npos || !is_payload_name(std::string_view(name).substr(0, mark))) continue;
    pid_t pid = 0;
    const char* const digits = name.c_str() + mark + 5;
    if (std::from_chars(digits, name.c_str() + name.size(), pid).ec != std::errc() || pid <= 0) continue;
    struct stat status{};
    if (::lstat(entry->path().c_str(), &status) != 0) continue;
    const bool dead = ::kill(pid, 0) != 0 && errno == ESRCH;
    if (dead || ::time(nullptr) - status.st_mtim.tv_sec > kOldSeconds) ::unlink(entry->path().c_str());
  }
}

OpenedFolder open_cache_folder(const fs::path& folder, const FolderOptions& options, FailureLog& log) {
  return open_folder(folder, options, false, log);
}

OpenedFolder rebuild_cache_folder(const fs::path& folder, const FolderOptions& options, FailureLog& log) {
  return open_folder(folder, options, true, log);
}

}  // namespace hadal
