// hadal keys: the keys of a server's ledger and what they have used.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/commands.h"
#include "base/error.h"
#include "serve/accounts/key_file.h"
#include "serve/accounts/ledger.h"
#include "serve/log_text.h"

namespace hadal::apps {
namespace {

using Json = nlohmann::ordered_json;
using namespace hadal::serve;

struct Options {
  std::string ledger, key, since;
  std::optional<std::string> role, rpm, tpm, concurrent, expires, balance, currency;
  bool json = false;
};

WallTime now() {
  return Clocks::system().wall();
}

// What --option says, or an error that names the option.
template <class T>
T value_of(const char* option, const Result<T>& value) {
  if (!value) fail(ErrorCode::kInvalidInput, "{}: {}", option, value.error().what);
  return *value;
}

// An option that is not given leaves the place alone, "none" empties it.
template <class T, class Read>
void set(std::optional<T>& place, const char* option, const std::optional<std::string>& text, Read&& read) {
  if (!text) return;
  if (*text == "none")
    place.reset();
  else
    place = value_of(option, read(*text));
}

Result<WallTime> read_expiry(const std::string& text) {
  constexpr int64_t kMostDays = 36500;
  if (const auto day = parse_day(text)) return WallTime(*day);
  if (const auto days = parse_limit(text); days && *days <= kMostDays)
    return now() + std::chrono::days(*days);
  return problem(
      "", fmt::format("expected a number of days from 1 to {}, a day like 2027-01-31, or none", kMostDays));
}

Money spent_of(Ledger& ledger, int64_t id, const std::string& currency) {
  const auto spent = ledger.spent(currency);
  const auto found = spent.find(id);
  return found == spent.end() ? Money{} : found->second;
}

// `ledger`: where the key is; none for a new key, which has spent nothing.
void apply(const Options& options, KeyInfo& info, Ledger* ledger) {
  if (options.role) {
    const auto role = parse_role(*options.role);
    if (!role) fail(ErrorCode::kInvalidInput, "--role: expected user or admin");
    info.role = *role;
  }
  const auto limit = [](const std::string& text) { return parse_limit(text); };
  set(info.limits.requests_per_minute, "--rpm", options.rpm, limit);
  set(info.limits.tokens_per_minute, "--tpm", options.tpm, limit);
  set(info.limits.concurrent, "--concurrent", options.concurrent, limit);
  set(info.expires, "--expires", options.expires, read_expiry);
  const std::string currency = options.currency.value_or(info.credit ? info.credit->currency : "USD");
  if (!is_currency(currency))
    fail(ErrorCode::kInvalidInput, "--currency: expected three capital letters like USD");
  if (options.currency && !options.balance) fail(ErrorCode::kInvalidInput, "--currency: needs --balance");
  set(info.credit, "--balance", options.balance, [&](const std::string& text) -> Result<Credit> {
    const auto amount = parse_money(text);
    if (!amount) return tl::make_unexpected(amount.error());
    if (*amount < Money{}) return problem("", "expected no less than 0");
    // The balance is what is left of the credit.
    return Credit{*amount + (ledger != nullptr ? spent_of(*ledger, info.id, currency) : Money{}), currency};
  });
}

// By id, or by the name of one that is not revoked.
KeyInfo find_key(Ledger& ledger, const Options& options) {
  for (const StoredKey& key : ledger.keys())
    if (options.key == std::to_string(key.info.id) || (options.key == key.info.name && !key.info.revoked))
      return key.info;
  fail(ErrorCode::kNotFound, "{}: no key with the id or name '{}'", options.ledger, options.key);
}

void add(const Options& options) {
  KeyInfo info;
  info.name = value_of("NAME", check_key_name(options.key));
  apply(options, info, nullptr);
  Ledger ledger(options.ledger, Ledger::Access::kCreate);
  const NewKey made = ledger.add_key(info, now());
  fmt::print("{}\n", made.key);
  std::fflush(stdout);
  fmt::print(stderr, "Key {} '{}' is in {}. It is shown this once: only its hash is kept.\n", made.info.id,
             made.info.name, options.ledger);
}

void change(const Options& options) {
  Ledger ledger(options.ledger, Ledger::Access::kWrite);
  KeyInfo info = find_key(ledger, options);
  apply(options, info, &ledger);
  ledger.change_key(info);
}

void revoke(const Options& options) {
  Ledger ledger(options.ledger, Ledger::Access::kWrite);
  const KeyInfo info = find_key(ledger, options);
  if (info.revoked) fail(ErrorCode::kInvalidInput, "{}: key {} is revoked already", options.ledger, info.id);
  ledger.revoke_key(info.id, now());
}

std::string show_day(WallTime time) {
  return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

// As it is, or quoted when it could disturb a terminal.
std::string shown(std::string_view text) {
  std::string quoted;
  append_quoted(quoted, text);
  return quoted.size() == text.size() + 2 ? std::string(text) : quoted;
}

std::string show_limit(const std::optional<int64_t>& limit) {
  return limit ? std::to_string(*limit) : "-";
}

// Columns as wide as their widest cell; the first `left` ones start at the left, numbers end at the right.
void print_table(const std::vector<std::vector<std::string>>& rows, const std::string& sides) {
  std::vector<size_t> widths(sides.size());
  const auto characters = [](const std::string& text) {
    return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
  };
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], characters(row[i]));
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - characters(row[i]), ' ');
      line += sides[i] == '<' ? row[i] + space : space + row[i];
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    fmt::print("{}\n", line);
  }
}

