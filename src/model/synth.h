// Random checkpoints in the released format: real shapes and encodings, seeded values of a plausible size.
// For measuring and for tests of sizes no small model has; what they say is noise.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "model/config.h"

namespace hadal {

struct SynthPreset {
  const char* name;
  const char* what;
};
const std::vector<SynthPreset>& synth_presets();

// The text of config.json for a preset with its first `layers` layers and `experts` routed experts; 0: as
// many as the preset has. Throws Error{kInvalidInput}.
std::string synth_config(const std::string& preset, int layers = 0, int experts = 0);

struct SynthOptions {
  uint64_t seed = 0;
  int64_t shard_bytes = int64_t{4} << 30;  // more than this goes to several files and an index
  // Called now and then with the bytes written; may throw to stop.
  std::function<void(int64_t done, int64_t total)> progress;
};

// Writes config.json and the tensors of inventory(config) into an existing folder, a megabyte at a time. The
// same config and seed give the same bytes. Throws Error{kIo} and what progress throws; files that are not
// complete are then not there.
void write_synth(const std::filesystem::path& folder, const std::string& config_json,
                 const SynthOptions& options);

}  // namespace hadal
