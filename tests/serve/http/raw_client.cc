#include "serve/http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace hadal::serve {

std::string RawResponse::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers)
    if (name == lower_name) return value;
  return {};
}

RawClient::RawClient(int port, bool small_buffer, int receive_seconds) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int bytes = 4096;
  if (small_buffer) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  const timeval limit{receive_seconds, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close();
    throw std::runtime_error("cannot connect");
  }
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = transmit(bytes);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

ssize_t RawClient::transmit(std::string_view bytes) {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

ssize_t RawClient::receive(char* bytes, size_t n) {
  return ::recv(fd_, bytes, n, 0);
}

void RawClient::finish_sending() {
  ::shutdown(fd_, SHUT_WR);
}

void RawClient::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void RawClient::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

bool RawClient::fill() {
  char bytes[16384];
  const ssize_t n = receive(bytes, sizeof bytes);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    throw std::runtime_error("the server sends nothing");
  if (n <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(n));
  return true;
}

std::string RawClient::read_some() {
  if (buffer_.empty()) fill();
  return std::exchange(buffer_, {});
}

std::string RawClient::read_until(std::string_view text) {
  size_t at = 0;
  while ((at = buffer_.find(text)) == std::string::npos)
    if (!fill()) return std::exchange(buffer_, {});
  std::string out = buffer_.substr(0, at + text.size());
  buffer_.erase(0, at + text.size());
  return out;
}

bool RawClient::at_end() {
  return buffer_.empty() && !fill();
}

RawResponse RawClient::read(bool head, bool informational) {
  RawResponse response;
  response.head = read_until("\r\n\r\n");
  if (!response.head.ends_with("\r\n\r\n") || !response.head.starts_with("HTTP/1.1 ")) return response;
  response.status = std::stoi(response.head.substr(9, 3));
  if (response.status / 100 == 1 && !informational) return read(head);
  size_t line = response.head.find("\r\n") + 2;
  for (size_t end; (end = response.head.find("\r\n", line)) > line; line = end + 2) {
    const size_t colon = response.head.find(": ", line);
    std::string name = response.head.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    response.headers.emplace_back(name, response.head.substr(colon + 2, end - colon - 2));
  }
  const int status = response.status;
  if (head || status / 100 == 1 || status == 204 || status == 304) {
    response.complete = true;
  } else if (response.header("transfer-encoding") == "chunked") {
    for (;;) {
      const std::string size_line = read_until("\r\n");
      if (!size_line.ends_with("\r\n")) return response;
      const size_t size = std::stoul(size_line, nullptr, 16);
      while (buffer_.size() < size + 2)
        if (!fill()) return response;
      if (buffer_.compare(size, 2, "\r\n") != 0) return response;
      response.body.append(buffer_, 0, size);
      buffer_.erase(0, size + 2);
      if (size == 0) break;
    }
    response.complete = true;
  } else if (const std::string length = response.header("content-length"); !length.empty()) {
    const size_t size = std::stoul(length);
    while (buffer_.size() < size)
      if (!fill()) return response;
    response.body = buffer_.substr(0, size);
    buffer_.erase(0, size);
    response.complete = true;
  } else {
    while (fill()) {
    }
    response.body = std::exchange(buffer_, {});
    response.complete = response.header("connection") == "close";
  }
  return response;
}

std::string http_request(std::string_view method, std::string_view target, std::string_view body,
                         std::string_view more_headers) {
  std::string out = std::string(method) + " " + std::string(target) + " HTTP/1.1\r\nHost: localhost\r\n";
  out += more_headers;
  if (!body.empty()) out += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return out + "\r\n" + std::string(body);
}

}  // namespace hadal::serve
