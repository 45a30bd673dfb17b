#include "serve/accounts/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>

#include "base/error.h"
#include "serve/accounts/rate_bucket.h"

namespace hadal::serve {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 16 << 20;
constexpr std::string_view kHashPrefix = "sha256:";

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

// The words of a line, up to a comment.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  for (size_t i = 0; i < line.size();) {
    if (is_space(line[i])) {
      ++i;
      continue;
    }
    if (line[i] == '#') break;
    const size_t begin = i;
    while (i < line.size() && !is_space(line[i])) ++i;
    out.push_back(line.substr(begin, i - begin));
  }
  return out;
}

std::optional<int> digits(std::string_view text) {
  int out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
  return out;
}

Result<Role> role_of(std::string_view text) {
  if (const auto role = parse_role(text)) return *role;
  return problem("", "expected user or admin");
}

// One "name=value" behind a key.
Result<KeyInfo> with_setting(KeyInfo info, std::string_view word) {
  const size_t equals = word.find('=');
  const std::string_view field = word.substr(0, equals);
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
  const auto set = [&](auto&& parsed, auto& place) -> Result<KeyInfo> {
    if (!parsed) return problem(std::string(field), parsed.error().what);
    place = *parsed;
    return info;
  };
  if (field == "name") return set(check_key_name(value), info.name);
  if (field == "role") return set(role_of(value), info.role);
  if (field == "rpm") return set(parse_limit(value), info.limits.requests_per_minute);
  if (field == "tpm") return set(parse_limit(value), info.limits.tokens_per_minute);
  if (field == "concurrent") return set(parse_limit(value), info.limits.concurrent);
  if (field == "expires") return set(parse_day(value), info.expires);
  return problem("", fmt::format("'{}': expected name=, role=, rpm=, tpm=, concurrent= or expires=",
                                 printable_ascii(word.substr(0, 40))));
}

Result<FileKey> parse_line(const std::vector<std::string_view>& words, size_t number) {
  FileKey out;
  std::string_view key = words.front();
  if (key.starts_with(kHashPrefix)) {
    const auto hash = parse_hex32(key.substr(kHashPrefix.size()));
    if (!hash) return problem("sha256", "expected 64 hexadecimal digits");
    out.sha256 = *hash;
  } else {
    if (!is_possible_key(key)) return problem("key", "expected at most 4096 characters of printable ASCII");
    out.sha256 = sha256(key);
    out.info.last_four = last_four_of(key);
  }
  out.info.name = fmt::format("key-{}", number);
  std::vector<std::string_view> fields;
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string_view field = words[i].substr(0, words[i].find('='));
    if (std::ranges::find(fields, field) != fields.end())
      return problem(printable_ascii(field.substr(0, 40)), "comes more than once");
    fields.push_back(field);
    Result<KeyInfo> info = with_setting(out.info, words[i]);
    if (!info) return tl::make_unexpected(info.error());
    out.info = std::move(*info);
  }
  return out;
}

}  // namespace

Result<std::chrono::sys_days> parse_day(std::string_view text) {
  if (text.size() == 10 && text[4] == '-' && text[7] == '-') {
    const auto year = digits(text.substr(0, 4)), month = digits(text.substr(5, 2)),
               day = digits(text.substr(8, 2));
    if (year && month && day) {
      const std::chrono::year_month_day date(std::chrono::year(*year),
                                             std::chrono::month(static_cast<unsigned>(*month)),
                                             std::chrono::day(static_cast<unsigned>(*day)));
      if (date.ok()) return std::chrono::sys_days(date);
    }
  }
  return problem("", "expected a day like 2027-01-31");
}

Result<int64_t> parse_limit(std::string_view text) {
  int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size() || out < 1 || out > RateBucket::kMaxLimit)
    return problem("", fmt::format("expected a number from 1 to {}", RateBucket::kMaxLimit));
  return out;
}

std::vector<FileKey> read_key_file(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error)
    fail(error == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo,
         "{}: cannot read the key file: {}", file.string(), error.message());
  if (size > kMaxFileBytes)
    fail(ErrorCode::kInvalidFile, "{}: {} bytes; a key file has at most {}", file.string(), size,
         kMaxFileBytes);
  std::ifstream in(file, std::ios::binary);
  std::string text(size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(size));
  if (in.gcount() != static_cast<std::streamsize>(size))
    fail(ErrorCode::kIo, "{}: cannot read the key file", file.string());
  return parse_key_file(text, file.string());
}

std::vector<FileKey> parse_key_file(std::string_view text, const std::string& name) {
  std::vector<FileKey> out;
  std::map<Bytes32, size_t> lines;
  std::map<std::string, size_t> names;
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto words = words_of(line);
    if (words.empty()) continue;
    Result<FileKey> key = parse_line(words, number);
    if (!key) fail(ErrorCode::kInvalidFile, "{}: line {}: {}", name, number, key.error().to_string());
    if (const auto [same, fresh] = lines.emplace(key->sha256, number); !fresh)
      fail(ErrorCode::kInvalidFile, "{}: line {}: the same key as in line {}", name, number, same->second);
    if (const auto [same, fresh] = names.emplace(key->info.name, number); !fresh)
      fail(ErrorCode::kInvalidFile, "{}: line {}: the same name as in line {}", name, number, same->second);
    out.push_back(std::move(*key));
  }
  if (out.empty()) fail(ErrorCode::kInvalidFile, "{}: no keys; expected one a line", name);
  return out;
}

}  // namespace hadal::serve
