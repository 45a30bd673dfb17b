// Rows and tails out of a payload file, straight into the caller's memory, checked as they come in.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kv/kv_file.h"

namespace hadal {

// An open file with a valid header. Immutable and safe to share between threads. Holds a descriptor: a file
// that is removed or replaced in the meantime is still read as it was.
class KvReader {
 public:
  // Reads the header only. Fails as kMissing, kDamaged, kForeign, kSystem; never throws for what the file
  // holds.
  static KvResult<std::shared_ptr<const KvReader>> open(const std::filesystem::path& path, bool hold = true);
  ~KvReader();
  KvReader(const KvReader&) = delete;
  KvReader& operator=(const KvReader&) = delete;

  const KvHeader& header() const { return header_; }
  uint64_t header_checksum() const { return header_checksum_; }
  int64_t modified_us() const { return modified_us_; }  // time of last change, microseconds since 1970
  const std::string& where() const { return where_; }   // the path, for messages

 private:
  friend class KvRead;
  friend KvResult<void> verify_kv_file(const KvReader& file);
  explicit KvReader(std::string where) : where_(std::move(where)) {}

  int fd_ = -1;
  std::string where_;
  KvHeader header_;
  uint64_t header_checksum_ = 0;
  int64_t modified_us_ = 0;
};

// A set of sections to read, of one file or several, done by several threads at once in large pieces. For one
// thread to fill and run. The readers and the memory must outlive run().
class KvRead {
 public:
  // Blocks [first, first + blocks.size()) of the file, each to its own identity.block_bytes bytes. A range
  // outside the file is a bug (CHECK).
  void add_blocks(const KvReader& file, int64_t first, std::span<std::byte* const> blocks);
  // out: exactly tails[tail].bytes.
  void add_tail(const KvReader& file, size_t tail, std::span<std::byte> out);

  struct Failure {
    const KvReader* file;
    KvProblem problem;
  };
  // The failures, at most one a file; without any, all memory holds what was written, by checksum. After a
  // failure the memory holds anything.
  std::vector<Failure> run(int threads = kThreads);

  static constexpr int kThreads = 4;

 private:
  static constexpr int64_t kPieceBytes = int64_t{1} << 20;     // still in the core's cache when it is checked
  static constexpr int64_t kThreadBytes = int64_t{512} << 10;  // fewer are not worth a thread
  struct Piece {
    const KvReader* file;
    int64_t offset;              // in the file
    std::span<std::byte> bytes;  // of a tail; empty for blocks
    std::span<std::byte* const> blocks;
    int64_t first_block = 0;  // in the file
    int64_t zeros = 0;        // bytes before `offset` that must be zeros
  };
  struct Tail {
    const KvReader* file;
    size_t index;
    std::span<const std::byte> bytes;
  };

  static KvResult<void> read_piece(const Piece& piece);
  void work(std::atomic<size_t>& next, std::vector<KvResult<void>>& results) const;

  std::vector<Piece> pieces_;
  std::vector<Tail> tails_;
  int64_t bytes_ = 0;
};

// Reads all of a file and checks all of it, in a few megabytes of memory.
KvResult<void> verify_kv_file(const KvReader& file);

}  // namespace hadal
