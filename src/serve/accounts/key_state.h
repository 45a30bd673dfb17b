// One key while the server runs: its limits and what it uses at this moment.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "serve/accounts/account.h"
#include "serve/accounts/rate_bucket.h"

namespace hadal::serve {

class KeyState {
 public:
  KeyState(KeyInfo its_info, Money already_spent)
      : id(its_info.id), name(its_info.name), spent(already_spent) {
    set_info(std::move(its_info));
  }

  // Under the mutex, but for the constructor. What is used at the moment stays.
  void set_info(KeyInfo its_info) {
    requests.set_limit(its_info.limits.requests_per_minute);
    tokens.set_limit(its_info.limits.tokens_per_minute);
    info = std::move(its_info);
  }

  const int64_t id;  // in the ledger, or 0
  const std::string name;

  std::mutex mutex;  // of everything below
  KeyInfo info;
  RateBucket requests, tokens;
  int64_t active = 0;  // admissions
  Money spent;         // in the currency of the prices, all time
  UsageTotals totals;  // since the start
};

}  // namespace hadal::serve