const char* state_of(const KeyInfo& info) {
  return info.revoked ? "revoked" : info.expires && *info.expires <= now() ? "expired" : "active";
}

void list(const Options& options) {
  Ledger ledger(options.ledger, Ledger::Access::kRead);
  std::map<std::string, std::map<int64_t, Money>> spent;  // by currency
  Json out = Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "KEY", "ROLE", "RPM", "TPM", "CONCURRENT", "BALANCE", "CREATED", "EXPIRES", "STATE"}};
  for (const StoredKey& key : ledger.keys()) {
    const KeyInfo& info = key.info;
    std::optional<std::string> balance;
    if (info.credit) {
      const std::string& currency = info.credit->currency;
      if (!spent.contains(currency)) spent[currency] = ledger.spent(currency);
      balance = format_money(info.credit->amount - spent[currency][info.id]);
    }
    const auto number = [](const std::optional<int64_t>& value) { return value ? Json(*value) : Json(); };
    const auto day = [](const std::optional<WallTime>& value) {
      return value ? Json(show_day(*value)) : Json();
    };
    out.push_back({{"id", info.id},
                   {"name", info.name},
                   {"last_four", info.last_four},
                   {"role", role_name(info.role)},
                   {"rpm", number(info.limits.requests_per_minute)},
                   {"tpm", number(info.limits.tokens_per_minute)},
                   {"concurrent", number(info.limits.concurrent)},
                   {"balance", balance ? Json(*balance) : Json()},
                   {"currency", info.credit ? Json(info.credit->currency) : Json()},
                   {"created", show_day(info.created)},
                   {"expires", day(info.expires)},
                   {"revoked", day(info.revoked)},
                   {"state", state_of(info)}});
    rows.push_back({std::to_string(info.id), shown(info.name), "****" + info.last_four,
                    std::string(role_name(info.role)), show_limit(info.limits.requests_per_minute),
                    show_limit(info.limits.tokens_per_minute), show_limit(info.limits.concurrent),
                    balance ? *balance + " " + info.credit->currency : "-", show_day(info.created),
                    info.expires ? show_day(*info.expires) : "-", state_of(info)});
  }
  if (options.json)
    fmt::print("{}\n", out.dump(1));
  else
    print_table(rows, "><<<>>>><<<");
}

