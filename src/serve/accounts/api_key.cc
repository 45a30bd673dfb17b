#include "serve/accounts/api_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace hadal::serve {
namespace {

constexpr size_t kMostKeyBytes = 4096;

unsigned char* raw(Bytes32& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}
const unsigned char* raw(const Bytes32& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string base64url(const Bytes32& bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const std::byte byte : bytes) {
    bits = bits << 8 | static_cast<uint32_t>(byte);
    for (count += 8; count >= 6; count -= 6) out += kDigits[bits >> (count - 6) & 63];
  }
  if (count > 0) out += kDigits[bits << (6 - count) & 63];
  return out;
}

}  // namespace

Bytes32 random_bytes32() {
  Bytes32 out;
  if (RAND_bytes(raw(out), static_cast<int>(out.size())) != 1)
    fail(ErrorCode::kIo, "the system gives no random numbers, so no key can be made");
  return out;
}

std::string make_api_key() {
  return std::string(kApiKeyPrefix) + base64url(random_bytes32());
}

Bytes32 sha256(std::string_view text) {
  Bytes32 out;
  HADAL_CHECK(EVP_Digest(text.data(), text.size(), raw(out), nullptr, EVP_sha256(), nullptr) == 1);
  return out;
}

std::optional<Bytes32> parse_hex32(std::string_view hex) {
  Bytes32 out;
  if (hex.size() != 2 * out.size()) return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  for (size_t i = 0; i < out.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<std::byte>(high * 16 + low);
  }
  return out;
}

Bytes32 KeyHasher::of_sha256(const Bytes32& digest) const {
  Bytes32 out;
  HADAL_CHECK(HMAC(EVP_sha256(), salt_.data(), static_cast<int>(salt_.size()), raw(digest), digest.size(),
                   raw(out), nullptr) != nullptr);
  return out;
}

bool same_bytes(const Bytes32& a, const Bytes32& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string last_four_of(std::string_view key) {
  return printable_ascii(key.substr(key.size() - std::min<size_t>(4, key.size() / 2)));
}

std::string printable_ascii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c <= ' ' || c > '~') c = '?';
  return out;
}

bool is_possible_key(std::string_view key) {
  return !key.empty() && key.size() <= kMostKeyBytes &&
         std::ranges::all_of(key, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace hadal::serve
