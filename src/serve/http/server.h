// The HTTP server: sockets, limits, timeouts, TLS, and the loop that hands requests to a Handler and pulls
// its answers. One io thread moves all bytes and pulls all answers; a few worker threads run the Handler.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/cors.h"
#include "serve/http/message.h"

namespace hadal::serve {

// Beyond a limit the client gets the status named here, and the connection is closed.
struct HttpLimits {
  size_t header_bytes = size_t{64} << 10;   // request line and headers: 431
  size_t headers = 256;                     // their number: 431
  size_t body_bytes = size_t{64} << 20;     // of one request: 413
  size_t all_body_bytes = size_t{1} << 30;  // of all requests being read or in the Handler: 503
  size_t connections = 4096;                // 503
  // From the first byte of a request, or from the connection's beginning, to the last header: 408.
  std::chrono::milliseconds header_timeout{20'000};
  std::chrono::milliseconds body_timeout{30'000};  // without a byte of the body: 408
  size_t body_bytes_per_second = 1024;             // on average, after a first body_timeout: 408
  // These just close:
  std::chrono::milliseconds idle_timeout{75'000};   // between two requests
  std::chrono::milliseconds write_timeout{60'000};  // without a byte taken by the client
  std::chrono::milliseconds linger{5'000};          // without a byte from a client that got its last answer
};

// The body of an answer that the server gives itself (400, 403, 408, 413, 431, 500, 501, 503, 505), as JSON.
// `path` is empty when the request line was not understood. From any thread; must not throw.
using ErrorBody = std::function<std::string(std::string_view path, int status, std::string_view message)>;

struct TlsFiles {
  std::string certificate, key;  // paths of PEM files; the certificate first in its file, then its chain
};

struct HttpConfig {
  std::string host = "127.0.0.1";  // a name or an address to listen on
  int port = 8080;                 // 0: any that is free
  int workers = 4;                 // threads that run the Handler
  HttpLimits limits;
  // A stream is written at most once in this time: a slow model's tokens go at once, a fast one's are
  // gathered.
  std::chrono::milliseconds flush_interval{10};
  std::chrono::milliseconds keep_alive_interval{5'000};  // of HttpAnswer::keep_alive()
  CorsPolicy cors;
  // What a Host header may name (without port): a page of another site that has its own name point at this
  // machine is refused with 403, and so is what a browser sends across sites. Not set: loopback's own names
  // if the server listens on loopback and `cors` does not allow any origin, no check otherwise.
  std::optional<std::vector<std::string>> allowed_hosts;
  std::optional<TlsFiles> tls;  // set: HTTPS only, TLS 1.2 at least
  ErrorBody error_body;         // not set: {"error":{"message":...}}
  // The methods of a path ("*": of any) as an Allow header lists them; empty where there is nothing. Asked by
  // the connections' thread. Not set: empty.
  std::function<std::string(std::string_view path)> allow;
};

struct HttpStats {
  int64_t open_connections = 0;
  int64_t open_answers = 0;  // requests handed to the Handler and not yet done with
  int64_t connections = 0;   // accepted so far, those refused included
  int64_t refused = 0;       // of these, because there were too many
  int64_t requests = 0;      // whose headers were understood
  int64_t rejected = 0;      // requests, or what should have been one, that the server refused itself
  int64_t bytes_in = 0, bytes_out = 0;
};

// All methods from any thread, start() once and first; it raises the process's limit of open files if that is
// too low for the connections. The Handler and its answers must stay valid until
// stop() has returned; wakes may come later.
class HttpServer {
 public:
  HttpServer(HttpConfig config, Handler handler);
  ~HttpServer();  // stop()
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Binds and starts the threads. Error (kIo, kInvalidInput) names the address or the TLS file and the
  // reason.
  void start();
  int port() const;         // that it listens on
  std::string url() const;  // "http://127.0.0.1:8080"

  // Accepts no more connections, closes idle ones, answers new requests with 503 and waits until the running
  // answers are done. After `grace` the rest is dropped. True: nothing had to be dropped. Then stop().
  bool drain(std::chrono::milliseconds grace);
  // Drops everything and joins the threads: after it no answer exists and the Handler is not called any more.
  void stop();

  HttpStats stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hadal::serve
