// API keys as text and as what is kept of them: made from a good source of randomness, stored as a keyed
// hash.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hadal::serve {

inline constexpr std::string_view kApiKeyPrefix = "sk-hadal-";

using Bytes32 = std::array<std::byte, 32>;

// "sk-hadal-" and 43 characters of base64url: 256 random bits. Throws Error{kIo} when the system has none.
std::string make_api_key();

Bytes32 random_bytes32();

Bytes32 sha256(std::string_view text);
std::optional<Bytes32> parse_hex32(std::string_view hex);  // 64 digits, either case

// HMAC-SHA256(salt, SHA-256(key)). The hash of a key says nothing about it without a search over all keys,
// and nothing about the hash in another ledger.
class KeyHasher {
 public:
  explicit KeyHasher(const Bytes32& salt) : salt_(salt) {}
  Bytes32 of_key(std::string_view key) const { return of_sha256(sha256(key)); }
  Bytes32 of_sha256(const Bytes32& digest) const;

 private:
  Bytes32 salt_;
};

// In a time that does not depend on where they differ.
bool same_bytes(const Bytes32& a, const Bytes32& b);

// The last four characters, but no more than half of the key, as printable_ascii().
std::string last_four_of(std::string_view key);

// Spaces, control characters and what is not ASCII become '?'.
std::string printable_ascii(std::string_view text);

// Not empty, at most 4096 bytes, printable ASCII without spaces: what fits a header.
bool is_possible_key(std::string_view key);

}  // namespace hadal::serve
