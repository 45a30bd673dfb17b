// A client that sends any bytes at all over a TCP connection to this machine, and reads answers strictly.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hadal::serve {

struct RawResponse {
  int status = 0;  // 0: the connection ended before an answer
  std::string head;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool complete = false;  // the body ended as its framing says

  std::string header(std::string_view lower_name) const;  // empty: not there
};

class RawClient {
 public:
  // small_buffer: a socket that takes few bytes before it is read. receive_seconds only bounds a test that
  // fails.
  explicit RawClient(int port, bool small_buffer = false, int receive_seconds = 30);
  virtual ~RawClient() { close(); }
  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), buffer_(std::move(other.buffer_)) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  int fd() const { return fd_; }
  bool send(std::string_view bytes);  // all of them; false: the connection is broken
  void finish_sending();
  void close();
  void reset();  // closes with RST

  // The next answer, informational ones (1xx) left out unless asked for. `head`: the answer is to a HEAD
  // request.
  RawResponse read(bool head = false, bool informational = false);
  // Some more bytes; empty: the end of the connection.
  std::string read_some();
  // Bytes until `text` has come, or the end.
  std::string read_until(std::string_view text);
  bool at_end();  // waits; true: closed by the server with nothing left

 private:
  virtual ssize_t transmit(std::string_view bytes);
  virtual ssize_t receive(char* bytes, size_t n);
  bool fill();

  int fd_ = -1;
  std::string buffer_;
};

// A whole request with these lines after Host.
std::string http_request(std::string_view method, std::string_view target, std::string_view body = {},
                         std::string_view more_headers = {});

}  // namespace hadal::serve
