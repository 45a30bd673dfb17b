// Where the cache of prefixes lies and how large it may be: the default folder, sizes as people write them,
// and the options of every command that uses the cache.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

namespace hadal::apps {

// $XDG_CACHE_HOME/hadal/kv, or ~/.cache/hadal/kv. Throws Error{kInvalidInput} when neither variable is set.
std::filesystem::path default_cache_folder();

// "1000000", "512K", "1.5GiB", "10 GB": K, M, G and T are powers of 1024, KB, MB, GB and TB of 1000. Throws
// Error{kInvalidInput} naming the text.
int64_t parse_byte_size(const std::string& text);

// "1.50 GB".
std::string show_bytes(int64_t bytes);

inline constexpr int64_t kDefaultCacheBytes = int64_t{20} << 30;

struct CacheOptions {
  std::string folder;  // as given; empty: no cache on disk
  std::string size;

  bool on() const { return !folder.empty(); }
  std::filesystem::path path() const;  // "auto" is the default folder
  int64_t max_bytes() const;           // kDefaultCacheBytes without a size
};
// --kv-cache DIR and --kv-cache-size BYTES.
void add_cache_options(CLI::App& command, CacheOptions& options);

}  // namespace hadal::apps
