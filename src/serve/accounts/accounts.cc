#include "serve/accounts/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <tuple>
#include <unordered_map>

#include "base/error.h"
#include "base/log.h"
#include "serve/accounts/api_key.h"
#include "serve/accounts/key_file.h"
#include "serve/accounts/key_state.h"
#include "serve/accounts/ledger.h"
#include "serve/accounts/ledger_writer.h"

namespace hadal::serve {
namespace {

constexpr int kReadPatienceMs = 250;  // readers wait for nobody but a ledger that is being repaired

uint64_t first_bytes(const Bytes32& hash) {
  uint64_t out = 0;
  std::memcpy(&out, hash.data(), sizeof out);
  return out;
}

// Keys by their hash.
//
// The table is searched with HMAC(salt, SHA-256(key)), whose salt no client knows. How long a search takes
// may depend on how much of that hash agrees with a stored one, but nobody can choose keys by their hash, so
// the time tells nothing about the keys. The comparison that decides is of constant time all the same.
class KeyTable {
 public:
  bool add(const Bytes32& hash, std::shared_ptr<KeyState> state) {
    if (find(hash) != nullptr) return false;
    keys_.emplace(first_bytes(hash), Entry{hash, std::move(state)});
    return true;
  }

  std::shared_ptr<KeyState> find(const Bytes32& hash) const {
    const auto [begin, end] = keys_.equal_range(first_bytes(hash));
    for (auto it = begin; it != end; ++it)
      if (same_bytes(it->second.hash, hash)) return it->second.state;
    return nullptr;
  }

  // Each key once, in no particular order.
  template <class Body>
  void for_each(Body&& body) const {
    for (const auto& [bytes, entry] : keys_) body(*entry.state);
  }

 private:
  struct Entry {
    Bytes32 hash;
    std::shared_ptr<KeyState> state;
  };
  std::unordered_multimap<uint64_t, Entry> keys_;
};

}  // namespace

struct Accounts::State {
  explicit State(AccountsOptions its_options) : options(std::move(its_options)) {}

  AccountsOptions options;
  bool needs_key = false;
  KeyHasher hasher{Bytes32{}};
  std::shared_ptr<KeyState> anonymous;

  mutable std::shared_mutex table_mutex;
  KeyTable table;

  std::mutex ledger_mutex;  // of the reader
  std::unique_ptr<Ledger> reader;
  int64_t seen_changes = -1;
  bool reading_fails = false;
  std::map<int64_t, std::shared_ptr<KeyState>> stored;  // keys of the ledger by id

  std::unique_ptr<LedgerWriter> writer;

  std::mutex usage_mutex;
  std::map<std::tuple<std::chrono::sys_days, std::string, std::string>, UsageTotals>
      usage;  // day, key, model

  const std::string& currency() const { return options.prices.currency(); }

  bool foreign(const KeyInfo& info) const {
    return info.credit && !options.prices.empty() && info.credit->currency != currency();
  }

  void add_key(const Bytes32& sha256, KeyInfo info) {
    table.add(hasher.of_sha256(sha256), std::make_shared<KeyState>(std::move(info), Money{}));
  }

