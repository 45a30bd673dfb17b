// Writes a payload file: a part of a cached prefix, or a whole session at a path of the user's choice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "kv/kv_file.h"

namespace hadal {

struct KvTailSource {
  int64_t length = 0;  // tokens from the start of the sequence
  int64_t mtp_length = 0;
  std::span<const std::byte> bytes;  // not empty
};

// What goes into a file. Borrowed: ids and bytes must stay until it is written.
struct KvContent {
  const KvIdentity* identity = nullptr;
  BlockKey parent;  // chain_root(*identity) when first_block is 0
  int64_t first_block = 0;
  std::span<const int32_t> ids;
  std::span<const std::byte* const>
      blocks;                           // identity->block_bytes each, one for every 128 ids or part of them
  std::span<const KvTailSource> tails;  // lengths ascending, within the range of ids
};

// Hashes the content when made. Contents that kv_file.h does not allow are bugs (CHECK).
class KvWriter {
 public:
  explicit KvWriter(const KvContent& content);

  const KvHeader& header() const { return header_; }
  uint64_t header_checksum() const;  // differs for any two contents
  int64_t file_bytes() const { return header_.file_bytes; }

  // Others see no file or the whole one (base/atomic_file.h); it is durable when this returns. Throws
  // Error{kIo}.
  void write(const std::filesystem::path& path) const;

 private:
  KvContent content_;
  KvHeader header_;
  std::vector<std::byte> encoded_;
};

}  // namespace hadal
