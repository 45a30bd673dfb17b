// hadal bench: measurements of a model on this machine.
#include <memory>

#include "apps/bench_context.h"
#include "apps/commands.h"

namespace hadal::apps {

void add_bench(CLI::App& app) {
  CLI::App& bench = *app.add_subcommand("bench", "measure a model on this machine");
  bench.require_subcommand(1);

  auto context = std::make_shared<ContextBenchOptions>();
  CLI::App& command = *bench.add_subcommand(
      "context", "fill a context with random tokens and say what a step costs there, by op");
  add_model_options(command, *context);
  command.add_option("--tokens", context->tokens, "length of the context")
      ->required()
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  command.add_option("--decode", context->decode, "tokens to generate after it, one by one")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40))
      ->capture_default_str();
  command.add_option("--chunk", context->chunk, "tokens in one forward pass while filling")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  command.add_option("--seed", context->seed, "of the tokens and of sampling");
  command.add_flag("--json", context->json, "print one JSON object");
  command.callback([context] {
    const ContextBenchResult result = run_context_bench(*context);
    context->json ? print_context_json(*context, result) : print_context_text(result);
  });
}

}  // namespace hadal::apps
