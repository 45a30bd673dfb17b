#include "kv/kv_file.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/check.h"

namespace hadal {
namespace {

constexpr char kMagic[8] = {'H', 'A', 'D', 'A', 'L', '-', 'K', 'V'};

// The fixed part of the header, as it lies in the file. Little-endian; keys as in Hash128::bytes().
struct Fixed {
  char magic[8];
  uint32_t version;
  uint32_t tails;
  uint64_t header_bytes;
  uint64_t file_bytes;
  std::byte fingerprint[16];
  std::byte parent[16];
  uint64_t block_bytes;
  uint64_t first_block;
  uint64_t tokens;
  uint64_t blocks;
  uint32_t numerics_bytes;
  uint32_t generation_bytes;
  uint64_t reserved;
  uint64_t reserved2;
  uint64_t checksum;
};
constexpr size_t kFixedBytes = 128, kChecksumAt = 120;
static_assert(sizeof(Fixed) == kFixedBytes && offsetof(Fixed, checksum) == kChecksumAt);

struct FixedTail {
  int64_t length, mtp_length;
  uint64_t bytes, offset, checksum;
};
static_assert(sizeof(FixedTail) == 40);

size_t align8(size_t n) {
  return (n + 7) / 8 * 8;
}

// Where the variable parts lie; sums of numbers that are in range already.
struct Places {
  size_t ids, checksums, tails, end;
  Places(size_t text_bytes, size_t tokens, size_t blocks, size_t n_tails) {
    ids = kFixedBytes + align8(text_bytes);
    checksums = ids + align8(tokens * sizeof(int32_t));
    tails = checksums + blocks * sizeof(uint64_t);
    end = tails + n_tails * sizeof(FixedTail);
  }
};

uint64_t checksum_of(std::span<const std::byte> encoded) {
  std::array<std::byte, kFixedBytes> fixed;
  std::memcpy(fixed.data(), encoded.data(), kFixedBytes);
  std::memset(fixed.data() + kChecksumAt, 0, sizeof(uint64_t));
  const uint64_t seed = kv_checksum(fixed);
  return XXH3_64bits_withSeed(encoded.data() + kFixedBytes, encoded.size() - kFixedBytes, seed);
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// The ranges of the counts, so that every later sum and product fits; empty when they are in range.
std::string out_of_range(const Fixed& fixed, int64_t file_bytes) {
  const auto most = static_cast<uint64_t>(file_bytes);
  if (fixed.file_bytes != most)
    return fmt::format("file size: the header says {} bytes, the file has {} (is it truncated?)",
                       fixed.file_bytes, most);
  if (most > static_cast<uint64_t>(kMaxKvFileBytes))
    return fmt::format("file size: {} bytes, expected at most {}", most, kMaxKvFileBytes);
  if (fixed.header_bytes < kFixedBytes || fixed.header_bytes > most ||
      fixed.header_bytes > kMaxKvHeaderBytes || fixed.header_bytes % kKvSection != 0)
    return fmt::format("header size: {} bytes, expected a multiple of {} of at most {}", fixed.header_bytes,
                       kKvSection, std::min<uint64_t>(most, kMaxKvHeaderBytes));
  if (fixed.block_bytes == 0 || fixed.block_bytes > kMaxKvBlockBytes)
    return fmt::format("bytes of a block: {}, expected 1 to {}", fixed.block_bytes, kMaxKvBlockBytes);
  if (fixed.first_block > kMaxKvTokens / kChainBlockTokens)
    return fmt::format("first block: {}, expected at most {}", fixed.first_block,
                       kMaxKvTokens / kChainBlockTokens);
  if (fixed.numerics_bytes > kMaxIdentityText || fixed.generation_bytes > kMaxIdentityText)
    return fmt::format("names of numerics and prompt generation: {} and {} bytes, expected at most {}",
                       fixed.numerics_bytes, fixed.generation_bytes, kMaxIdentityText);
  if (fixed.tokens > fixed.header_bytes / sizeof(int32_t) ||
      fixed.blocks > fixed.header_bytes / sizeof(uint64_t) ||
      fixed.tails > fixed.header_bytes / sizeof(FixedTail))
    return fmt::format("counts: {} tokens, {} blocks and {} tails do not fit a header of {} bytes",
                       fixed.tokens, fixed.blocks, fixed.tails, fixed.header_bytes);
  if (fixed.blocks != (fixed.tokens + kChainBlockTokens - 1) / kChainBlockTokens)
    return fmt::format("blocks: {}, expected those of {} tokens", fixed.blocks, fixed.tokens);
  if (fixed.blocks > most / fixed.block_bytes)
    return fmt::format("blocks: {} of {} bytes do not fit a file of {}", fixed.blocks, fixed.block_bytes,
                       most);
  if (fixed.reserved != 0 || fixed.reserved2 != 0) return "reserved bytes: expected zeros";
  return {};
}

// The tails one after another behind the blocks, the file ending with the last section.
std::string check_sections(const KvHeader& header) {
  int64_t end = header.block_offset(header.blocks());
  int64_t length = std::numeric_limits<int64_t>::min();
  for (size_t i = 0; i < header.tails.size(); ++i) {
    const KvTail& tail = header.tails[i];
    if (tail.length < header.begin() || tail.length > header.end() || tail.length <= length)
      return fmt::format("tail {}: length {}, expected ascending lengths from {} to {}", i, tail.length,
                         header.begin(), header.end());
    length = tail.length;
    if (tail.offset != kv_align(end) || tail.bytes < 1 || tail.bytes > header.file_bytes - tail.offset)
      return fmt::format("tail {}: {} bytes at {}, expected at {} and inside the {} bytes of the file", i,
                         tail.bytes, tail.offset, kv_align(end), header.file_bytes);
    end = tail.offset + tail.bytes;
  }
  if (end != header.file_bytes)
    return fmt::format("file size: the sections end at {}, the file has {} bytes", end, header.file_bytes);
  return {};
}

}  // namespace

uint64_t kv_checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

void place_sections(KvHeader& header) {
  const Places places(header.identity.numerics.size() + header.identity.prompt_generation.size(),
                      header.ids.size(), header.block_checksums.size(), header.tails.size());
  header.blocks_offset = kv_align(static_cast<int64_t>(places.end));
  int64_t end = header.block_offset(header.blocks());
  for (KvTail& tail : header.tails) {
    tail.offset = kv_align(end);
    end = tail.offset + tail.bytes;
  }
  header.file_bytes = end;
}

std::vector<std::byte> encode_kv_header(const KvHeader& header) {
  const KvIdentity& identity = header.identity;
  Fixed fixed{};
  std::memcpy(fixed.magic, kMagic, sizeof kMagic);
  fixed.version = kKvFormatVersion;
  fixed.tails = static_cast<uint32_t>(header.tails.size());
  fixed.header_bytes = static_cast<uint64_t>(header.blocks_offset);
  fixed.file_bytes = static_cast<uint64_t>(header.file_bytes);
  const auto fingerprint = identity.fingerprint.bytes(), parent = header.parent.bytes();
  std::memcpy(fixed.fingerprint, fingerprint.data(), sizeof fixed.fingerprint);
  std::memcpy(fixed.parent, parent.data(), sizeof fixed.parent);
  fixed.block_bytes = static_cast<uint64_t>(identity.block_bytes);
  fixed.first_block = static_cast<uint64_t>(header.first_block);
  fixed.tokens = header.ids.size();
  fixed.blocks = header.block_checksums.size();
  fixed.numerics_bytes = static_cast<uint32_t>(identity.numerics.size());
  fixed.generation_bytes = static_cast<uint32_t>(identity.prompt_generation.size());
  const std::string wrong = out_of_range(fixed, header.file_bytes);
  HADAL_CHECK(wrong.empty(), "{}", wrong);

  std::vector<std::byte> out(static_cast<size_t>(header.blocks_offset));
  const std::string text = identity.numerics + identity.prompt_generation;
  const Places places(text.size(), header.ids.size(), header.block_checksums.size(), header.tails.size());
  HADAL_CHECK(kv_align(static_cast<int64_t>(places.end)) == header.blocks_offset);
  const std::string misplaced = check_sections(header);
  HADAL_CHECK(misplaced.empty(), "{}", misplaced);
  std::memcpy(out.data(), &fixed, sizeof fixed);
  if (!text.empty()) std::memcpy(out.data() + kFixedBytes, text.data(), text.size());
  if (!header.ids.empty())
    std::memcpy(out.data() + places.ids, header.ids.data(), header.ids.size() * sizeof(int32_t));
  if (!header.block_checksums.empty())
    std::memcpy(out.data() + places.checksums, header.block_checksums.data(),
                header.block_checksums.size() * sizeof(uint64_t));
  for (size_t i = 0; i < header.tails.size(); ++i) {
    const KvTail& tail = header.tails[i];
    const FixedTail stored{tail.length, tail.mtp_length, static_cast<uint64_t>(tail.bytes),
                           static_cast<uint64_t>(tail.offset), tail.checksum};
    std::memcpy(out.data() + places.tails + i * sizeof stored, &stored, sizeof stored);
  }
  sign_kv_header(out);
  return out;
}

void sign_kv_header(std::span<std::byte> encoded) {
  HADAL_CHECK(encoded.size() >= kFixedBytes);
  const uint64_t checksum = checksum_of(encoded);
  std::memcpy(encoded.data() + kChecksumAt, &checksum, sizeof checksum);
}

uint64_t kv_header_checksum(std::span<const std::byte> encoded) {
  HADAL_CHECK(encoded.size() >= kFixedBytes);
  uint64_t checksum;
  std::memcpy(&checksum, encoded.data() + kChecksumAt, sizeof checksum);
  return checksum;
}

KvResult<int64_t> parse_kv_header_size(std::span<const std::byte> first, int64_t file_bytes,
                                       std::string_view file) {
  Fixed fixed;
  if (first.size() < sizeof fixed)
    return kv_problem(KvFault::kDamaged, file,
                      fmt::format("{} bytes, a header has at least {}", first.size(), sizeof fixed));
  std::memcpy(&fixed, first.data(), sizeof fixed);
  if (std::memcmp(fixed.magic, kMagic, sizeof kMagic) != 0)
    return kv_problem(KvFault::kDamaged, file, "magic: this is not a file of rows");
  if (fixed.version != kKvFormatVersion)
    return kv_problem(KvFault::kForeign, file,
                      fmt::format("format version: {}, expected {}", fixed.version, kKvFormatVersion));
  const std::string wrong = out_of_range(fixed, file_bytes);
  if (!wrong.empty()) return kv_problem(KvFault::kDamaged, file, wrong);
  return static_cast<int64_t>(fixed.header_bytes);
}

KvResult<KvHeader> parse_kv_header(std::span<const std::byte> bytes, int64_t file_bytes,
                                   std::string_view file) {
  const KvResult<int64_t> size = parse_kv_header_size(bytes, file_bytes, file);
  if (!size) return tl::make_unexpected(size.error());
  if (static_cast<int64_t>(bytes.size()) != *size)
    return kv_problem(KvFault::kDamaged, file,
                      fmt::format("header: {} bytes, expected {}", bytes.size(), *size));
  Fixed fixed;
  std::memcpy(&fixed, bytes.data(), sizeof fixed);
  if (checksum_of(bytes) != fixed.checksum)
    return kv_problem(KvFault::kDamaged, file,
                      "header checksum: the header has changed since it was written");
  const size_t text_bytes = size_t{fixed.numerics_bytes} + fixed.generation_bytes;
  const Places places(text_bytes, fixed.tokens, fixed.blocks, fixed.tails);
  if (kv_align(static_cast<int64_t>(places.end)) != *size)
    return kv_problem(
        KvFault::kDamaged, file,
        fmt::format("header size: {} bytes, expected {}", *size, kv_align(static_cast<int64_t>(places.end))));
  // What no field covers. The checksum is no secret: whoever makes a header by hand gets one form of it
  // accepted.
  const size_t ids_end = places.ids + fixed.tokens * sizeof(int32_t);
  if (!all_zero(bytes.subspan(kFixedBytes + text_bytes, places.ids - kFixedBytes - text_bytes)) ||
      !all_zero(bytes.subspan(ids_end, places.checksums - ids_end)) || !all_zero(bytes.subspan(places.end)))
    return kv_problem(KvFault::kDamaged, file, "padding of the header: expected zeros");

  KvHeader header;
  const auto* text = reinterpret_cast<const char*>(bytes.data()) + kFixedBytes;
  header.identity.fingerprint = Hash128::from_bytes(fixed.fingerprint);
  header.identity.numerics.assign(text, fixed.numerics_bytes);
  header.identity.prompt_generation.assign(text + fixed.numerics_bytes, fixed.generation_bytes);
  header.identity.block_bytes = static_cast<int64_t>(fixed.block_bytes);
  header.parent = Hash128::from_bytes(fixed.parent);
  header.first_block = static_cast<int64_t>(fixed.first_block);
  header.blocks_offset = *size;
  header.file_bytes = file_bytes;
  header.ids.resize(fixed.tokens);
  if (fixed.tokens > 0)
    std::memcpy(header.ids.data(), bytes.data() + places.ids, fixed.tokens * sizeof(int32_t));
  header.block_checksums.resize(fixed.blocks);
  if (fixed.blocks > 0)
    std::memcpy(header.block_checksums.data(), bytes.data() + places.checksums,
                fixed.blocks * sizeof(uint64_t));
  for (size_t i = 0; i < fixed.tails; ++i) {
    FixedTail stored;
    std::memcpy(&stored, bytes.data() + places.tails + i * sizeof stored, sizeof stored);
    if (stored.bytes > static_cast<uint64_t>(file_bytes) || stored.offset > static_cast<uint64_t>(file_bytes))
      return kv_problem(KvFault::kDamaged, file,
                        fmt::format("tail {}: {} bytes at {} do not fit a file of {}", i, stored.bytes,
                                    stored.offset, file_bytes));
    header.tails.push_back({stored.length, stored.mtp_length, static_cast<int64_t>(stored.bytes),
                            static_cast<int64_t>(stored.offset), stored.checksum});
  }
  const std::string misplaced = check_sections(header);
  if (!misplaced.empty()) return kv_problem(KvFault::kDamaged, file, misplaced);
  return header;
}

}  // namespace hadal