void usage(const Options& options) {
  UsageQuery query;
  if (!options.since.empty()) query.since = value_of("--since", parse_day(options.since));
  if (!options.key.empty()) query.key = options.key;
  Ledger ledger(options.ledger, Ledger::Access::kRead);
  Json out = Json::array();
  std::vector<std::vector<std::string>> rows = {{"DAY", "KEY", "MODEL", "REQUESTS", "ERRORS", "CACHE HIT",
                                                 "CACHE MISS", "COMPLETION", "REASONING", "COST"}};
  const auto cells = [&](std::string day, std::string key, std::string model, const UsageTotals& t,
                         const std::string& currency) {
    rows.push_back({std::move(day), std::move(key), std::move(model), std::to_string(t.requests),
                    std::to_string(t.errors), std::to_string(t.cache_hit_tokens),
                    std::to_string(t.cache_miss_tokens), std::to_string(t.completion_tokens),
                    std::to_string(t.reasoning_tokens),
                    currency.empty() ? "-" : format_money(t.cost) + " " + currency});
  };
  std::map<std::string, UsageTotals> sums;  // by currency
  for (const UsageRow& row : ledger.usage(query)) {
    const UsageTotals& t = row.totals;
    out.push_back({{"day", show_day(row.day)},
                   {"key_id", row.key_id},
                   {"key", row.key},
                   {"model", row.model},
                   {"requests", t.requests},
                   {"errors", t.errors},
                   {"prompt_cache_hit_tokens", t.cache_hit_tokens},
                   {"prompt_cache_miss_tokens", t.cache_miss_tokens},
                   {"completion_tokens", t.completion_tokens},
                   {"reasoning_tokens", t.reasoning_tokens},
                   {"cost", format_money(t.cost)},
                   {"currency", row.currency.empty() ? Json() : Json(row.currency)}});
    cells(show_day(row.day), shown(row.key), shown(row.model), t, shown(row.currency));
    sums[row.currency].add(t);
  }
  if (options.json) {
    fmt::print("{}\n", out.dump(1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  for (const auto& [currency, totals] : sums) cells("total", "", "", totals, shown(currency));
  print_table(rows, "<<<>>>>>>>");
}

CLI::App* add_part(CLI::App& parent, const char* name, const char* what,
                   const std::shared_ptr<Options>& options) {
  CLI::App* command = parent.add_subcommand(name, what);
  command->add_option("--ledger", options->ledger, "The ledger, as given to hadal serve")
      ->required()
      ->type_name("FILE");
  return command;
}

void add_settings(CLI::App& command, Options& options) {
  command
      .add_option("--role", options.role, "user (default): inference; admin: metrics and others' usage too")
      ->type_name("ROLE");
  command.add_option("--rpm", options.rpm, "Requests per minute, or none")->type_name("N");
  command.add_option("--tpm", options.tpm, "Tokens per minute, input and output, or none")->type_name("N");
  command.add_option("--concurrent", options.concurrent, "Requests at a time, or none")->type_name("N");
  command.add_option("--expires", options.expires, "In so many days, on a day (2027-01-31, UTC), or none")
      ->type_name("DAYS");
  command.add_option("--balance", options.balance, "What may be spent from now on, or none for no limit")
      ->type_name("AMOUNT");
  command
      .add_option("--currency", options.currency,
                  "Of the balance; that of the server's prices (default: USD)")
      ->type_name("CODE");
}

}  // namespace

void add_keys(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("keys", "Make, list and revoke the API keys of a server; show their usage");
  command->require_subcommand(1);
  CLI::App* make = add_part(*command, "add",
                            "Make a key and print it, this once; makes the ledger if there is none", options);
  make->add_option("name", options->key, "Whose key it is")->required()->type_name("NAME");
  add_settings(*make, *options);
  make->callback([options] { add(*options); });
  CLI::App* show = add_part(*command, "ls", "List the keys", options);
  show->add_flag("--json", options->json, "Print JSON");
  show->callback([options] { list(*options); });
  CLI::App* edit = add_part(*command, "set", "Change the limits, role, expiry or balance of a key", options);
  edit->add_option("key", options->key, "Its id or name")->required()->type_name("ID|NAME");
  add_settings(*edit, *options);
  edit->callback([options] { change(*options); });
  CLI::App* end = add_part(*command, "revoke", "End a key: the next request with it is refused", options);
  end->add_option("key", options->key, "Its id or name")->required()->type_name("ID|NAME");
  end->callback([options] { revoke(*options); });
  CLI::App* used = add_part(*command, "usage", "Requests, tokens and cost by day, key and model", options);
  used->add_flag("--json", options->json, "Print JSON");
  used->add_option("--since", options->since, "From this UTC day on")->type_name("YYYY-MM-DD");
  used->add_option("--key", options->key, "Of the keys with this name")->type_name("NAME");
  used->callback([options] { usage(*options); });
}

}  // namespace hadal::apps
