// The payload file of rows (docs/formats/kvfile.md): what its header says, to bytes and back. Reading the
// rows is kv_reader.h, writing a file kv_writer.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kv/chain.h"

namespace hadal {

// Why a file gives no rows: decides whether it is worth keeping.
enum class KvFault {
  kMissing,  // there is no such file
  kDamaged,  // not what the format says, or a checksum differs
  kForeign,  // a file of another format version
  kSystem,   // the operating system refused (no descriptor, no memory, no right)
};

// where: the file; what: the field and what was expected.
struct KvProblem : Problem {
  KvFault fault = KvFault::kDamaged;
};
template <class T>
using KvResult = tl::expected<T, KvProblem>;

inline tl::unexpected<KvProblem> kv_problem(KvFault fault, std::string_view where, std::string what) {
  return tl::make_unexpected(KvProblem{{std::string(where), std::move(what)}, fault});
}

// What is needed besides the blocks to go on from `length`.
struct KvTail {
  int64_t length = 0;      // tokens from the start of the sequence
  int64_t mtp_length = 0;  // opaque here
  int64_t bytes = 0;
  int64_t offset = 0;     // in the file, a multiple of kKvSection
  uint64_t checksum = 0;  // XXH3-64
  bool operator==(const KvTail&) const = default;
};

inline constexpr int64_t kKvSection = 4096;                       // alignment of header, blocks and tails
inline constexpr int64_t kMaxKvHeaderBytes = int64_t{128} << 20;  // 30 million tokens
inline constexpr int64_t kMaxKvFileBytes = int64_t{1} << 50;
inline constexpr int64_t kMaxKvTokens = int64_t{1} << 40;  // where a file may lie in a sequence

// Rows of the tokens [begin(), end()) of a sequence and tails at lengths of that range.
struct KvHeader {
  KvIdentity identity;
  BlockKey parent;           // of the block before first_block; chain_scope() for 0
  int64_t first_block = 0;   // in blocks of 128 tokens
  std::vector<int32_t> ids;  // not a multiple of 128: the last block is partial, its rows stored whole
  std::vector<uint64_t> block_checksums;  // XXH3-64, one a block
  std::vector<KvTail> tails;              // lengths ascending, none empty
  int64_t blocks_offset = 0;              // first byte of the rows: the size of the header
  int64_t file_bytes = 0;
  bool operator==(const KvHeader&) const = default;

  int64_t blocks() const { return static_cast<int64_t>(block_checksums.size()); }
  int64_t begin() const { return first_block * kChainBlockTokens; }
  int64_t end() const { return begin() + static_cast<int64_t>(ids.size()); }
  int64_t block_offset(int64_t block) const { return blocks_offset + block * identity.block_bytes; }
  // Keys of the whole blocks in the file.
  std::vector<BlockKey> keys() const { return chain_keys(parent, ids); }
};

inline int64_t kv_align(int64_t offset) {
  return (offset + kKvSection - 1) / kKvSection * kKvSection;
}
uint64_t kv_checksum(std::span<const std::byte> bytes);

// Sets blocks_offset, file_bytes and the offsets of tails from the rest.
void place_sections(KvHeader& header);

// The first blocks_offset bytes of the file. The header must be one that parse_kv_header accepts (CHECK).
std::vector<std::byte> encode_kv_header(const KvHeader& header);
// The checksum in encoded bytes. It covers the whole header and, by the checksums in it, all of the file.
uint64_t kv_header_checksum(std::span<const std::byte> encoded);
// Sets the checksum from the rest of the encoded bytes.
void sign_kv_header(std::span<std::byte> encoded);

// The size of the header of a file of file_bytes bytes, from its first min(kKvSection, file_bytes) bytes.
KvResult<int64_t> parse_kv_header_size(std::span<const std::byte> first, int64_t file_bytes,
                                       std::string_view file);
// bytes: as many as parse_kv_header_size() says. Any bytes are safe to give. What it returns is consistent:
// counts agree with each other, all sections lie inside file_bytes and in order, and the checksum of the
// header is right.
KvResult<KvHeader> parse_kv_header(std::span<const std::byte> bytes, int64_t file_bytes,
                                   std::string_view file);

}  // namespace hadal
