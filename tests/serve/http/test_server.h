// A server on a free port whose handler has an answer of each kind a connection must cope with.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "serve/http/server.h"

namespace hadal::serve {

// Waits until it holds; false after a time that only a failing test reaches.
bool eventually(const std::function<bool()>& condition);

// A stream that a test feeds: what a connection does with it is seen from here.
class Feed {
 public:
  explicit Feed(std::string query) : query_(std::move(query)) {}
  const std::string& query() const { return query_; }  // of its request
  void push(std::string_view text);
  void end();
  bool destroyed() const { return destroyed_; }
  int pulls() const { return pulls_; }

 private:
  const std::string query_;
  friend class FeedAnswer;
  friend class HttpTestServer;
  std::mutex mutex_;
  std::string text_;
  bool end_ = false;
  Wake wake_;
  std::atomic<bool> destroyed_{false};
  std::atomic<int> pulls_{0};
};

class HttpTestServer {
 public:
  explicit HttpTestServer(std::function<void(HttpConfig&)> change = {});
  ~HttpTestServer();

  int port() const { return server_->port(); }
  HttpServer& server() { return *server_; }
  bool idle() const;  // no answer, no connection

  // The stream of the n-th request for /feed, counted as they were handled, waited for.
  std::shared_ptr<Feed> feed(size_t n = 0);
  // Requests for /block return when this is called.
  void unblock();
  int blocked() const { return blocked_; }
  // Bytes that answers to /flood have produced.
  int64_t flooded() const { return flooded_; }
  // Answers of any kind that exist.
  int alive() const { return alive_; }

 private:
  std::unique_ptr<HttpAnswer> handle(HttpRequest request, Wake wake);

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<Feed>> feeds_;
  bool unblocked_ = false;
  std::atomic<int> blocked_{0}, alive_{0};
  std::atomic<int64_t> flooded_{0};
  std::unique_ptr<HttpServer> server_;
};

}  // namespace hadal::serve
