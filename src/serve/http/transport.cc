#include "serve/http/transport.h"

#include <poll.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <vector>

namespace hadal::serve {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr size_t kReadBytes = size_t{16} << 10;
constexpr auto kResult = asio::as_tuple(asio::use_awaitable);

bool closed_by_peer(Socket& socket) {
  pollfd poll{socket.native_handle(), POLLRDHUP, 0};
  return ::poll(&poll, 1, 0) > 0 && (poll.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(Socket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  asio::awaitable<bool> open() override { co_return true; }

  // Waits first and reads then, so that a connection that waits has no buffer.
  asio::awaitable<bool> read(std::string& out) override {
    for (;;) {
      const auto [error] = co_await socket_.async_wait(Socket::wait_read, kResult);
      if (error) co_return false;
      switch (read_now(out)) {
        case Now::kBytes:
          co_return true;
        case Now::kEnd:
          co_return false;
        case Now::kNothing:
          break;
      }
    }
  }

  asio::awaitable<size_t> write(std::string_view bytes) override {
    const auto [error, n] = co_await socket_.async_write_some(asio::buffer(bytes), kResult);
    co_return error ? 0 : n;
  }

  void finish_sending() override {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

  bool peer_closed() override { return socket_.is_open() && closed_by_peer(socket_); }

 private:
  enum class Now { kBytes, kNothing, kEnd };

  Now read_now(std::string& out) {
    std::array<char, kReadBytes> buffer;
    error_code error;
    const size_t n = socket_.read_some(asio::buffer(buffer), error);
    if (error == asio::error::would_block || error == asio::error::interrupted) return Now::kNothing;
    if (error || n == 0) return Now::kEnd;
    out.append(buffer.data(), n);
    return Now::kBytes;
  }

  Socket socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(Socket socket, asio::ssl::context& context)
      : stream_(std::make_shared<Stream>(std::move(socket), context)) {}

  asio::awaitable<bool> open() override {
    const auto [error] = co_await stream_->async_handshake(asio::ssl::stream_base::server, kResult);
    co_return !error;
  }

  asio::awaitable<bool> read(std::string& out) override {
    buffer_.resize(kReadBytes);
    const auto [error, n] = co_await stream_->async_read_some(asio::buffer(buffer_), kResult);
    if (error || n == 0) co_return false;
    out.append(buffer_.data(), n);
    co_return true;
  }

  asio::awaitable<size_t> write(std::string_view bytes) override {
    const auto [error, n] = co_await stream_->async_write_some(asio::buffer(bytes), kResult);
    co_return error ? 0 : n;
  }

  // The other side need not answer our farewell: the operation ends with close().
  void finish_sending() override {
    stream_->async_shutdown([stream = stream_](const error_code&) {});
  }

  void close() override {
    error_code ignored;
    stream_->next_layer().close(ignored);
  }

  bool peer_closed() override {
    return stream_->next_layer().is_open() && closed_by_peer(stream_->next_layer());
  }

 private:
  using Stream = asio::ssl::stream<Socket>;
  std::shared_ptr<Stream> stream_;
  std::vector<char> buffer_;
};

}  // namespace

std::unique_ptr<Transport> make_transport(Socket socket, asio::ssl::context* tls) {
  if (tls) return std::make_unique<TlsTransport>(std::move(socket), *tls);
  return std::make_unique<PlainTransport>(std::move(socket));
}

}  // namespace hadal::serve
