#include "apps/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>

#include "base/error.h"

namespace hadal::apps {
namespace {

volatile std::sig_atomic_t interrupts = 0;

void on_interrupt(int) {
  if (interrupts > 0) _exit(130);
  interrupts = 1;
}

}  // namespace

InterruptGuard::InterruptGuard() : previous_(std::signal(SIGINT, on_interrupt)) {
  interrupts = 0;
}
InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, previous_);
}
bool InterruptGuard::interrupted() const {
  return interrupts > 0;
}
void InterruptGuard::clear() {
  interrupts = 0;
}
void InterruptGuard::check() const {
  if (interrupted()) fail(ErrorCode::kCancelled, "interrupted");
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ProgressBar::ProgressBar(std::string what, int64_t total)
    : what_(std::move(what)),
      total_(std::max<int64_t>(total, 1)),
      terminal_(isatty(STDERR_FILENO) == 1),
      started_(now_seconds()) {
  last_ = started_;
}

void ProgressBar::update(int64_t done) {
  constexpr int kWidth = 30;
  const double now = now_seconds();
  if (now - last_ < (terminal_ ? 0.1 : 10.0)) return;
  last_ = now;
  drawn_ = true;
  const double share = static_cast<double>(done) / static_cast<double>(total_);
  const double left = share > 0 ? (now - started_) * (1 - share) / share : 0;
  const std::string text = fmt::format("{} {:.0f} %, {:.0f} s left", what_, 100 * share, left);
  if (terminal_)
    fmt::print(stderr, "\r[{:<{}}] {}\x1b[K", std::string(static_cast<size_t>(share * kWidth), '#'), kWidth,
               text);
  else
    fmt::print(stderr, "{}\n", text);
  std::fflush(stderr);
}

ProgressBar::~ProgressBar() {
  if (drawn_ && terminal_) std::fputs("\r\x1b[K", stderr);
}

}  // namespace hadal::apps
