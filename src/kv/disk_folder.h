// The folder of the disk cache: names of payload files, what is left over after a kill, and an index that
// agrees with what lies there.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kv/disk_index.h"
#include "kv/kv_file.h"

namespace hadal {

inline constexpr const char* kPayloadSuffix = ".hkv";
inline constexpr const char* kIndexName = "index.db";

// LASTKEY-CHECKSUM.hkv: the key of the file's last block and the checksum of its header, in hex, so that
// files with the same content have the same name and no others. None for a file that is no part of a cache: a
// partial block, a tail that is not at a multiple of 128.
std::optional<std::string> payload_name(const KvHeader& header, uint64_t header_checksum);
// Whether a name has that form.
bool is_payload_name(std::string_view name);

// A failure of each kind is a warning once and a debug line afterwards. Thread-safe.
class FailureLog {
 public:
  enum Kind {
    kOff,
    kReadOnly,
    kWrite,
    kTooLarge,
    kDamagedFile,
    kDamagedIndex,
    kIndexFailure,
    kForeignFile,
    kKinds
  };
  void report(Kind kind, const std::string& message);
  int64_t count(Kind kind) const { return counts_[kind].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<int64_t>, kKinds> counts_{};
};

struct PayloadFile {
  std::string name;
  int64_t bytes = 0;
};
// Regular files with payload names. Empty when the folder cannot be read; `readable` says which.
std::vector<PayloadFile> list_payloads(const std::filesystem::path& folder, bool& readable);

// After the index has forgotten them: a kill in between leaves files that the next opening takes in again.
// Names that are not those of payload files are passed over.
void remove_payloads(const std::filesystem::path& folder, const std::vector<std::string>& names);

// Temporary files of writers that do not live any more.
void remove_dead_temporaries(const std::filesystem::path& folder);

struct FolderOptions {
  bool remove_damaged = true;  // payload files that are broken are deleted rather than passed over
  int busy_ms = 1000;
};

struct OpenedFolder {
  std::unique_ptr<DiskIndex> index;  // null: nothing can be done with this folder
  bool writable = false;             // false: the index is in memory, made from the payload files
};

// Creates the folder and the index when missing. Afterwards every payload file is in the index and every file
// of the index is there, with its size. A broken index is put aside as index.db.broken and made again; with
// one that cannot be written the folder is read-only. Never throws; says in `log` what is wrong.
OpenedFolder open_cache_folder(const std::filesystem::path& folder, const FolderOptions& options,
                               FailureLog& log);

// As above with the old index put aside first.
OpenedFolder rebuild_cache_folder(const std::filesystem::path& folder, const FolderOptions& options,
                                  FailureLog& log);

}  // namespace hadal
