#include "apps/cache_options.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/error.h"

namespace hadal::apps {

std::filesystem::path default_cache_folder() {
  const char* const cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::filesystem::path(cache) / "hadal" / "kv";
  const char* const home = std::getenv("HOME");
  if (home == nullptr || *home == 0)
    fail(ErrorCode::kInvalidInput,
         "neither XDG_CACHE_HOME nor HOME says where the cache lies: name a folder");
  return std::filesystem::path(home) / ".cache" / "hadal" / "kv";
}

int64_t parse_byte_size(const std::string& text) {
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  std::string unit(end, text.data() + text.size());
  std::erase(unit, ' ');
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  double scale = 1;
  bool known = unit.empty() || unit == "B";
  constexpr std::string_view kLetters = "KMGT";
  for (size_t i = 0; i < kLetters.size(); ++i) {
    const std::string letter(1, kLetters[i]);
    const auto power = static_cast<double>(i + 1);
    if (unit == letter || unit == letter + "IB") known = true, scale = std::pow(1024, power);
    if (unit == letter + "B") known = true, scale = std::pow(1000, power);
  }
  const double bytes = value * scale;
  constexpr double kMost = 1e18;
  if (error != std::errc() || !known || !(bytes >= 0) || bytes > kMost)
    fail(ErrorCode::kInvalidInput,
         "'{}' is no size: expected a number of bytes, or one with K, M, G or T, like 10G", text);
  return static_cast<int64_t>(bytes);
}

std::string show_bytes(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.1f} kB", value / 1e3);
  return fmt::format("{} B", bytes);
}

std::filesystem::path CacheOptions::path() const {
  return folder == "auto" ? default_cache_folder() : std::filesystem::path(folder);
}

int64_t CacheOptions::max_bytes() const {
  return size.empty() ? kDefaultCacheBytes : parse_byte_size(size);
}

void add_cache_options(CLI::App& command, CacheOptions& options) {
  command
      .add_option("--kv-cache", options.folder,
                  "Keep prefixes in this folder and find them there again; 'auto' is ~/.cache/hadal/kv")
      ->type_name("DIR");
  command
      .add_option(
          "--kv-cache-size", options.size,
          fmt::format("How large the folder may become, like 10G (default {}G)", kDefaultCacheBytes >> 30))
      ->type_name("BYTES");
}

}  // namespace hadal::apps
