// One connection's bytes, plain or TLS, as coroutines. Inside of the server; names Boost, so nothing outside
// of serve/http includes it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>
#include <string_view>

namespace hadal::serve {

using Socket = boost::asio::generic::stream_protocol::socket;

// For one thread. At most one read and one write at a time. After close() both end at once, and so does
// everything begun later.
class Transport {
 public:
  virtual ~Transport() = default;
  // What comes before the first byte: the TLS handshake. False: failed.
  virtual boost::asio::awaitable<bool> open() = 0;
  // Waits for bytes and appends some to `out`. False: the other side sends no more, or is gone.
  virtual boost::asio::awaitable<bool> read(std::string& out) = 0;
  // Sends some of `bytes`, not empty; returns how many, 0: failed.
  virtual boost::asio::awaitable<size_t> write(std::string_view bytes) = 0;
  // Tells the other side that nothing more comes. Does not wait for it.
  virtual void finish_sending() = 0;
  virtual void close() = 0;
  // Whether the other side has closed, even if there are bytes that nobody has read.
  virtual bool peer_closed() = 0;
};

// tls: null for plain; must outlive the transport.
std::unique_ptr<Transport> make_transport(Socket socket, boost::asio::ssl::context* tls);

}  // namespace hadal::serve
