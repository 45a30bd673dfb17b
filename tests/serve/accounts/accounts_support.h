// Accounts under clocks that stand still until they are told to move.
#pragma once

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <string>
#include <string_view>

#include "serve/accounts/accounts.h"
#include "serve/accounts/ledger.h"
#include "support/files.h"

namespace hadal::serve::test {

using hadal::test::error_of;
using hadal::test::invalid_file;
using hadal::test::TempFolder;
using namespace std::chrono_literals;

// Both clocks move together; 2026-03-02 is a Monday. Thread-safe.
class FakeTime {
 public:
  Clocks clocks() {
    return {
        [this] { return TimePoint(1h) + std::chrono::nanoseconds(passed_.load()); },
        [this] {
          return std::chrono::floor<std::chrono::seconds>(start_ + std::chrono::nanoseconds(passed_.load()));
        }};
  }
  void advance(std::chrono::nanoseconds by) { passed_ += by.count(); }
  WallTime now() { return clocks().wall(); }

 private:
  std::chrono::sys_days start_{std::chrono::year(2026) / 3 / 2};
  std::atomic<int64_t> passed_{0};
};

inline Authentication enter(Accounts& accounts, std::initializer_list<std::string_view> keys) {
  return accounts.authenticate(std::span(keys.begin(), keys.size()));
}

inline KeyInfo named(const std::string& name) {
  KeyInfo out;
  out.name = name;
  return out;
}

inline PriceTable prices(const std::string& currency = "USD") {
  return PriceTable::parse(
      R"({"currency": ")" + currency +
          R"(", "models": {"m": {"input_cache_hit": 1, "input_cache_miss": 10, "output": 100}}})",
      "prices");
}

}  // namespace hadal::serve::test
