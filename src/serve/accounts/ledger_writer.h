// Usage on its way to the ledger: added up in memory, written by a thread of its own in one transaction for
// many requests.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "serve/accounts/ledger.h"

namespace hadal::serve {

// Thread-safe. What waits is one row for each key, day and model, however many requests there are, so a disk
// that is slow or gone costs no memory. Failures are logged once, and tried again every second.
class LedgerWriter {
 public:
  explicit LedgerWriter(std::unique_ptr<Ledger> ledger);
  ~LedgerWriter();  // writes what is left
  LedgerWriter(const LedgerWriter&) = delete;
  LedgerWriter& operator=(const LedgerWriter&) = delete;

  // Adds the row's totals. Never waits for the disk.
  void add(const UsageRow& row);
  // Waits until everything added so far is on disk. False: writing failed, it is still waiting.
  bool flush();

 private:
  using Place = std::tuple<int64_t, std::chrono::sys_days, std::string, std::string>;
  using Rows = std::map<Place, UsageTotals>;

  void run();
  bool write(const Rows& rows);

  std::unique_ptr<Ledger> ledger_;  // of the thread
  std::mutex mutex_;
  std::condition_variable work_, done_;
  Rows waiting_;
  uint64_t rounds_ = 0;  // transactions tried so far
  bool writing_ = false, failing_ = false, hurry_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace hadal::serve
