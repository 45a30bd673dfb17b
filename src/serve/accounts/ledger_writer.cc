#include "serve/accounts/ledger_writer.h"

#include <chrono>

#include "base/log.h"

namespace hadal::serve {
namespace {

using namespace std::chrono_literals;

constexpr auto kGather = 100ms;  // what comes together is written together
constexpr auto kRetry = 1s;

}  // namespace

LedgerWriter::LedgerWriter(std::unique_ptr<Ledger> ledger)
    : ledger_(std::move(ledger)), thread_([this] { run(); }) {}

LedgerWriter::~LedgerWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
}

void LedgerWriter::add(const UsageRow& row) {
  {
    const std::lock_guard lock(mutex_);
    waiting_[{row.key_id, row.day, row.model, row.currency}].add(row.totals);
  }
  work_.notify_one();
}

bool LedgerWriter::flush() {
  std::unique_lock lock(mutex_);
  // A transaction that is under way has taken its rows already: what has come since goes into the next one.
  const uint64_t wanted = rounds_ + (writing_ ? 1 : 0) + (waiting_.empty() ? 0 : 1);
  hurry_ = true;
  work_.notify_one();
  done_.wait(lock, [&] { return rounds_ >= wanted; });
  return !failing_;
}

void LedgerWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    work_.wait_for(lock, failing_ ? kRetry : kGather, [&] { return stop_ || hurry_; });
    hurry_ = false;
    const bool last = stop_;
    const Rows rows = std::exchange(waiting_, {});
    writing_ = true;
    lock.unlock();
    const bool written = write(rows);
    lock.lock();
    writing_ = false;
    ++rounds_;
    failing_ = !written;
    if (!written)
      for (const auto& [place, totals] : rows) waiting_[place].add(totals);
    done_.notify_all();
    if (!written && last) {
      log_error("the usage of {} keys, days and models is not in the ledger and is lost", waiting_.size());
      return;
    }
  }
}

bool LedgerWriter::write(const Rows& rows) {
  std::vector<UsageRow> list;
  list.reserve(rows.size());
  for (const auto& [place, totals] : rows) {
    const auto& [key, day, model, currency] = place;
    list.push_back({key, "", day, model, currency, totals});
  }
  try {
    ledger_->add_usage(list);
    if (failing_) log_warning("the ledger takes usage again");
    return true;
  } catch (const std::exception& error) {
    if (!failing_) log_error("{}; usage is kept in memory and tried again", error.what());
    return false;
  }
}

}  // namespace hadal::serve
