// Names of blocks of tokens. A block's key hashes its 128 token ids and the key of the block before it, so
// one key stands for a whole prefix, for one model, numerics mode and prompt generation.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/state_layout.h"

namespace hadal {

inline constexpr int64_t kChainBlockTokens = kBlockTokens;
inline constexpr uint32_t kKvFormatVersion = 1;  // of the payload files (docs/formats/kvfile.md)
inline constexpr size_t kMaxIdentityText = 64;   // bytes of a name in KvIdentity
inline constexpr int64_t kMaxKvBlockBytes = int64_t{1} << 30;

// 128 bits, as printed: high half first.
struct Hash128 {
  uint64_t high = 0, low = 0;
  auto operator<=>(const Hash128&) const = default;

  std::string hex() const;  // 32 lower-case digits
  static std::optional<Hash128> parse(std::string_view hex);
  std::array<std::byte, 16> bytes() const;  // big-endian, the order of hex()
  static Hash128 from_bytes(std::span<const std::byte, 16> bytes);
};
using BlockKey = Hash128;

// For unordered containers: the key is a hash already.
struct BlockKeyHash {
  size_t operator()(const BlockKey& key) const { return static_cast<size_t>(key.low); }
};

// What rows depend on besides token ids. Equal identities and ids mean equal rows, bit for bit.
struct KvIdentity {
  Hash128 fingerprint;            // of config and weights (kv/fingerprint.h)
  std::string numerics;           // "release", "fp32"; at most kMaxIdentityText bytes
  std::string prompt_generation;  // "v4-preview", ...; the same
  int64_t block_bytes = 0;        // rows of 128 tokens, 1 to kMaxKvBlockBytes
  bool operator==(const KvIdentity&) const = default;
};

// The key before the first block. Covers kKvFormatVersion too. A name too long or a size out of range is a
// bug (CHECK).
BlockKey chain_root(const KvIdentity& identity);
// The root of prefixes that are kept apart from all others, such as those of one user; the root itself when
// the scope is empty.
BlockKey chain_scope(const BlockKey& root, std::string_view scope);
// ids: exactly kChainBlockTokens.
BlockKey chain_next(const BlockKey& parent, std::span<const int32_t> ids);
// Keys of all whole blocks of ids: entry i stands for the first (i + 1) * 128 ids after the parent.
std::vector<BlockKey> chain_keys(const BlockKey& parent, std::span<const int32_t> ids);

}  // namespace hadal
