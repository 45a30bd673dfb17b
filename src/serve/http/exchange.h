// What passes between a connection and other threads while one of its requests is answered: the request to a
// worker, the answer back, and wakes. Inside of the server; names Boost.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "serve/http/message.h"
#include "serve/http/server.h"

namespace hadal::serve {

class Connection;

// Adds to a counter for as long as it lives.
class Counted {
 public:
  Counted() = default;
  Counted(std::atomic<int64_t>& counter, int64_t n) : counter_(&counter), n_(n) { counter += n; }
  Counted(Counted&& other) noexcept
      : counter_(std::exchange(other.counter_, nullptr)), n_(std::exchange(other.n_, 0)) {}
  Counted& operator=(Counted&& other) noexcept {
    std::swap(counter_, other.counter_);
    std::swap(n_, other.n_);
    return *this;
  }
  ~Counted() {
    if (counter_) *counter_ -= n_;
  }
  // Only while it counts something.
  void add(int64_t n) {
    *counter_ += n;
    n_ += n;
  }

 private:
  std::atomic<int64_t>* counter_ = nullptr;
  int64_t n_ = 0;
};

struct Counters {
  std::atomic<int64_t> open_connections{0}, open_answers{0}, connections{0}, refused{0}, requests{0},
      rejected{0}, bytes_in{0}, bytes_out{0}, body_bytes{0};
};

// An answer with the count of answers that it is part of.
struct CountedAnswer {
  Counted count;
  std::unique_ptr<HttpAnswer> answer;  // null: the Handler threw
};

// Outlives the connection as long as somebody holds the Wake.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(const std::shared_ptr<boost::asio::io_context>& io, std::weak_ptr<Connection> connection)
      : io_(io), connection_(std::move(connection)) {}

  // Any thread. Costs an atomic exchange unless the connection is armed, and then one post.
  void wake();
  // On a worker: hands the answer to the connection, or destroys it on the io thread if that is gone.
  void deliver(CountedAnswer answer);
  // Whether the client is gone, so that a request that waits for a worker need not be handled.
  bool abandoned() const { return abandoned_.load(std::memory_order_relaxed); }

  // io thread. The next wake() is to be told to the connection: to be called before a pull, so that what
  // comes after the pull is not missed.
  void arm() { armed_.store(true); }
  void abandon() { abandoned_.store(true, std::memory_order_relaxed); }

 private:
  // Weak: a wake may come when the server is gone.
  const std::weak_ptr<boost::asio::io_context> io_;
  const std::weak_ptr<Connection> connection_;  // locked on the io thread only
  std::atomic<bool> armed_{false}, abandoned_{false};
};

}  // namespace hadal::serve
