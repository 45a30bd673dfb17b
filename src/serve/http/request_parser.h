// Bytes to HttpRequests, with all limits on sizes; knows no sockets and no clock. Any bytes may come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/message.h"
#include "serve/http/server.h"

namespace hadal::serve {

// Why a request is refused: what the error's body is made from.
struct Refusal {
  int status = 400;
  std::string message;
};

// One request. HTTP/1.1 and 1.0; a body has a Content-Length or is chunked. Whatever two parties could read
// in two ways (request smuggling) is refused: both lengths, a length twice, a coding besides chunked, two
// Hosts.
class RequestParser {
 public:
  explicit RequestParser(const HttpLimits& limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  // Takes what it can from the beginning of `bytes` and says how many; the others must be there again in the
  // next call. Takes nothing behind the end of the request. Not to be called after done() or refusal().
  size_t put(std::string_view bytes);

  bool started() const;    // something has come besides empty lines
  bool head_done() const;  // the headers are all there and make sense
  bool done() const;
  const std::optional<Refusal>& refusal() const;

  // What is known so far; path and method are there as soon as the request line is. peer and id are left
  // empty.
  HttpRequest& request();
  const HttpRequest& request() const;

  // From head_done() on:
  bool http11() const;
  bool keep_alive() const;  // the client wants to send another request
  bool expects_continue() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hadal::serve
