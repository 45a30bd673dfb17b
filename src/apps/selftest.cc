// `hadal selftest`: every kernel of this machine against the reference.
#include "cpu/selftest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/commands.h"
#include "base/error.h"
#include "cpu/dispatch.h"

namespace hadal::apps {
namespace {

struct Options {
  bool json = false;
  uint64_t seed = 1;
  int threads = 0;
};

void print_json(const std::vector<SelftestResult>& results, int differences) {
  nlohmann::json report;
  report["isas"] = available_isas();
  report["differences"] = differences;
  for (const SelftestResult& result : results) {
    nlohmann::json entry = {{"op", result.op}, {"isa", result.isa}, {"ok", !result.difference}};
    if (result.difference) entry["difference"] = *result.difference;
    report["results"].push_back(std::move(entry));
  }
  fmt::print("{}\n", report.dump(2));
}

void print_table(const std::vector<SelftestResult>& results) {
  const std::vector<std::string> isas = available_isas();
  const size_t ops = results.size() / isas.size();
  fmt::print("{:<16}", "op");
  for (const std::string& isa : isas) fmt::print("{:<12}", isa);
  fmt::print("\n");
  for (size_t op = 0; op < ops; ++op) {
    fmt::print("{:<16}", results[op * isas.size()].op);
    for (size_t i = 0; i < isas.size(); ++i)
      fmt::print("{:<12}", results[op * isas.size() + i].difference ? "DIFFERS" : "ok");
    fmt::print("\n");
  }
  for (const SelftestResult& result : results)
    if (result.difference) fmt::print("{} on {}: {}\n", result.op, result.isa, *result.difference);
}

void run(const Options& options) {
  const std::vector<SelftestResult> results = run_selftest(options.seed, options.threads);
  const auto differences = std::count_if(results.begin(), results.end(),
                                         [](const SelftestResult& r) { return r.difference.has_value(); });
  if (options.json)
    print_json(results, static_cast<int>(differences));
  else
    print_table(results);
  if (differences > 0)
    fail(ErrorCode::kDevice, "{} of {} checks differ from the reference", differences, results.size());
}

}  // namespace

void add_selftest(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("selftest", "Compare every kernel of this machine with the reference.");
  sub->add_flag("--json", options->json, "Print the results as JSON.");
  sub->add_option("--seed", options->seed, "Seed of the random inputs.")->capture_default_str();
  sub->add_option("--threads", options->threads, "Threads (0: all CPUs).")->check(CLI::Range(0, 512));
  sub->callback([options] { run(*options); });
}

}  // namespace hadal::apps
