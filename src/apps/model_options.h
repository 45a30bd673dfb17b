// The options that every command with a model has, and opening what they name.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "model/model.h"
#include "ops/ops.h"

namespace hadal::apps {

struct ModelOptions {
  std::string model;  // checkpoint folder
  std::string numerics = "release";
  std::string isa;  // empty: the best this machine has
  int threads = 0;  // 0: every core
};

// For options that name a file or a folder: an empty one is a script's unset variable, not the current
// folder.
CLI::Validator not_empty();

// Declares MODEL, --numerics, --isa and --threads.
void add_model_options(CLI::App& command, ModelOptions& options);
// Only --isa and --threads.
void add_backend_options(CLI::App& command, ModelOptions& options);

// The backend by name: an ISA of the CPU, or "reference" for the scalar oracle. Throws Error{kInvalidInput}.
std::unique_ptr<Ops> make_backend(const ModelOptions& options);

// A model and the backend it runs on.
struct OpenModel {
  std::shared_ptr<const Model> model;
  std::unique_ptr<Ops> ops;
};
OpenModel open_model(const ModelOptions& options);

}  // namespace hadal::apps
