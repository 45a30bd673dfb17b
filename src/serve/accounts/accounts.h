// Who may use the server, how fast, and what has been used: the one class the server asks. Keys come from the
// command line, a key file, a ledger (docs/formats/ledger.md), or all of them; without any, everybody may
// enter.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/accounts/account.h"
#include "serve/accounts/prices.h"

namespace hadal::serve {

class KeyState;

// A key that was let in. Cheap to copy; stays valid when the key is revoked meanwhile.
class Caller {
 public:
  const std::string& name() const;  // for logs and metrics; "anonymous" where nobody needs a key
  bool is_admin() const;

 private:
  friend class Accounts;
  explicit Caller(std::shared_ptr<KeyState> state) : state_(std::move(state)) {}
  std::shared_ptr<KeyState> state_;
};

struct Authentication {
  enum class Failure { kMissing, kWrong, kExpired, kRevoked };

  std::optional<Caller> caller;  // none: refused
  Failure failure = Failure::kMissing;
  std::string last_four;  // of the key that was refused, printable ASCII; at most half of it

  // A complete sentence for the client, as the hosted API puts it where it has one (api.md B1.6).
  std::string message() const;
};

// Leave to compute one answer; holds one of the key's concurrent places until it is destroyed.
class Admission {
 public:
  enum class Refusal { kNone, kBalance, kConcurrency, kRequestRate, kTokenRate };

  Admission() = default;
  Admission(Admission&& other) noexcept;
  Admission& operator=(Admission&& other) noexcept;
  ~Admission();

  bool admitted() const { return refusal_ == Refusal::kNone; }
  Refusal refusal() const { return refusal_; }
  int status() const;                                           // 200, 402 or 429
  int64_t retry_after_seconds() const { return retry_after_; }  // at least 1 with a status of 429
  std::string message() const;                                  // a complete sentence for the client

 private:
  friend class Accounts;
  Refusal refusal_ = Refusal::kNone;
  int64_t retry_after_ = 0;
  int64_t limit_ = 0;
  std::shared_ptr<KeyState> state_;  // of an admission that holds a place
};

struct Balance {
  bool available = true;  // more than nothing is left
  bool unlimited = true;
  std::string currency = "USD";
  Money total;  // what is left; below zero after a last request that cost more
};

// What one key has used since the server started.
struct KeyTotals {
  std::string name;
  UsageTotals totals;
};

struct AccountsOptions {
  std::vector<std::string> keys;  // given on the command line; each enters as an administrator
  std::optional<std::filesystem::path> key_file;
  std::optional<std::filesystem::path> ledger;  // must be there; `hadal keys add` makes one
  PriceTable prices;
  Clocks clocks = Clocks::system();
};

// Thread-safe. A ledger is kept open: keys added or revoked by another process count from the next request
// on. Usage is counted at once and written in the background; destruction waits until it is on disk. A disk
// that fails later on is logged and does not stop anybody: what could not be written is tried again.
class Accounts {
 public:
  // Throws Error naming the file (and line or field): missing, damaged, not a ledger, in another currency
  // than the prices, an empty key.
  explicit Accounts(AccountsOptions options);
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  bool needs_key() const;

  // Any valid one of the presented keys is enough (B1.3). Never waits for a disk that another process holds
  // longer than a moment.
  Authentication authenticate(std::span<const std::string_view> presented);

  // Counts against the limits of the key: ask once for every request that computes something. `requests`
  // is what it counts for (several prompts in one).
  Admission admit(const Caller& caller, int64_t requests = 1);

  // After an admitted request, however it ended. Does not wait for the disk. Returns what it cost.
  Money record(const Caller& caller, const Usage& usage);

  Balance balance(const Caller& caller) const;

  // By key, day and model. What is on its way to the ledger is written first: may wait for the disk. Throws
  // Error when the ledger cannot be read.
  std::vector<UsageRow> usage(const UsageQuery& query);

  // Since the start, keys without a request left out.
  std::vector<KeyTotals> totals() const;

  // Waits until everything recorded so far is in the ledger, or writing has failed.
  void flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hadal::serve