  void open_ledger();
  void load_keys(bool first);
  void refresh();
  Balance balance_of(KeyState& key) const;  // under the key's mutex
};

void Accounts::State::open_ledger() {
  const auto& file = *options.ledger;
  writer = std::make_unique<LedgerWriter>(std::make_unique<Ledger>(file, Ledger::Access::kWrite));
  reader = std::make_unique<Ledger>(file, Ledger::Access::kRead, kReadPatienceMs);
  hasher = reader->hasher();
}

// Under ledger_mutex. A key that is known keeps what it uses at the moment.
void Accounts::State::load_keys(bool first) {
  const int64_t changes = reader->key_changes();
  const std::vector<StoredKey> keys = reader->keys();
  std::map<std::string, std::map<int64_t, Money>> spent;  // by currency
  const auto spent_of = [&](const KeyInfo& info) {
    const std::string& its = info.credit ? info.credit->currency : currency();
    const auto sums = spent.contains(its) ? spent.find(its) : spent.emplace(its, reader->spent(its)).first;
    const auto found = sums->second.find(info.id);
    return found == sums->second.end() ? Money{} : found->second;
  };
  std::vector<Money> sums;
  for (const StoredKey& key : keys) sums.push_back(spent_of(key.info));
  for (const StoredKey& key : keys) {
    if (!foreign(key.info) || key.info.revoked) continue;
    const std::string text =
        fmt::format("{}: key '{}' has a balance in {}, but the prices are in {}", options.ledger->string(),
                    key.info.name, key.info.credit->currency, currency());
    if (first) fail(ErrorCode::kInvalidInput, "{}", text);
    log_error("{}; it is refused", text);
  }
  const std::unique_lock lock(table_mutex);
  for (size_t i = 0; i < keys.size(); ++i) {
    const StoredKey& key = keys[i];
    std::shared_ptr<KeyState>& state = stored[key.info.id];
    if (state == nullptr) {
      state = std::make_shared<KeyState>(key.info, sums[i]);
      table.add(key.hash, state);
      continue;
    }
    const std::lock_guard key_lock(state->mutex);
    state->set_info(key.info);
    if (options.prices.empty()) state->spent = sums[i];  // else the sum here is ahead of the one on disk
  }
  seen_changes = changes;
}

void Accounts::State::refresh() {
  if (reader == nullptr) return;
  const std::lock_guard lock(ledger_mutex);
  try {
    if (reader->key_changes() != seen_changes) load_keys(false);
    reading_fails = false;
  } catch (const std::exception& error) {
    if (!std::exchange(reading_fails, true))
      log_error("{}; the keys that are known stay as they are", error.what());
  }
}

Balance Accounts::State::balance_of(KeyState& key) const {
  Balance out;
  if (!currency().empty()) out.currency = currency();
  if (!key.info.credit) return out;
  out.unlimited = false;
  out.currency = key.info.credit->currency;
  out.total = foreign(key.info) ? key.info.credit->amount : key.info.credit->amount - key.spent;
  out.available = out.total.nano > 0 && !foreign(key.info);
  return out;
}

Accounts::Accounts(AccountsOptions options) : state_(std::make_unique<State>(std::move(options))) {
  State& s = *state_;
  s.needs_key = !s.options.keys.empty() || s.options.key_file || s.options.ledger;
  s.hasher = KeyHasher(random_bytes32());
  KeyInfo anonymous;
  anonymous.name = "anonymous";
  anonymous.role = Role::kAdmin;
  s.anonymous = std::make_shared<KeyState>(anonymous, Money{});

  if (s.options.ledger) s.open_ledger();
  for (size_t i = 0; i < s.options.keys.size(); ++i) {
    const std::string& key = s.options.keys[i];
    if (!is_possible_key(key))
      fail(ErrorCode::kInvalidInput,
           "an API key must be 1 to 4096 characters of printable ASCII without spaces");
    KeyInfo info;
    info.name = s.options.keys.size() == 1 ? "api-key" : fmt::format("api-key-{}", i + 1);
    info.last_four = last_four_of(key);
    info.role = Role::kAdmin;
    s.add_key(sha256(key), std::move(info));
  }
  if (s.options.key_file)
    for (FileKey& key : read_key_file(*s.options.key_file)) s.add_key(key.sha256, std::move(key.info));
  if (s.reader != nullptr) {
    const std::lock_guard lock(s.ledger_mutex);
    s.load_keys(true);
  }
}

Accounts::~Accounts() = default;

bool Accounts::needs_key() const {
  return state_->needs_key;
}

Authentication Accounts::authenticate(std::span<const std::string_view> presented) {
  State& s = *state_;
  Authentication out;
  if (!s.needs_key) {
    out.caller = Caller(s.anonymous);
    return out;
  }
  s.refresh();
  for (const std::string_view key : presented) {
    if (key.empty()) continue;
    if (out.failure == Authentication::Failure::kMissing) {
      out.failure = Authentication::Failure::kWrong;
      out.last_four = last_four_of(key);
    }
    std::shared_ptr<KeyState> found;
    {
      const Bytes32 hash = s.hasher.of_key(key);
      const std::shared_lock lock(s.table_mutex);
      found = s.table.find(hash);
    }
    if (found == nullptr) continue;
    const std::lock_guard lock(found->mutex);
    if (!found->info.revoked && (!found->info.expires || s.options.clocks.wall() < *found->info.expires)) {
      out.caller = Caller(found);
      return out;
    }
    out.failure = found->info.revoked ? Authentication::Failure::kRevoked : Authentication::Failure::kExpired;
    out.last_four = last_four_of(key);
  }
  return out;
}

Admission Accounts::admit(const Caller& caller, int64_t requests) {
  using Refusal = Admission::Refusal;
  KeyState& key = *caller.state_;
  const TimePoint now = state_->options.clocks.steady();
  Admission out;
  const std::lock_guard lock(key.mutex);
  const auto refuse = [&](Refusal why, int64_t limit, std::chrono::nanoseconds wait) {
    out.refusal_ = why;
    out.limit_ = limit;
    out.retry_after_ = std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
  };
  const auto request_wait = key.requests.wait(now, requests);
  const auto token_wait = key.tokens.wait(now, 1);
  const auto& concurrent = key.info.limits.concurrent;
  if (!state_->balance_of(key).available) {
    refuse(Refusal::kBalance, 0, {});
  } else if (concurrent && key.active >= *concurrent) {
    refuse(Refusal::kConcurrency, *concurrent, {});
  } else if (request_wait.count() > 0) {
    refuse(Refusal::kRequestRate, key.requests.limit(), request_wait);
  } else if (token_wait.count() > 0) {
    refuse(Refusal::kTokenRate, key.tokens.limit(), token_wait);
  } else {
    key.requests.take(now, requests);
    ++key.active;
    out.state_ = caller.state_;
  }
  return out;
}

Money Accounts::record(const Caller& caller, const Usage& usage) {
  State& s = *state_;
  KeyState& key = *caller.state_;
  const WallTime when = s.options.clocks.wall();
  const TimePoint now = s.options.clocks.steady();
  const Money cost = s.options.prices.cost(usage, when);
  {
    const std::lock_guard lock(key.mutex);
    key.totals.add(usage, cost);
    key.spent = key.spent + cost;
    key.tokens.take(now, usage.cache_hit_tokens + usage.cache_miss_tokens + usage.completion_tokens);
  }
  const auto day = std::chrono::floor<std::chrono::days>(when);
  if (key.id != 0) {
    UsageRow row{key.id, key.name, day, usage.model, s.currency(), {}};
    row.totals.add(usage, cost);
    s.writer->add(row);
  } else {
    const std::lock_guard lock(s.usage_mutex);
    s.usage[{day, key.name, usage.model}].add(usage, cost);
  }
  return cost;
}

Balance Accounts::balance(const Caller& caller) const {
  const std::lock_guard lock(caller.state_->mutex);
  return state_->balance_of(*caller.state_);
}

std::vector<UsageRow> Accounts::usage(const UsageQuery& query) {
  State& s = *state_;
  std::vector<UsageRow> out;
  if (s.writer != nullptr) {
    flush();
    // A connection of its own: a long report holds up no request.
    out = Ledger(*s.options.ledger, Ledger::Access::kRead).usage(query);
  }
  {
    const std::lock_guard lock(s.usage_mutex);
    for (const auto& [place, totals] : s.usage) {
      const auto& [day, key, model] = place;
      if ((query.since && day < *query.since) || (query.key && key != *query.key)) continue;
      out.push_back({0, key, day, model, s.currency(), totals});
    }
  }
  std::ranges::stable_sort(out, {},
                           [](const UsageRow& row) { return std::tie(row.day, row.key, row.model); });
  return out;
}

std::vector<KeyTotals> Accounts::totals() const {
  const State& s = *state_;
  std::map<std::string, UsageTotals> by_name;  // a revoked key and its successor may share one
  const auto add = [&](KeyState& key) {
    const std::lock_guard lock(key.mutex);
    if (key.totals.requests > 0) by_name[key.name].add(key.totals);
  };
  {
    const std::shared_lock lock(s.table_mutex);
    s.table.for_each(add);
  }
  add(*s.anonymous);
  std::vector<KeyTotals> out;
  for (auto& [name, totals] : by_name) out.push_back({name, totals});
  return out;
}

void Accounts::flush() {
  if (state_->writer != nullptr) state_->writer->flush();
}

}  // namespace hadal::serve
