#include "serve/http/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/http/connection.h"
#include "serve/http/request_id.h"
#include "serve/http/tls.h"

namespace hadal::serve {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr auto kTick = std::chrono::milliseconds(100);

// Files that a server may have open besides its connections.
constexpr rlim_t kOtherFiles = 256;

// How many connections the system lets us have open, at most `wanted`.
size_t allow_connections(size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return wanted;
  if (limit.rlim_cur < wanted + kOtherFiles) {
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, wanted + kOtherFiles);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= wanted + kOtherFiles) return wanted;
  const size_t allowed = limit.rlim_cur > 2 * kOtherFiles ? limit.rlim_cur - kOtherFiles : limit.rlim_cur / 2;
  log_warning("the system allows {} open files: at most {} connections instead of {}", limit.rlim_cur,
              allowed, wanted);
  return allowed;
}

tcp::endpoint resolve(const std::string& host, int port) {
  if (port < 0 || port > 65535) fail(ErrorCode::kInvalidInput, "port {}: expected 0 to 65535", port);
  asio::io_context io;
  tcp::resolver resolver(io);
  error_code error;
  const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  if (error || found.empty())
    fail(ErrorCode::kInvalidInput, "cannot listen on {}: {}", host, error ? error.message() : "no address");
  // A name with both kinds of address, such as localhost: clients try IPv4 too, if they try anything else
  // first.
  const auto v4 = std::find_if(found.begin(), found.end(),
                               [](const auto& entry) { return entry.endpoint().address().is_v4(); });
  return v4 == found.end() ? found.begin()->endpoint() : v4->endpoint();
}

