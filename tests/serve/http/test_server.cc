#include "serve/http/test_server.h"

#include <chrono>
#include <stdexcept>
#include <thread>

#include "serve/http/sse.h"

namespace hadal::serve {
namespace {

struct Alive {
  explicit Alive(std::atomic<int>& n) : count(n) { ++count; }
  ~Alive() { --count; }
  std::atomic<int>& count;
};

// Produces without end.
class FloodAnswer final : public HttpAnswer {
 public:
  FloodAnswer(std::atomic<int64_t>& bytes, std::atomic<int>& alive) : bytes_(bytes), alive_(alive) {}
  bool pull(std::string& out) override {
    out.append(65536, 'x');
    bytes_ += 65536;
    return false;
  }
  const HttpHead& head() override { return head_; }

 private:
  HttpHead head_;
  std::atomic<int64_t>& bytes_;
  Alive alive_;
};

// Throws after so many pulls with a piece of text.
class ThrowingAnswer final : public HttpAnswer {
 public:
  explicit ThrowingAnswer(int pulls) : left_(pulls) {}
  bool pull(std::string& out) override {
    if (left_-- == 0) throw std::runtime_error("an answer that throws");
    out += "some text\n";
    return false;
  }
  const HttpHead& head() override { return head_; }

 private:
  HttpHead head_;
  int left_;
};

class CountedReady final : public HttpAnswer {
 public:
  CountedReady(std::string body, int status, std::atomic<int>& alive)
      : ready_({status, "text/plain", {{"X-Evil", "a\r\nInjected: yes"}}}, std::move(body)), alive_(alive) {}
  bool pull(std::string& out) override { return ready_.pull(out); }
  const HttpHead& head() override { return ready_.head(); }

 private:
  ReadyAnswer ready_;
  Alive alive_;
};

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

class FeedAnswer final : public HttpAnswer {
 public:
  FeedAnswer(std::shared_ptr<Feed> feed, std::atomic<int>& alive) : feed_(std::move(feed)), alive_(alive) {}
  ~FeedAnswer() override { feed_->destroyed_ = true; }
  bool pull(std::string& out) override {
    ++feed_->pulls_;
    const std::scoped_lock lock(feed_->mutex_);
    out += std::exchange(feed_->text_, {});
    return feed_->end_;
  }
  const HttpHead& head() override { return head_; }
  std::string_view keep_alive() override { return kSseKeepAlive; }

 private:
  HttpHead head_ = sse_head();
  std::shared_ptr<Feed> feed_;
  Alive alive_;
};

void Feed::push(std::string_view text) {
  {
    const std::scoped_lock lock(mutex_);
    text_ += text;
  }
  wake_();
}

void Feed::end() {
  {
    const std::scoped_lock lock(mutex_);
    end_ = true;
  }
  wake_();
}

HttpTestServer::HttpTestServer(std::function<void(HttpConfig&)> change) {
  HttpConfig config;
  config.port = 0;
  config.error_body = [](std::string_view path, int status, std::string_view message) {
    return std::to_string(status) + " [" + std::string(path) + "] " + std::string(message);
  };
  if (change) change(config);
  server_ = std::make_unique<HttpServer>(std::move(config), [this](HttpRequest request, Wake wake) {
    return handle(std::move(request), std::move(wake));
  });
  server_->start();
}

HttpTestServer::~HttpTestServer() {
  unblock();
  server_->stop();
}

bool HttpTestServer::idle() const {
  const HttpStats stats = server_->stats();
  return stats.open_answers == 0 && stats.open_connections == 0 && alive_ == 0;
}

std::shared_ptr<Feed> HttpTestServer::feed(size_t n) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds(60), [&] { return feeds_.size() > n; }))
    throw std::runtime_error("no request for /feed came");
  return feeds_[n];
}

void HttpTestServer::unblock() {
  const std::scoped_lock lock(mutex_);
  unblocked_ = true;
  changed_.notify_all();
}

std::unique_ptr<HttpAnswer> HttpTestServer::handle(HttpRequest request, Wake wake) {
  if (request.path == "/feed") {
    const std::scoped_lock lock(mutex_);
    feeds_.push_back(std::make_shared<Feed>(request.query));
    feeds_.back()->wake_ = std::move(wake);
    changed_.notify_all();
    return std::make_unique<FeedAnswer>(feeds_.back(), alive_);
  }
  if (request.path == "/flood") return std::make_unique<FloodAnswer>(flooded_, alive_);
  if (request.path == "/throw") throw std::runtime_error("a handler that throws");
  if (request.path == "/null") return nullptr;
  if (request.path == "/throw_pull") return std::make_unique<ThrowingAnswer>(0);
  if (request.path == "/throw_late") return std::make_unique<ThrowingAnswer>(2);
  if (request.path == "/none") return std::make_unique<CountedReady>("", 204, alive_);
  if (request.path == "/missing") return std::make_unique<CountedReady>("not here", 404, alive_);
  if (request.path == "/block") {
    std::unique_lock lock(mutex_);
    ++blocked_;
    changed_.wait(lock, [&] { return unblocked_; });
    --blocked_;
  }
  size_t sum = 0;
  for (const char c : request.body) sum = sum * 31 + static_cast<unsigned char>(c);
  return std::make_unique<CountedReady>(request.method + " " + request.path + " ?" + request.query + " " +
                                            std::to_string(request.body.size()) + " " + std::to_string(sum) +
                                            " " + request.id + " " + request.peer,
                                        200, alive_);
}

}  // namespace hadal::serve
