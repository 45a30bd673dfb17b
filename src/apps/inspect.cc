// hadal inspect: what a checkpoint is, how large, and what it needs.
#include "model/inspect.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "apps/commands.h"
#include "checkpoint/safetensors.h"

namespace hadal::apps {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string model;
  bool json = false, tensors = false, verify = false;
};

std::string human_bytes(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 10'000'000'000) return fmt::format("{:.1f} GB", value / 1e9);
  if (bytes >= 1'000'000'000) return fmt::format("{:.2f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  if (bytes >= 1'000) return fmt::format("{:.1f} kB", value / 1e3);
  return fmt::format("{} B", bytes);
}

std::string human_count(int64_t count) {
  const auto value = static_cast<double>(count);
  if (count >= 1'000'000'000) return fmt::format("{:.2f} B", value / 1e9);
  if (count >= 1'000'000) return fmt::format("{:.2f} M", value / 1e6);
  return fmt::format("{}", count);
}

std::string layer_kinds(const Config& config) {
  std::map<int, int> kinds;
  for (int i = 0; i < config.num_hidden_layers; ++i) ++kinds[config.ratio(i)];
  std::string out;
  for (const auto& [ratio, count] : kinds)
    out += fmt::format("{}{} x ratio {}", out.empty() ? "" : ", ", count, ratio);
  return out;
}

void print_text(const Options& options, const Config& config, const Inspection& facts) {
  fmt::print("{}: {} ({})\n", options.model, facts.shape, config.architecture);
  fmt::print("  layers      {} ({}), {} hash routed{}\n", config.num_hidden_layers, layer_kinds(config),
             config.num_hash_layers, facts.mtp ? ", draft block" : "");
  fmt::print("  sizes       hidden {}, {} heads of {}, vocabulary {}\n", config.hidden_size,
             config.num_attention_heads, config.head_dim, config.vocab_size);
  fmt::print("  experts     {} routed, {} a token, of {}; {} shared\n", config.n_routed_experts,
             config.num_experts_per_tok, config.moe_intermediate_size, config.n_shared_experts);
  fmt::print("  stored as   {} experts, {} dense linears\n", facts.experts, facts.dense);
  fmt::print(
      "  files       {}, {} tensors, {}{}\n", facts.shards, facts.stored_tensors,
      human_bytes(facts.stored_bytes),
      facts.unused_tensors == 0 ? "" : fmt::format(" ({} tensors are not used)", facts.unused_tensors));
  for (const DTypeCount& count : facts.by_dtype)
    fmt::print("    {:<8}  {:>7} tensors  {:>10}\n", dtype_name(count.dtype), count.tensors,
               human_bytes(count.bytes));
  fmt::print("  parameters  {} ({}), {} active a token, {} of them in the embedding{}\n",
             facts.size.parameters, human_count(facts.size.parameters),
             human_count(facts.size.active_parameters + facts.size.embedding_parameters),
             human_count(facts.size.embedding_parameters),
             facts.mtp ? fmt::format("; {} in the draft block", human_count(facts.size.mtp_parameters)) : "");
  fmt::print("  a token     reads {} of weights\n", human_bytes(facts.size.bytes_per_token));
  for (const ContextBytes& context : facts.contexts)
    fmt::print("  {:>7} tokens of context take {}\n", context.tokens, human_bytes(context.bytes.total()));

  const MemoryFit& fit = facts.fit;
  fmt::print("  this machine ({} of memory, {} of it kept free): ", human_bytes(fit.memory),
             human_bytes(fit.reserved));
  if (fit.whole)
    fmt::print("all weights fit, and {} tokens of context\n", fit.longest_context);
  else if (fit.without_experts)
    fmt::print(
        "the weights ({}) do not fit; without the routed experts ({}) they do, with {} tokens of context, "
        "and experts "
        "come from disk\n",
        human_bytes(facts.size.bytes), human_bytes(fit.always_read), fit.longest_context);
  else
    fmt::print("the weights ({}) do not fit, nor do the {} that every token needs\n",
               human_bytes(facts.size.bytes), human_bytes(fit.always_read));
}

Json to_json(const Options& options, const Config& config, const Inspection& facts) {
  Json out = {{"model", options.model},
              {"name", facts.shape},
              {"architecture", config.architecture},
              {"layers", config.num_hidden_layers},
              {"compress_ratios", config.compress_ratios},
              {"hash_layers", config.num_hash_layers},
              {"draft_block", facts.mtp},
              {"experts", facts.experts},
              {"dense", facts.dense},
              {"files", facts.shards},
              {"tensors", facts.stored_tensors},
              {"unused_tensors", facts.unused_tensors},
              {"bytes", facts.stored_bytes},
              {"dtypes", Json::object()},
              {"parameters", facts.size.parameters},
              {"draft_parameters", facts.size.mtp_parameters},
              {"active_parameters", facts.size.active_parameters + facts.size.embedding_parameters},
              {"embedding_parameters", facts.size.embedding_parameters},
              {"bytes_per_token", facts.size.bytes_per_token},
              {"context_bytes", Json::object()},
              {"machine",
               {{"memory", facts.fit.memory},
                {"reserved", facts.fit.reserved},
                {"weights", facts.size.bytes},
                {"weights_fit", facts.fit.whole},
                {"weights_every_token", facts.fit.always_read},
                {"weights_every_token_fit", facts.fit.without_experts},
                {"longest_context", facts.fit.longest_context}}}};
  for (const DTypeCount& count : facts.by_dtype)
    out["dtypes"][std::string(dtype_name(count.dtype))] = {{"tensors", count.tensors},
                                                           {"bytes", count.bytes}};
  for (const ContextBytes& context : facts.contexts)
    out["context_bytes"][std::to_string(context.tokens)] = context.bytes.total();
  return out;
}

void run(const Options& options) {
  const std::filesystem::path folder = options.model;
  const Config config = Config::load(folder);
  const auto checkpoint = Checkpoint::open(folder);
  const Weights weights = Weights::bind(checkpoint, config);
  if (options.verify) validate_values(weights, config);
  const Inspection facts = inspect(config, weights, machine_memory());
  if (options.json) {
    Json out = to_json(options, config, facts);
    if (options.verify) out["verified"] = true;
    if (options.tensors)
      for (const auto& [name, info] : checkpoint->tensors())
        out["tensor_list"].push_back({{"name", name},
                                      {"stored_name", info.name},
                                      {"file", info.file},
                                      {"dtype", dtype_name(info.dtype)},
                                      {"shape", info.shape},
                                      {"bytes", info.bytes.size()}});
    fmt::print("{}\n", out.dump(1));
    return;
  }
  print_text(options, config, facts);
  if (options.verify) fmt::print("  verified    every scale and routing table\n");
  if (options.tensors)
    for (const auto& [name, info] : checkpoint->tensors())
      fmt::print("{:<8} {:<16} {:>12}  {}  {}\n", dtype_name(info.dtype), shape_text(info.shape),
                 info.bytes.size(), info.file, printable_name(name));
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("inspect", "Say what a checkpoint is, how large, and what it needs");
  command->add_option("model", options->model, "A model folder in the released format")
      ->required()
      ->type_name("MODEL");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->add_flag("--tensors", options->tensors, "List every tensor");
  command->add_flag(
      "--verify", options->verify,
      "Read every scale and routing table and check its values (headers alone are read otherwise)");
  command->callback([options] { run(*options); });
}

}  // namespace hadal::apps
