#include "kv/kv_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/check.h"

namespace hadal {
namespace {

// Fills all of `parts` from `offset` on. 0, an errno, or -1 when the file ends before.
int read_fully(int fd, int64_t offset, std::span<iovec> parts) {
  constexpr size_t kMostParts = 64;  // far below IOV_MAX
  while (!parts.empty()) {
    const ssize_t n =
        ::preadv(fd, parts.data(), static_cast<int>(std::min(parts.size(), kMostParts)), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return -1;
    offset += n;
    auto left = static_cast<size_t>(n);
    while (!parts.empty() && left >= parts.front().iov_len) {
      left -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (left > 0) {
      parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + left;
      parts.front().iov_len -= left;
    }
    while (!parts.empty() && parts.front().iov_len == 0) parts = parts.subspan(1);
  }
  return 0;
}

int read_fully(int fd, int64_t offset, std::span<std::byte> out) {
  iovec part{out.data(), out.size()};
  return out.empty() ? 0 : read_fully(fd, offset, std::span(&part, 1));
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// An unreadable sector is damage; what is left of the errors says nothing about the file.
KvFault fault_of(int error) {
  return error == -1 || error == EIO ? KvFault::kDamaged : KvFault::kSystem;
}

std::string reason(int error) {
  return error == -1 ? "the file ends early" : std::strerror(error);
}

KvResult<int> open_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd >= 0) return fd;
  const KvFault fault = errno == ENOENT || errno == ENOTDIR ? KvFault::kMissing : KvFault::kSystem;
  return kv_problem(fault, path, fmt::format("cannot open: {}", std::strerror(errno)));
}

// The descriptor of a reader, or one for as long as this lives.
class Descriptor {
 public:
  Descriptor(int held, const std::string& path) {
    if (held >= 0)
      result_ = held;
    else if ((result_ = open_file(path)))
      own_ = *result_;
  }
  ~Descriptor() {
    if (own_ >= 0) ::close(own_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const KvResult<int>& get() const { return result_; }

 private:
  KvResult<int> result_;
  int own_ = -1;
};

}  // namespace

KvResult<std::shared_ptr<const KvReader>> KvReader::open(const std::filesystem::path& path, bool hold) {
  const std::shared_ptr<KvReader> out(new KvReader(path.string()));
  const KvResult<int> fd = open_file(out->where_);
  if (!fd) return tl::make_unexpected(fd.error());
  out->fd_ = *fd;
  struct stat status{};
  if (::fstat(*fd, &status) != 0)
    return kv_problem(KvFault::kSystem, out->where_,
                      fmt::format("cannot read its size: {}", std::strerror(errno)));
  if (!S_ISREG(status.st_mode))
    return kv_problem(KvFault::kDamaged, out->where_, "a regular file is expected");
  const int64_t file_bytes = status.st_size;
  out->modified_us_ = int64_t{status.st_mtim.tv_sec} * 1'000'000 + status.st_mtim.tv_nsec / 1000;

  std::vector<std::byte> bytes(static_cast<size_t>(std::min(file_bytes, kKvSection)));
  if (const int error = read_fully(*fd, 0, bytes))
    return kv_problem(fault_of(error), out->where_, fmt::format("header: cannot read: {}", reason(error)));
  const KvResult<int64_t> size = parse_kv_header_size(bytes, file_bytes, out->where_);
  if (!size) return tl::make_unexpected(size.error());
  const size_t have = bytes.size();
  bytes.resize(static_cast<size_t>(*size));
  if (const int error = read_fully(*fd, static_cast<int64_t>(have), std::span(bytes).subspan(have)))
    return kv_problem(fault_of(error), out->where_, fmt::format("header: cannot read: {}", reason(error)));
  KvResult<KvHeader> header = parse_kv_header(bytes, file_bytes, out->where_);
  if (!header) return tl::make_unexpected(header.error());
  out->header_ = std::move(*header);
  out->header_checksum_ = kv_header_checksum(bytes);
  if (!hold) {
    ::close(out->fd_);
    out->fd_ = -1;
  }
  return out;
}

KvReader::~KvReader() {
  if (fd_ >= 0) ::close(fd_);
}

void KvRead::add_blocks(const KvReader& file, int64_t first, std::span<std::byte* const> blocks) {
  const KvHeader& header = file.header();
  const int64_t block_bytes = header.identity.block_bytes, count = static_cast<int64_t>(blocks.size());
  HADAL_CHECK(first >= 0 && count <= header.blocks() - first, "{} + {} of {}", first, count, header.blocks());
  const int64_t at_once = std::max<int64_t>(1, kPieceBytes / block_bytes);
  bytes_ += count * block_bytes;
  for (int64_t done = 0; done < count; done += at_once) {
    const int64_t n = std::min(at_once, count - done);
    pieces_.push_back({&file,
                       header.block_offset(first + done),
                       {},
                       blocks.subspan(static_cast<size_t>(done), static_cast<size_t>(n)),
                       first + done,
                       0});
  }
}

void KvRead::add_tail(const KvReader& file, size_t index, std::span<std::byte> out) {
  const KvHeader& header = file.header();
  HADAL_CHECK(index < header.tails.size());
  const KvTail& tail = header.tails[index];
  HADAL_CHECK(static_cast<int64_t>(out.size()) == tail.bytes, "{} bytes for {}", out.size(), tail.bytes);
  const int64_t before = index > 0 ? header.tails[index - 1].offset + header.tails[index - 1].bytes
                                   : header.block_offset(header.blocks());
  int64_t zeros = tail.offset - before;  // the padding is checked with the first piece
  int64_t done = 0;
  do {
    const int64_t n = std::min(kPieceBytes, tail.bytes - done);
    pieces_.push_back({&file,
                       tail.offset + done,
                       out.subspan(static_cast<size_t>(done), static_cast<size_t>(n)),
                       {},
                       0,
                       zeros});
    zeros = 0;
    done += n;
  } while (done < tail.bytes);
  tails_.push_back({&file, index, out});
  bytes_ += tail.bytes;
}

KvResult<void> KvRead::read_piece(const Piece& piece) {
  const KvReader& file = *piece.file;
  const Descriptor descriptor(file.fd_, file.where());
  if (!descriptor.get()) return tl::make_unexpected(descriptor.get().error());
  const auto block_bytes = static_cast<size_t>(file.header().identity.block_bytes);
  std::array<std::byte, kKvSection> padding;
  std::vector<iovec> parts;
  parts.reserve(piece.blocks.size() + 2);
  if (piece.zeros > 0) parts.push_back({padding.data(), static_cast<size_t>(piece.zeros)});
  if (!piece.bytes.empty()) parts.push_back({piece.bytes.data(), piece.bytes.size()});
  for (std::byte* const block : piece.blocks) parts.push_back({block, block_bytes});
  if (const int error = read_fully(*descriptor.get(), piece.offset - piece.zeros, parts))
    return kv_problem(fault_of(error), file.where(),
                      fmt::format("rows: cannot read at {}: {}", piece.offset, reason(error)));
  if (!all_zero(std::span(padding).first(static_cast<size_t>(piece.zeros))))
    return kv_problem(KvFault::kDamaged, file.where(), "padding before a tail: expected zeros");
  for (size_t i = 0; i < piece.blocks.size(); ++i) {
    const int64_t block = piece.first_block + static_cast<int64_t>(i);
    if (kv_checksum({piece.blocks[i], block_bytes}) !=
        file.header().block_checksums[static_cast<size_t>(block)])
      return kv_problem(KvFault::kDamaged, file.where(),
                        fmt::format("block {}: its checksum is not that of the header", block));
  }
  return {};
}

void KvRead::work(std::atomic<size_t>& next, std::vector<KvResult<void>>& results) const {
  for (;;) {
    const size_t i = next.fetch_add(1, std::memory_order_relaxed);
    if (i >= pieces_.size()) return;
    results[i] = read_piece(pieces_[i]);
    if (!results[i]) next.store(pieces_.size(), std::memory_order_relaxed);
  }
}

std::vector<KvRead::Failure> KvRead::run(int threads) {
  std::vector<KvResult<void>> results(pieces_.size());
  std::atomic<size_t> next{0};
  std::vector<std::thread> team;
  const int64_t worth_it = std::min<int64_t>(std::max(1, threads), 1 + bytes_ / kThreadBytes);
  const auto wanted = std::min(static_cast<size_t>(worth_it), pieces_.size());
  try {
    while (team.size() + 1 < wanted) team.emplace_back([&] { work(next, results); });
  } catch (const std::system_error&) {  // no more threads to be had: fewer do it
  }
  work(next, results);
  for (std::thread& thread : team) thread.join();

  std::vector<Failure> failures;
  auto add = [&](const KvReader* file, KvProblem problem) {
    for (const Failure& known : failures)
      if (known.file == file) return;
    failures.push_back({file, std::move(problem)});
  };
  for (size_t i = 0; i < pieces_.size(); ++i)
    if (!results[i]) add(pieces_[i].file, results[i].error());
  if (!failures.empty()) return failures;
  for (const Tail& tail : tails_) {
    const KvTail& expected = tail.file->header().tails[tail.index];
    if (kv_checksum(tail.bytes) != expected.checksum)
      add(tail.file,
          {{tail.file->where(), fmt::format("tail {}: its checksum is not that of the header", tail.index)},
           KvFault::kDamaged});
  }
  return failures;
}

KvResult<void> verify_kv_file(const KvReader& file) {
  const KvHeader& header = file.header();
  constexpr int64_t kAtOnce = int64_t{4} << 20;
  std::vector<std::byte> buffer(static_cast<size_t>(std::min(header.file_bytes, kAtOnce)));
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), &XXH3_freeState);
  if (state == nullptr) return kv_problem(KvFault::kSystem, file.where(), "out of memory");
  const Descriptor descriptor(file.fd_, file.where());
  if (!descriptor.get()) return tl::make_unexpected(descriptor.get().error());
  int64_t end = header.blocks_offset;
  // One section, and the padding before it, which must be zeros.
  auto check = [&](int64_t offset, int64_t bytes, uint64_t checksum, const char* kind,
                   size_t index) -> KvResult<void> {
    XXH3_64bits_reset(state.get());
    for (int64_t at = end; at < offset + bytes;) {
      const int64_t n = std::min<int64_t>(at < offset ? offset - at : offset + bytes - at,
                                          static_cast<int64_t>(buffer.size()));
      const auto piece = std::span(buffer).first(static_cast<size_t>(n));
      if (const int error = read_fully(*descriptor.get(), at, piece))
        return kv_problem(fault_of(error), file.where(),
                          fmt::format("{} {}: cannot read at {}: {}", kind, index, at, reason(error)));
      if (at >= offset)
        XXH3_64bits_update(state.get(), piece.data(), piece.size());
      else if (!all_zero(piece))
        return kv_problem(KvFault::kDamaged, file.where(),
                          fmt::format("padding before {} {}: expected zeros", kind, index));
      at += n;
    }
    end = offset + bytes;
    if (XXH3_64bits_digest(state.get()) != checksum)
      return kv_problem(KvFault::kDamaged, file.where(),
                        fmt::format("{} {}: its checksum is not that of the header", kind, index));
    return {};
  };
  for (size_t i = 0; i < header.block_checksums.size(); ++i)
    if (auto done = check(header.block_offset(static_cast<int64_t>(i)), header.identity.block_bytes,
                          header.block_checksums[i], "block", i);
        !done)
      return done;
  for (size_t i = 0; i < header.tails.size(); ++i)
    if (auto done = check(header.tails[i].offset, header.tails[i].bytes, header.tails[i].checksum, "tail", i);
        !done)
      return done;
  return {};
}

}  // namespace hadal
