#include "apps/model_options.h"

#include "base/error.h"
#include "cpu/cpu_ops.h"
#include "ops/reference_ops.h"

namespace hadal::apps {

CLI::Validator not_empty() {
  return CLI::Validator(
      [](std::string& text) {
        return text.empty() ? std::string("an empty name; a file or folder is expected") : std::string();
      },
      "");
}

void add_backend_options(CLI::App& command, ModelOptions& options) {
  command.add_option("--threads", options.threads, "threads to compute with; 0 takes every core")
      ->check(CLI::Range(0, 512));
  command.add_option(
      "--isa", options.isa,
      "instruction set: generic, avx2, avx512, avx512bf16, or reference for the slow scalar oracle "
      "(default: the best this machine has; results are the same bits)");
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  command.add_option("MODEL", options.model, "checkpoint folder in the released format")
      ->required()
      ->check(not_empty());
  command
      .add_option("--numerics", options.numerics,
                  "release: the published rounding points; fp32: no rounding between operators")
      ->check(CLI::IsMember({"release", "fp32"}))
      ->capture_default_str();
  add_backend_options(command, options);
}

std::unique_ptr<Ops> make_backend(const ModelOptions& options) {
  if (options.isa == "reference") return std::make_unique<ReferenceOps>();
  return std::make_unique<CpuOps>(CpuOptions{options.threads, options.isa});
}

OpenModel open_model(const ModelOptions& options) {
  OpenModel opened;
  opened.ops = make_backend(options);
  opened.model = Model::open(options.model, *numerics_from_name(options.numerics));
  return opened;
}

}  // namespace hadal::apps
