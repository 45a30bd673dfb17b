// Lines to a file or to standard error by a thread of its own, so that a slow disk holds up nobody: what the
// request log and the trace are written with.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace hadal::serve {

struct LineWriterOptions {
  std::optional<std::filesystem::path> file;  // none: standard error
  bool replace = false;                       // an existing file; else it is appended to
  size_t most_bytes = size_t{64} << 20;       // that may wait to be written
  // The line that says how many did not fit, when there is space again; none: nothing says so.
  std::function<std::string(int64_t lines)> lost;
};

// Thread-safe. Lines are written whole and in order. A failing disk is logged once; lines it does not take
// are dropped.
class LineWriter {
 public:
  // Throws Error{kIo} when the file cannot be opened. New files are readable by their owner and group.
  explicit LineWriter(LineWriterOptions options);
  ~LineWriter();  // writes what is left
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // With its end. Does not wait for the disk. False: dropped.
  bool write(std::string_view line);
  // Opens the file by its name again, before what is written next.
  void reopen();
  // Waits until everything so far is written or dropped.
  void flush();
  int64_t dropped() const;

 private:
  void run();
  void open_again();
  bool put(std::string_view bytes);

  LineWriterOptions options_;
  int fd_ = -1;  // of the thread, once it runs
  bool failing_ = false, cut_ = false;

  mutable std::mutex mutex_;
  std::condition_variable work_, done_;
  std::string waiting_;
  int64_t waiting_lines_ = 0, dropped_ = 0, unsaid_ = 0;
  uint64_t rounds_ = 0;
  bool writing_ = false, reopen_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace hadal::serve
