// hadal bench: measurements of a model on this machine.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "apps/bench_context.h"
#include "apps/bench_grammar.h"
#include "apps/bench_model.h"
#include "apps/commands.h"
#include "base/atomic_file.h"

namespace hadal::apps {
namespace {

std::string json(const Spread& spread) {
  return fmt::format(R"({{"p50": {:.1f}, "p90": {:.1f}, "p99": {:.1f}, "avg": {:.1f}, "max": {:.1f}}})",
                     spread.p50, spread.p90, spread.p99, spread.average, spread.max);
}

void print_json(const GrammarBenchResult& result) {
  fmt::print(
      R"({{"schemas": {}, "passing": {}, "compile_error": {}, "validation_error": {}, "invalidation_error": {}, )"
      R"("tokens": {}, "ttfm_us": {}, "mask_us": {}, "bytes": {}}})"
      "\n",
      result.schemas, result.passing, result.compile_error, result.validation_error,
      result.invalidation_error, result.tokens, json(result.ttfm_us), json(result.mask_us),
      json(result.bytes));
}

void print_text(const GrammarBenchResult& result) {
  fmt::print(
      "{} schemas: {} pass, {} refused, {} with a valid text not accepted, {} with an invalid text "
      "accepted\n",
      result.schemas, result.passing, result.compile_error, result.validation_error,
      result.invalidation_error);
  const auto line = [](std::string_view what, const Spread& s) {
    fmt::print("{:<28}{:>12.1f}{:>12.1f}{:>12.1f}{:>12.1f}{:>12.1f}\n", what, s.p50, s.p90, s.p99, s.average,
               s.max);
  };
  fmt::print("{:<28}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "", "p50", "p90", "p99", "average", "max");
  line("compile and first mask, us", result.ttfm_us);
  line("mask, us", result.mask_us);
  line("compiled schema, bytes", result.bytes);
  fmt::print("{} tokens\n", result.tokens);
}

void add_grammar(CLI::App& bench) {
  auto options = std::make_shared<GrammarBenchOptions>();
  CLI::App& command = *bench.add_subcommand(
      "grammar", "compile JSON schemas, mask every token of texts, check what is accepted");
  command.add_option("--tokenizer", options->tokenizer, "tokenizer.json, .json.gz or a folder with one")
      ->required();
  command
      .add_option("--in", options->in,
                  "JSON lines, also .xz: {\"name\", \"schema\", \"tests\": [{\"valid\", \"text\"}]}")
      ->required();
  command.add_option(
      "--verdicts", options->verdicts,
      "write a line for each schema to this file: its name, slowest mask in microseconds, verdict");
  command.add_option("--limit", options->limit, "schemas at most; 0: all")->check(CLI::NonNegativeNumber);
  command.add_flag("--json", options->json, "print one JSON object");
  command.callback([options] {
    const GrammarBenchResult result = run_grammar_bench(*options);
    options->json ? print_json(result) : print_text(result);
  });
}

void add_context(CLI::App& bench) {
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

void add_model(CLI::App& bench) {
  auto options = std::make_shared<ModelBenchOptions>();
  add_model_options(bench, *options);
  bench.get_option("MODEL")->required(false);
  const auto numbers = [&](const char* name, std::vector<int64_t>& into, int64_t least, const char* what) {
    bench.add_option(name, into, what)
        ->delimiter(',')
        ->check(CLI::Range(least, int64_t{1} << 40))
        ->capture_default_str();
  };
  numbers("--prefill", options->prefill, 1, "lengths of prompts, separated by commas");
  numbers("--contexts", options->contexts, 0, "contexts at which one sequence decodes");
  numbers("--batches", options->batches, 1, "numbers of sequences that decode together");
  bench.add_option("--chunk", options->chunk, "tokens in one forward pass of a prompt")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  bench.add_option("--runs", options->runs, "how often everything is measured")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  bench.add_option("--seed", options->seed, "of the tokens and of sampling");
  bench.add_option("--plot", options->plot, "draw the shares into this file, SVG")->check(not_empty());
  bench.add_flag("--json", options->json, "print one JSON object");
  bench.callback([options, &bench] {
    if (!bench.get_subcommands().empty()) return;
    if (options->model.empty()) throw CLI::RequiredError("MODEL, grammar or context");
    std::optional<AtomicFile> picture;  // now: not after minutes is it known that it cannot be written
    if (!options->plot.empty()) picture.emplace(options->plot);
    const ModelBenchResult result = run_model_bench(*options);
    options->json ? print_model_json(result) : print_model_text(result);
    if (!picture) return;
    const std::string svg = plot_model_bench(*options, result);
    picture->append(std::as_bytes(std::span(svg)));
    picture->commit();
  });
}

}  // namespace

void add_bench(CLI::App& app) {
  CLI::App& bench = *app.add_subcommand("bench", "measure a model on this machine");
  bench.require_subcommand(0, 1);
  add_model(bench);
  add_grammar(bench);
  add_context(bench);
}

}  // namespace hadal::apps
