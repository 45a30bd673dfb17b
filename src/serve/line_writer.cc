#include "serve/line_writer.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace hadal::serve {
namespace {

int open_file(const std::filesystem::path& file, bool replace) {
  return ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (replace ? O_TRUNC : 0), 0640);
}

std::string reason() {
  return std::system_category().message(errno);
}

}  // namespace

LineWriter::LineWriter(LineWriterOptions options) : options_(std::move(options)) {
  fd_ = options_.file ? open_file(*options_.file, options_.replace) : STDERR_FILENO;
  if (fd_ < 0)
    fail(ErrorCode::kIo, "{}: cannot be opened for writing: {}", options_.file->string(), reason());
  thread_ = std::thread([this] { run(); });
}

LineWriter::~LineWriter() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_.notify_all();
  thread_.join();
  if (options_.file) ::close(fd_);
}

bool LineWriter::write(std::string_view line) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + line.size() > options_.most_bytes) {
      ++dropped_;
      ++unsaid_;
      return false;
    }
    waiting_ += line;
    ++waiting_lines_;
  }
  work_.notify_one();
  return true;
}

void LineWriter::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  work_.notify_one();
}

void LineWriter::flush() {
  std::unique_lock lock(mutex_);
  const uint64_t wanted = rounds_ + (writing_ ? 1 : 0) + (!waiting_.empty() || reopen_ ? 1 : 0);
  done_.wait(lock, [&] { return rounds_ >= wanted; });
}

int64_t LineWriter::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void LineWriter::run() {
  // A reader of standard error that has gone is an error of write(), not the end of the program.
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);

  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [&] { return stop_ || reopen_ || !waiting_.empty(); });
    if (waiting_.empty() && !reopen_) return;
    std::string bytes = std::exchange(waiting_, {});
    const int64_t lines = std::exchange(waiting_lines_, 0);
    const int64_t lost = std::exchange(unsaid_, 0);
    const bool again = std::exchange(reopen_, false);
    writing_ = true;
    lock.unlock();
    if (again) open_again();
    if (lost > 0 && options_.lost) bytes += options_.lost(lost);
    const bool written = put(bytes);
    lock.lock();
    writing_ = false;
    if (!written) dropped_ += lines;
    ++rounds_;
    done_.notify_all();
  }
}

void LineWriter::open_again() {
  if (!options_.file) return;
  const int fd = open_file(*options_.file, false);
  if (fd < 0) {
    log_error("{}: cannot be opened again: {}; the old file is written on", options_.file->string(),
              reason());
    return;
  }
  ::close(fd_);
  fd_ = fd;
  cut_ = false;
}

// All of it, or less after an error. Of a file that is ours alone the part of a line that got through is
// taken back; elsewhere what comes next starts on a line of its own.
bool LineWriter::put(std::string_view bytes) {
  std::string joined;
  if (cut_ && !bytes.empty()) {
    joined = '\n';
    joined += bytes;
    bytes = joined;
  }
  const off_t before = options_.replace ? ::lseek(fd_, 0, SEEK_END) : -1;
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      if (!std::exchange(failing_, true) && options_.file)
        log_error("{}: cannot be written: {}; lines are dropped", options_.file->string(), reason());
      if (before >= 0 && ::ftruncate(fd_, before) == 0) cut_ = false;
      return false;
    }
    cut_ = bytes[static_cast<size_t>(count) - 1] != '\n';
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  failing_ = false;
  return true;
}

}  // namespace hadal::serve
