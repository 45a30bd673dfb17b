#include "kv/chain.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <cstring>

#include "base/check.h"

namespace hadal {
namespace {

static_assert(std::endian::native == std::endian::little, "ids and sizes are hashed as little-endian bytes");

Hash128 hash(std::span<const std::byte> bytes) {
  const XXH128_hash_t value = XXH3_128bits(bytes.data(), bytes.size());
  return {value.high64, value.low64};
}

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append(std::vector<std::byte>& out, uint64_t value) {
  append(out, std::as_bytes(std::span(&value, 1)));
}

void append(std::vector<std::byte>& out, const std::string& text) {
  HADAL_CHECK(text.size() <= kMaxIdentityText, "'{}'", text);
  append(out, text.size());
  append(out, std::as_bytes(std::span(text)));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string Hash128::hex() const {
  return fmt::format("{:016x}{:016x}", high, low);
}

std::optional<Hash128> Hash128::parse(std::string_view hex) {
  if (hex.size() != 32) return std::nullopt;
  Hash128 out;
  for (size_t i = 0; i < 32; ++i) {
    const int digit = hex_digit(hex[i]);
    if (digit < 0) return std::nullopt;
    uint64_t& half = i < 16 ? out.high : out.low;
    half = half << 4 | static_cast<uint64_t>(digit);
  }
  return out;
}

std::array<std::byte, 16> Hash128::bytes() const {
  std::array<std::byte, 16> out;
  for (size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<std::byte>(high >> (56 - 8 * i));
    out[8 + i] = static_cast<std::byte>(low >> (56 - 8 * i));
  }
  return out;
}

Hash128 Hash128::from_bytes(std::span<const std::byte, 16> bytes) {
  Hash128 out;
  for (size_t i = 0; i < 8; ++i) {
    out.high = out.high << 8 | static_cast<uint64_t>(bytes[i]);
    out.low = out.low << 8 | static_cast<uint64_t>(bytes[8 + i]);
  }
  return out;
}

BlockKey chain_root(const KvIdentity& identity) {
  HADAL_CHECK(identity.block_bytes > 0 && identity.block_bytes <= kMaxKvBlockBytes, "{}",
              identity.block_bytes);
  std::vector<std::byte> text;
  append(text, uint64_t{kKvFormatVersion});
  append(text, identity.fingerprint.bytes());
  append(text, static_cast<uint64_t>(identity.block_bytes));
  append(text, identity.numerics);
  append(text, identity.prompt_generation);
  return hash(text);
}

BlockKey chain_scope(const BlockKey& root, std::string_view scope) {
  if (scope.empty()) return root;
  std::vector<std::byte> text;
  append(text, root.bytes());
  append(text, std::as_bytes(std::span(scope)));
  return hash(text);
}

BlockKey chain_next(const BlockKey& parent, std::span<const int32_t> ids) {
  HADAL_CHECK(static_cast<int64_t>(ids.size()) == kChainBlockTokens, "{} ids", ids.size());
  std::array<std::byte, 16 + kChainBlockTokens * sizeof(int32_t)> text;
  const auto key = parent.bytes();
  std::memcpy(text.data(), key.data(), key.size());
  std::memcpy(text.data() + key.size(), ids.data(), ids.size_bytes());
  return hash(text);
}

std::vector<BlockKey> chain_keys(const BlockKey& parent, std::span<const int32_t> ids) {
  constexpr size_t kTokens = kChainBlockTokens;
  std::vector<BlockKey> keys(ids.size() / kTokens);
  BlockKey last = parent;
  for (size_t i = 0; i < keys.size(); ++i)
    last = keys[i] = chain_next(last, ids.subspan(i * kTokens, kTokens));
  return keys;
}

}  // namespace hadal
