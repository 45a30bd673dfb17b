// What the fields of a configuration must have to do with each other. Internal to src/model's .cc files.
#pragma once

#include "model/config.h"
#include "model/json_fields.h"

namespace hadal {

// Throws Error: kInvalidFile for a contradiction, kUnsupported for a setting that no released model has and
// this program does not run. fields name the file and show what was found.
void check_config(const Config& config, const JsonFields& fields);

}  // namespace hadal
