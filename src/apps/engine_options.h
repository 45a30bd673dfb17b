// The engine of a command: memory for states, the prefix cache, and where that lies on disk.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "apps/cache_options.h"
#include "assistant/text_model.h"
#include "engine/engine.h"

namespace hadal::apps {

struct EngineOptions {
  std::string memory;  // as given; empty: a quarter of the machine's
  CacheOptions cache;
};
// --memory, --kv-cache and --kv-cache-size.
void add_engine_options(CLI::App& command, EngineOptions& options);

// With a prefix cache in memory, and on disk where the options say so. Throws Error. Model
// and backend must outlive it.
std::unique_ptr<Engine> make_engine(const TextModel& model, Ops& ops, const EngineOptions& options,
                                    EngineConfig config);

}  // namespace hadal::apps
