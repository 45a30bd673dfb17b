// API keys in a text file, for who wants no ledger: one key a line.
//
//   # comment
//   sk-something-secret            name=ann  rpm=60 tpm=100000 concurrent=4
//   sha256:2c26b46b68ffc68f...     name=ops  role=admin  expires=2027-01-31
//
// What comes after the key is optional: name (default: "key-" and the line), role (user or admin, default
// user), rpm and tpm (requests and tokens a minute), concurrent (answers at a time), expires (the first UTC
// day on which the key is refused). sha256: is followed by the SHA-256 of the key in hexadecimal.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "serve/accounts/account.h"
#include "serve/accounts/api_key.h"

namespace hadal::serve {

struct FileKey {
  KeyInfo info;
  Bytes32 sha256;
};

// Throws Error{kNotFound, kIo, kInvalidFile}, naming the file and the line. A file without keys is one of
// them.
std::vector<FileKey> read_key_file(const std::filesystem::path& file);
std::vector<FileKey> parse_key_file(std::string_view text, const std::string& name);

// "2027-01-31". Problem: what was expected.
Result<std::chrono::sys_days> parse_day(std::string_view text);
// 1 to RateBucket::kMaxLimit.
Result<int64_t> parse_limit(std::string_view text);

}  // namespace hadal::serve