std::string text(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const bool v6 = endpoint.address().is_v6();
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address, v6 ? "]" : "", endpoint.port());
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpConfig config, Handler handler)
      : io_(std::make_shared<asio::io_context>(1)), acceptor_(*io_), timer_(*io_) {
    hub_.io = io_;
    hub_.config = std::move(config);
    hub_.handler = std::move(handler);
  }
  ~Impl() { stop(); }

  void start() {
    const std::scoped_lock lock(mutex_);
    HADAL_CHECK(!workers_, "an HTTP server starts once");
    if (hub_.config.tls) tls_.emplace(make_tls_context(*hub_.config.tls));
    listen();
    hub_.config.limits.connections = allow_connections(hub_.config.limits.connections);
    workers_.emplace(static_cast<size_t>(std::max(hub_.config.workers, 1)));
    hub_.run_on_worker = [this](std::function<void()> job) { asio::post(*workers_, std::move(job)); };
    asio::co_spawn(*io_, accept_loop(), asio::detached);
    asio::co_spawn(*io_, tick_loop(), asio::detached);
    busy_.emplace(io_->get_executor());
    thread_ = std::thread([this] { run(); });
  }

  void drain(std::chrono::milliseconds grace, bool& clean) {
    asio::post(*io_, [this] {
      error_code ignored;
      acceptor_.close(ignored);
      hub_.draining = true;
      for (Connection* connection : hub_.connections) connection->notify();
    });
    const auto end = Clock::now() + grace;
    while (hub_.counters.open_connections > 0 && Clock::now() < end)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    clean = hub_.counters.open_connections == 0;
    stop();
  }

  void stop() {
    const std::scoped_lock lock(mutex_);
    if (!thread_.joinable()) return;
    asio::post(*io_, [this] {
      error_code ignored;
      acceptor_.close(ignored);
      stopping_ = true;
      timer_.cancel();
      refused_.clear();
      for (Connection* connection : hub_.connections) connection->drop();
    });
    workers_->join();  // what waits for a worker is abandoned by now or soon, and passes without the Handler
    busy_.reset();
    thread_.join();  // ends when nothing is left to do, which is after all answers were destroyed
  }

  HttpStats stats() const {
    const Counters& c = hub_.counters;
    return {.open_connections = c.open_connections,
            .open_answers = c.open_answers,
            .connections = c.connections,
            .refused = c.refused,
            .requests = c.requests,
            .rejected = c.rejected,
            .bytes_in = c.bytes_in,
            .bytes_out = c.bytes_out};
  }

  int port() const { return endpoint_.port(); }
  std::string url() const { return (hub_.config.tls ? "https://" : "http://") + text(endpoint_); }

 private:
  void run() {
    for (;;) {
      try {
        io_->run();
        return;
      } catch (const std::exception& e) {
        log_error("HTTP server: {}", e.what());
      }
    }
  }

  void listen() {
    const tcp::endpoint wanted = resolve(hub_.config.host, hub_.config.port);
    const auto check = [&](const error_code& error) {
      if (!error) return;
      error_code ignored;
      acceptor_.close(ignored);
      fail(ErrorCode::kIo, "cannot listen on {}: {}", text(wanted), error.message());
    };
    error_code error;
    check(acceptor_.open(wanted.protocol(), error));
    check(acceptor_.set_option(tcp::acceptor::reuse_address(true), error));
    check(acceptor_.bind(wanted, error));
    check(acceptor_.listen(tcp::acceptor::max_listen_connections, error));
    endpoint_ = acceptor_.local_endpoint(error);
    check(error);
    hub_.allowed_hosts = hub_.config.allowed_hosts;
    if (!hub_.allowed_hosts && wanted.address().is_loopback() &&
        hub_.config.cors.mode != CorsPolicy::Mode::kAny) {
      const std::string host = hub_.config.host;
      hub_.allowed_hosts = {"localhost", "127.0.0.1", "[::1]",
                            host.find(':') == std::string::npos ? host : "[" + host + "]"};
    }
  }

  asio::awaitable<void> accept_loop() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kResult);
      if (!acceptor_.is_open()) co_return;
      if (error) {
        // Out of files, or a client that was gone again at once: no reason to stop, nor to spin.
        asio::steady_timer pause(*io_, kTick);
        co_await pause.async_wait(kResult);
        continue;
      }
      try {
        accept(std::move(socket));
      } catch (const std::exception& e) {
        log_error("a connection could not be accepted: {}", e.what());
      }
    }
  }

  void accept(tcp::socket socket) {
    ++hub_.counters.connections;
    if (hub_.connections.size() >= hub_.config.limits.connections) return refuse(std::move(socket));
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const std::string peer = socket.remote_endpoint(ignored).address().to_string();
    auto transport = make_transport(Socket(std::move(socket)), tls_ ? &*tls_ : nullptr);
    std::make_shared<Connection>(hub_, std::move(transport), peer)->start();
  }

  // Says so in plain text; with TLS there is nothing that could be said without work.
  void refuse(tcp::socket socket) {
    ++hub_.counters.refused;
    if (tls_) return;
    const std::string id = new_request_id();
    const std::string message = "The server has too many open connections.";
    const std::string body = hub_.config.error_body ? hub_.config.error_body("", 503, message) : message;
    const HttpHead head{
        503, hub_.config.error_body ? "application/json" : "text/plain", {{"Retry-After", "1"}}};
    const std::string bytes =
        response_head(head, {Framing::Kind::kLength, body.size()}, {id, hub_.date(), false, nullptr}) + body;
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(bytes), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
    // Closed a little later: closing on a request that nobody has read would take the answer away.
    if (refused_.size() >= kMostRefused) refused_.pop_front();
    refused_.push_back({std::move(socket), Clock::now() + 10 * kTick});
  }

  asio::awaitable<void> tick_loop() {
    while (!stopping_) {
      timer_.expires_after(kTick);
      co_await timer_.async_wait(kResult);
      const auto now = Clock::now();
      for (Connection* connection : hub_.connections) connection->tick(now);
      while (!refused_.empty() && refused_.front().close_at <= now) refused_.pop_front();
    }
  }

  struct Refused {
    tcp::socket socket;
    Clock::time_point close_at;
  };
  static constexpr size_t kMostRefused = 64;

  std::shared_ptr<asio::io_context> io_;
  ConnectionHub hub_;
  std::optional<asio::ssl::context> tls_;
  tcp::acceptor acceptor_;
  tcp::endpoint endpoint_;
  asio::steady_timer timer_;
  std::deque<Refused> refused_;
  bool stopping_ = false;  // io thread
  std::mutex mutex_;       // start and stop
  std::optional<asio::thread_pool> workers_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> busy_;  // answers may still come
  std::thread thread_;
};

HttpServer::HttpServer(HttpConfig config, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(handler))) {}
HttpServer::~HttpServer() = default;

void HttpServer::start() {
  impl_->start();
}
int HttpServer::port() const {
  return impl_->port();
}
std::string HttpServer::url() const {
  return impl_->url();
}
bool HttpServer::drain(std::chrono::milliseconds grace) {
  bool clean = false;
  impl_->drain(grace, clean);
  return clean;
}
void HttpServer::stop() {
  impl_->stop();
}
HttpStats HttpServer::stats() const {
  return impl_->stats();
}

}  // namespace hadal::serve
