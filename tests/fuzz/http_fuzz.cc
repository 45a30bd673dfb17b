// Any bytes as what a client sends over one connection, in two different cuts. The first byte chooses
// settings, the second the cut. Both cuts must bring the same requests to the handler, each request must be
// one that a handler may rely on, and what goes back must be whole HTTP answers, one for each request.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "serve/http/connection.h"
#include "text/utf8.h"

namespace {

namespace asio = boost::asio;
using namespace hadal;
using namespace hadal::serve;

struct Wire {
  explicit Wire(asio::io_context& io) : arrived(io) {}
  asio::steady_timer arrived;
  std::string in, out;
  bool closed = false;
};

class WireTransport final : public Transport {
 public:
  explicit WireTransport(Wire& wire) : wire_(wire) {}
  asio::awaitable<bool> open() override { co_return true; }
  asio::awaitable<bool> read(std::string& out) override {
    while (wire_.in.empty() && !wire_.closed) {
      wire_.arrived.expires_at(asio::steady_timer::time_point::max());
      co_await wire_.arrived.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (wire_.in.empty()) co_return false;
    out += std::exchange(wire_.in, {});
    co_return true;
  }
  asio::awaitable<size_t> write(std::string_view bytes) override {
    // Not always all at once.
    const size_t n = (bytes.size() + 1) / 2;
    wire_.out += bytes.substr(0, n);
    co_return n;
  }
  void finish_sending() override {}
  void close() override {
    wire_.closed = true;
    wire_.arrived.cancel();
  }
  bool peer_closed() override { return false; }

 private:
  Wire& wire_;
};

// In two pieces, so that it is sent in chunks.
class TwoPieces final : public HttpAnswer {
 public:
  explicit TwoPieces(HttpHead head) : head_(std::move(head)) {}
  bool pull(std::string& out) override {
    out += "piece";
    return std::exchange(second_, true);
  }
  const HttpHead& head() override { return head_; }

 private:
  HttpHead head_;
  bool second_ = false;
};

std::string header(std::string_view head, std::string_view name) {
  const size_t at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string_view::npos) return {};
  const size_t begin = at + name.size() + 4;
  return std::string(head.substr(begin, head.find("\r\n", begin) - begin));
}

// Takes whole answers apart; returns how many came from the handler.
size_t check_answers(std::string_view bytes) {
  size_t handled = 0;
  while (!bytes.empty()) {
    const size_t end = bytes.find("\r\n\r\n");
    HADAL_CHECK(bytes.starts_with("HTTP/1.1 ") && end != std::string_view::npos);
    const std::string_view head = bytes.substr(0, end + 2);
    bytes.remove_prefix(end + 4);
    handled += !header(head, "X-Handled").empty();
    if (head.starts_with("HTTP/1.1 100") || head.starts_with("HTTP/1.1 204") ||
        header(head, "X-Handled") == "HEAD")
      continue;
    const std::string length = header(head, "Content-Length");
    if (!length.empty()) {
      // The refusal of a HEAD request that was understood has a length and no body.
      if (bytes.empty() && header(head, "Connection") == "close") break;
      HADAL_CHECK(bytes.size() >= std::stoul(length));
      bytes.remove_prefix(std::stoul(length));
    } else if (header(head, "Transfer-Encoding") == "chunked") {
      constexpr std::string_view kBody = "5\r\npiece\r\n5\r\npiece\r\n0\r\n\r\n";
      HADAL_CHECK(bytes.starts_with(kBody));
      bytes.remove_prefix(kBody.size());
    } else {
      HADAL_CHECK(header(head, "Connection") == "close" && bytes == "piecepiece");
      bytes = {};
    }
  }
  return handled;
}

// What the handler was asked, in order.
std::vector<std::string> run(uint8_t settings, std::string_view bytes, size_t piece) {
  static const auto io = std::make_shared<asio::io_context>(1);
  std::vector<std::string> asked;
  ConnectionHub hub;
  hub.io = io;
  hub.config.limits.header_bytes = 512;
  hub.config.limits.headers = 8;
  hub.config.limits.body_bytes = 200;
  hub.config.flush_interval = {};
  if (settings & 1) hub.config.cors.mode = CorsPolicy::Mode::kAny;
  if (settings & 2) hub.config.cors = {CorsPolicy::Mode::kListed, {"https://a.example"}};
  if (settings & 4) hub.allowed_hosts = {"localhost", "[::1]"};
  if (settings & 8) hub.draining = true;
  hub.run_on_worker = [](const std::function<void()>& job) { job(); };
  hub.handler = [&](HttpRequest request, const Wake&) -> std::unique_ptr<HttpAnswer> {
    const std::string& path = request.path;
    HADAL_CHECK(path.starts_with('/') && (path == "/" || !path.ends_with('/')) &&
                path.find('\0') == std::string::npos && utf8_valid_prefix(path) == path.size());
    HADAL_CHECK(!request.method.empty() && request.body.size() <= 200 && request.headers.size() <= 8);
    HADAL_CHECK(!request.id.empty() && request.id.size() <= 128 && request.peer == "fuzz");
    std::string text = request.method + " " + path + "?" + request.query + "\n";
    for (const Header& h : request.headers) {
      HADAL_CHECK(!h.name.empty() &&
                  (h.name + h.value).find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
      text += h.name + ":" + h.value + "\n";
    }
    asked.push_back(text + request.body);
    HttpHead head{path.ends_with('n') ? 204 : 200, "text/plain", {{"X-Handled", request.method}}};
    if (path.ends_with('s')) return std::make_unique<TwoPieces>(std::move(head));
    return std::make_unique<ReadyAnswer>(std::move(head), "ready");
  };

  Wire wire(*io);
  std::make_shared<Connection>(hub, std::make_unique<WireTransport>(wire), "fuzz")->start();
  io->restart();
  io->poll();
  for (size_t at = 0; at < bytes.size() && !wire.closed; at += piece) {
    wire.in += bytes.substr(at, piece);
    wire.arrived.cancel();
    io->restart();
    io->poll();
  }
  const size_t answered = check_answers(wire.out);
  HADAL_CHECK(answered == asked.size());
  wire.closed = true;
  wire.arrived.cancel();
  io->restart();
  io->poll();
  HADAL_CHECK(hub.connections.empty() && hub.counters.open_answers == 0 && hub.counters.body_bytes == 0);
  return asked;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  HADAL_CHECK(run(data[0], bytes, std::string_view::npos / 2) ==
              run(data[0], bytes, data[1] % 64 + size_t{1}));
  return 0;
}
