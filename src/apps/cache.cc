// hadal cache: what lies in the cache folder, whether it is whole, and making it smaller.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/cache_options.h"
#include "apps/commands.h"
#include "base/error.h"
#include "kv/cache_admin.h"

namespace hadal::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string folder, max_bytes;
  bool json = false, remove_bad = false;
};

// A default folder that nobody has used yet is an empty cache; one that somebody names should be there.
std::filesystem::path folder_of(const Options& options, bool& unused) {
  if (!options.folder.empty()) return options.folder;
  std::filesystem::path folder = default_cache_folder();
  std::error_code ignored;
  unused = !std::filesystem::exists(folder, ignored);
  return folder;
}

std::string show_time(int64_t us) {
  const std::time_t seconds = us / 1'000'000;
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return "?";
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

void list(const Options& options) {
  bool unused = false;
  const auto folder = folder_of(options, unused);
  const auto files = unused ? std::vector<IndexedFile>() : list_cache(folder);
  if (options.json) {
    Json out = Json::array();
    for (const IndexedFile& file : files)
      out.push_back({{"file", file.name},
                     {"model", file.identity.fingerprint.hex()},
                     {"numerics", file.identity.numerics},
                     {"prompt_generation", file.identity.prompt_generation},
                     {"first_token", file.first_block * kChainBlockTokens},
                     {"tokens", file.end_tokens()},
                     {"tails", file.tails},
                     {"bytes", file.bytes},
                     {"last_used", static_cast<double>(file.last_used_us) / 1e6}});
    fmt::print("{}\n", out.dump(1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  int64_t bytes = 0;
  if (!files.empty())
    fmt::print("{:<8}  {:<8}  {:<12}  {:>17}  {:>5}  {:>10}  {}\n", "MODEL", "NUMERICS", "PROMPT", "TOKENS",
               "TAILS", "BYTES", "LAST USED");
  for (const IndexedFile& file : files) {
    bytes += file.bytes;
    fmt::print("{:<8}  {:<8}  {:<12}  {:>17}  {:>5}  {:>10}  {}\n",
               file.identity.fingerprint.hex().substr(0, 8), file.identity.numerics,
               file.identity.prompt_generation,
               fmt::format("{}-{}", file.first_block * kChainBlockTokens, file.end_tokens()), file.tails,
               show_bytes(file.bytes), show_time(file.last_used_us));
  }
  fmt::print("{}: {} file{}, {}\n", folder.string(), files.size(), files.size() == 1 ? "" : "s",
             show_bytes(bytes));
}

void verify(const Options& options) {
  bool unused = false;
  const auto folder = folder_of(options, unused);
  const auto files = unused ? std::vector<VerifiedFile>() : verify_cache(folder, options.remove_bad);
  int64_t bytes = 0;
  size_t bad = 0;
  Json problems = Json::array();
  for (const VerifiedFile& file : files) {
    bytes += file.bytes;
    if (file.problem.empty()) continue;
    ++bad;
    if (options.json)
      problems.push_back({{"file", file.name}, {"problem", file.problem}, {"removed", options.remove_bad}});
    else
      fmt::print("{}: {}{}\n", (folder / file.name).string(), file.problem,
                 options.remove_bad ? " (removed)" : "");
  }
  if (options.json)
    fmt::print("{}\n", Json({{"files", files.size()}, {"bytes", bytes}, {"bad", problems}}).dump(1));
  else
    fmt::print("{}: {} file{}, {}, {}\n", folder.string(), files.size(), files.size() == 1 ? "" : "s",
               show_bytes(bytes), bad == 0 ? "every checksum is right" : fmt::format("{} damaged", bad));
  if (bad > 0)
    fail(ErrorCode::kInvalidFile, "{}: {} of {} files are damaged", folder.string(), bad, files.size());
}

void prune(const Options& options) {
  const int64_t most = parse_byte_size(options.max_bytes);
  bool unused = false;
  const auto folder = folder_of(options, unused);
  const PruneResult done = unused ? PruneResult() : prune_cache(folder, most);
  if (options.json)
    fmt::print("{}\n", Json({{"removed_files", done.removed_files},
                             {"removed_bytes", done.removed_bytes},
                             {"files", done.files},
                             {"bytes", done.bytes}})
                           .dump(1));
  else
    fmt::print("{}: removed {} file{}, {}; {} left, {}\n", folder.string(), done.removed_files,
               done.removed_files == 1 ? "" : "s", show_bytes(done.removed_bytes), done.files,
               show_bytes(done.bytes));
}

CLI::App* add_part(CLI::App& parent, const char* name, const char* what,
                   const std::shared_ptr<Options>& options) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("--dir", options->folder, "The cache folder (default: ~/.cache/hadal/kv)")
      ->type_name("DIR");
  command->add_flag("--json", options->json, "Print JSON");
  return command;
}

}  // namespace

void add_cache(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("cache", "List, check or shrink the cache of prefixes on disk");
  command->require_subcommand(1);
  add_part(*command, "ls", "List what is kept, the most recently used first", options)->callback([options] {
    list(*options);
  });
  CLI::App* check = add_part(*command, "verify",
                             "Read every file and check every checksum; status 1 if one is bad", options);
  check->add_flag("--delete", options->remove_bad, "Remove the files that are damaged");
  check->callback([options] { verify(*options); });
  CLI::App* shrink = add_part(*command, "prune", "Remove the least recently used files", options);
  shrink->add_option("--max-bytes", options->max_bytes, "What may be left, like 500M or 10G; 0 removes all")
      ->required()
      ->type_name("BYTES");
  shrink->callback([options] { prune(*options); });
}

}  // namespace hadal::apps
