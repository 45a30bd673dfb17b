// Keys, their limits and their use: plain data that the ledger, the key file, the command line and the server
// share.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/request.h"
#include "serve/accounts/money.h"

namespace hadal::serve {

using WallTime = std::chrono::sys_seconds;

// Where time comes from. Thread-safe functions.
struct Clocks {
  std::function<TimePoint()> steady;  // rates
  std::function<WallTime()> wall;     // expiry, days of usage, off-peak prices

  static Clocks system();
};

enum class Role {
  kUser,   // inference
  kAdmin,  // also metrics, slots, props and the usage of other keys
};
std::string_view role_name(Role role);
std::optional<Role> parse_role(std::string_view name);

// At least 1 each; none: no limit.
struct KeyLimits {
  std::optional<int64_t> requests_per_minute, tokens_per_minute, concurrent;  // tokens: input and output
  bool operator==(const KeyLimits&) const = default;
};

// What a key may spend in all, from its creation on.
struct Credit {
  Money amount;
  std::string currency;
  bool operator==(const Credit&) const = default;
};

// Never the key itself.
struct KeyInfo {
  int64_t id = 0;  // in the ledger; 0: a key from elsewhere
  std::string name;
  std::string last_four;  // of the key; empty when only its hash is known
  Role role = Role::kUser;
  KeyLimits limits;
  WallTime created{};
  std::optional<WallTime> expires, revoked;
  std::optional<Credit> credit;  // none: unlimited
};

// A name is 1 to 128 bytes of UTF-8 without control characters, double quotes and backslashes, and not only
// digits, which are
// ids. Problem: which of these it breaks.
Result<std::string> check_key_name(std::string_view name);

// One finished request.
struct Usage {
  std::string model;  // the name it was served under, not what the client wrote: one of a few
  int64_t cache_hit_tokens = 0, cache_miss_tokens = 0;  // of the prompt
  int64_t completion_tokens = 0;
  int64_t reasoning_tokens = 0;  // of completion_tokens
  bool error = false;
};

struct UsageTotals {
  int64_t requests = 0, errors = 0;
  int64_t cache_hit_tokens = 0, cache_miss_tokens = 0, completion_tokens = 0, reasoning_tokens = 0;
  Money cost;

  void add(const Usage& usage, Money its_cost);
  void add(const UsageTotals& other);
  bool operator==(const UsageTotals&) const = default;
};

// The requests of one key on one UTC day with one model.
struct UsageRow {
  int64_t key_id = 0;
  std::string key;  // its name
  std::chrono::sys_days day{};
  std::string model;
  std::string currency;  // of the cost; empty: there were no prices
  UsageTotals totals;
};

struct UsageQuery {
  std::optional<std::chrono::sys_days> since;  // UTC
  std::optional<std::string> key;              // a name
};

}  // namespace hadal::serve
