// The one exception type of the program, thrown at load and I/O boundaries: a file that is not what it should
// be, a disk that is full, a device that failed. Bugs of ours are CHECKs (check.h); failures that are
// ordinary data are Result<T> (result.h).
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace hadal {

enum class ErrorCode {
  kInvalidFile,   // a file that exists and cannot be read as what it should be
  kNotFound,      // a file or folder that is not there
  kUnsupported,   // valid, and not something this program runs
  kInvalidInput,  // a command line, request or setting that makes no sense
  kIo,            // the operating system refused
  kOutOfMemory,
  kDevice,
  kCancelled,
};

// what() is a complete sentence for a person: it names the file, tensor, field or line, and says what was
// expected.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

template <class... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace hadal
