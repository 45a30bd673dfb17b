// One connection: reads requests, has them handled, writes answers, until a side has had enough. Inside of
// the server; names Boost.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "serve/http/exchange.h"
#include "serve/http/request_parser.h"
#include "serve/http/response_head.h"
#include "serve/http/server.h"
#include "serve/http/transport.h"

namespace hadal::serve {

// What all connections of a server share. Used on the io thread.
struct ConnectionHub {
  std::shared_ptr<boost::asio::io_context> io;
  HttpConfig config;
  Handler handler;
  std::function<void(std::function<void()>)> run_on_worker;
  std::optional<std::vector<std::string>> allowed_hosts;  // null: any
  Counters counters;
  bool draining = false;
  std::unordered_set<Connection*> connections;

  std::string_view date();  // now, for a Date header

 private:
  std::time_t date_time_ = -1;
  std::string date_;
};

// Two coroutines on the io thread: one reads bytes for as long as there is room for them, which is also how
// it notices at any moment that the client has gone; the other does everything else and sleeps on one timer,
// which whatever happens cuts short. Owned by its coroutines.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // The hub must outlive the connection.
  Connection(ConnectionHub& hub, std::unique_ptr<Transport> transport, std::string peer);
  ~Connection();

  void start();
  void notify() { signal_.cancel(); }  // something has changed: look again
  void drop();                         // ends it now
  void deliver(const Exchange& exchange, CountedAnswer answer);
  // Looks after what has no timer of its own; to be called about every 100 ms.
  void tick(std::chrono::steady_clock::time_point now);

 private:
  using Clock = std::chrono::steady_clock;
  template <class T>
  using Awaitable = boost::asio::awaitable<T>;

  // What of a request its answer depends on.
  struct Reply {
    std::string id, path;
    bool http11 = true, head_only = false, keep_alive = false;
    std::vector<Header> headers;  // CORS
  };
  // A whole request, a reason to refuse it, or neither: the connection is to be closed.
  struct ReadResult {
    bool complete = false;
    std::optional<Refusal> refusal;
  };
  enum class After { kNext, kLinger, kClose };  // a request

  Awaitable<void> run();
  Awaitable<void> read_loop();
  Awaitable<After> serve_one();
  Awaitable<ReadResult> read_request(RequestParser& parser, Counted& body);
  std::optional<Refusal> check_head(const HttpRequest& request) const;
  Awaitable<CountedAnswer> handle(HttpRequest request, Counted body);
  Awaitable<After> refuse(const HttpRequest& request, Refusal refusal);
  Awaitable<After> send_answer(HttpAnswer& answer, Reply& reply);
  Awaitable<bool> write(std::string_view bytes);
  Awaitable<void> linger();
  Awaitable<void> sleep_until(Clock::time_point time);
  bool has_room() const;
  void take_input(size_t n);

  ConnectionHub& hub_;
  std::unique_ptr<Transport> transport_;
  const std::string peer_;
  boost::asio::steady_timer signal_;  // run() sleeps on it
  boost::asio::steady_timer room_;    // read_loop() does
  std::string input_;                 // read and not taken by a parser
  size_t taken_ = 0;                  // of input_
  Clock::time_point last_input_;
  Clock::time_point write_deadline_ = Clock::time_point::max();
  std::shared_ptr<Exchange> exchange_;      // of the request being handled
  std::optional<CountedAnswer> delivered_;  // by its worker
  bool fresh_ = true;                       // before its first request
  bool gone_ = false;                       // the other side sends no more, or the connection is dropped
  bool answering_ = false;                  // to be given up as soon as the other side is gone
  bool discarding_ = false;                 // what comes is of no interest any more
};

}  // namespace hadal::serve
