// What commands share about the person in front of them: interrupts and progress.
#pragma once

#include <cstdint>
#include <string>

namespace hadal::apps {

// While one is alive, Ctrl-C sets a flag instead of ending the program; a second Ctrl-C before the flag was
// looked at ends it. At most one at a time.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool interrupted() const;  // since construction or clear()
  void clear();
  // Throws Error{kCancelled} when interrupted: unwinding removes unfinished files.
  void check() const;

 private:
  void (*previous_)(int);
};

// A bar on standard error when it is a terminal, a line every few seconds otherwise. Ends its line when it
// goes.
class ProgressBar {
 public:
  ProgressBar(std::string what, int64_t total);
  ~ProgressBar();
  void update(int64_t done);

 private:
  std::string what_;
  int64_t total_;
  bool terminal_;
  bool drawn_ = false;
  double started_, last_ = 0;
};

// Seconds of a clock that only goes forward.
double now_seconds();

}  // namespace hadal::apps
