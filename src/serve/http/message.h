// What an HTTP request and its answer are to the rest of the server: no sockets, no library.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hadal::serve {

struct Header {
  std::string name, value;
};

struct HttpRequest {
  std::string method;  // as sent: "GET"
  std::string path;    // percent-decoded, valid UTF-8, begins with "/", ends with one only if it is "/"
  std::string query;   // as sent, without "?"
  std::vector<Header> headers;  // names as sent
  std::string body;
  std::string peer;  // the client's address
  std::string id;    // x-request-id: the client's, or one of ours

  // The first header of this name, in any case of letters.
  std::optional<std::string_view> header(std::string_view name) const;
};

struct HttpHead {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<Header> headers;  // besides Content-Type, Content-Length, Transfer-Encoding, Connection, CORS
};

// The answer to one request, pulled by its connection at the pace of the client. pull(), head() and
// keep_alive() come from the connection's thread, one at a time. Destroyed when everything was sent or the
// client has gone: work that is still under way for it is to be given up then.
class HttpAnswer {
 public:
  virtual ~HttpAnswer() = default;
  // Appends what can be sent now to `out`. True: that was the last. False with nothing appended: nothing
  // until the answer is woken. Must not block.
  virtual bool pull(std::string& out) = 0;
  // Asked for once, when there is something to send: the status is certain from then on.
  virtual const HttpHead& head() = 0;
  // Asked for whenever nothing was sent for the keep-alive interval: what shows that the connection lives,
  // after the head if that is still to come; empty: nothing.
  virtual std::string_view keep_alive() { return {}; }
};

// Tells a connection that its answer has something to pull. From any thread, any number of times, also after
// the answer is gone. Cheap.
using Wake = std::function<void()>;

// Called on a worker thread; may take its time. Throws only what is a bug of ours: the client gets a 500.
using Handler = std::function<std::unique_ptr<HttpAnswer>(HttpRequest request, Wake wake)>;

// An answer that is there from the beginning.
class ReadyAnswer : public HttpAnswer {
 public:
  ReadyAnswer(HttpHead head, std::string body) : head_(std::move(head)), body_(std::move(body)) {}
  bool pull(std::string& out) override {
    out += std::exchange(body_, {});
    return true;
  }
  const HttpHead& head() override { return head_; }

 private:
  HttpHead head_;
  std::string body_;
};

}  // namespace hadal::serve
