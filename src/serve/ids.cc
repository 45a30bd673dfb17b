#include "serve/ids.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <chrono>
#include <cstdint>
#include <ctime>

#include "base/check.h"

namespace hadal::serve {
namespace {

std::string random_letters(std::string_view alphabet, int digits) {
  std::string out;
  const size_t limit = 256 / alphabet.size() * alphabet.size();  // bytes beyond it would favour some letters
  while (out.size() < static_cast<size_t>(digits)) {
    unsigned char bytes[64];
    HADAL_CHECK(::getentropy(bytes, sizeof bytes) == 0);
    for (const unsigned char byte : bytes)
      if (byte < limit && out.size() < static_cast<size_t>(digits)) out += alphabet[byte % alphabet.size()];
  }
  return out;
}

}  // namespace

std::string random_hex(int digits) {
  return random_letters("0123456789abcdef", digits);
}

std::string random_base62(int digits) {
  return random_letters("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", digits);
}

std::string random_uuid() {
  std::string hex = random_hex(32);
  hex[12] = '4';
  hex[16] = "89ab"[hex[16] % 4];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

std::string new_call_id(int index) {
  return fmt::format("call_{:02}_{}", index, random_base62(24));
}

std::string utc_time(int digits) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  const std::time_t seconds = static_cast<std::time_t>(nanoseconds / 1'000'000'000);
  std::string out = fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(seconds));
  if (digits > 0)
    out += fmt::format(".{:09}", nanoseconds % 1'000'000'000).substr(0, static_cast<size_t>(digits) + 1);
  return out + "Z";
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace hadal::serve
