#include "apps/engine_options.h"

#include <unistd.h>

#include <utility>

#include "kv/fingerprint.h"

namespace hadal::apps {
namespace {

// The weights want the rest.
int64_t quarter_of_the_machine() {
  return static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) / 4 * static_cast<int64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void add_engine_options(CLI::App& command, EngineOptions& options) {
  command.add_option("--memory", options.memory,
                     "for states and cached prefixes, such as 8GiB (default: a quarter of the machine's)");
  add_cache_options(command, options.cache);
}

std::unique_ptr<Engine> make_engine(const TextModel& model, Ops& ops, const EngineOptions& options,
                                    EngineConfig config) {
  const StateLayout& layout = model.model()->state_layout();
  const KvPool pool(ops, options.memory.empty() ? quarter_of_the_machine() : parse_byte_size(options.memory));
  std::unique_ptr<PrefixCache> cache;
  if (layout.block_bytes > 0) {  // a model that keeps a window only has nothing worth keeping
    PrefixCacheOptions prefixes;
    prefixes.identity.numerics = numerics_name(model.model()->numerics());
    prefixes.identity.prompt_generation = generation_name(model.style().generation());
    prefixes.identity.block_bytes = layout.block_bytes;
    if (options.cache.on()) {
      prefixes.identity.fingerprint = fingerprint(*model.model()->weights().source);
      DiskStoreOptions disk;
      disk.folder = options.cache.path();
      disk.max_bytes = options.cache.max_bytes();
      prefixes.disk = DiskStore::open(disk, prefixes.identity);
    }
    cache = std::make_unique<PrefixCache>(layout, pool, std::move(prefixes));
  }
  return std::make_unique<Engine>(model.model(), ops, pool, std::move(config), std::move(cache));
}

}  // namespace hadal::apps
