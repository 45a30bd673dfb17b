#include "serve/http/request_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "base/check.h"
#include "serve/http/path.h"

namespace hadal::serve {
namespace {

namespace http = boost::beast::http;
using boost::beast::error_code;
using BeastView = boost::beast::string_view;

std::string_view view(BeastView text) {
  return {text.data(), text.size()};
}

bool decimal(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

class RequestParser::Impl final : public http::basic_parser<true> {
 public:
  explicit Impl(const HttpLimits& limits) : limits_(limits) {
    header_limit(static_cast<uint32_t>(std::min<size_t>(limits.header_bytes, UINT32_MAX)));
    body_limit(limits.body_bytes);
  }

  size_t put_bytes(std::string_view bytes) {
    HADAL_CHECK(!refused && !is_done());
    size_t used = started ? 0 : skip_empty_lines(bytes);
    while (started && !refused && !is_done() && used < bytes.size()) {
      const std::string_view rest = bytes.substr(used);
      // The shortest end of a chunked body is "0\r\n\r\n": before a chunk there is always as much still to
      // come, and Beast asserts that it has that much when it looks at a last chunk for the second time.
      if (is_header_done() && chunked() && chunk_left_ == 0 && rest.size() < 5) break;
      const bool in_head = !is_header_done();
      error_code error;
      const size_t n = put(boost::asio::const_buffer(rest.data(), rest.size()), error);
      used += n;
      if (in_head) check_head(rest, n, error);
      if (error == http::error::need_more) {
        // Of chunk sizes, extensions and trailers no more is kept than of headers.
        if (rest.size() - n > limits_.header_bytes) refuse(431, "The request's headers are too long.");
        break;
      }
      if (error) refuse_error(error);
    }
    return used;
  }

  HttpRequest request;
  std::optional<Refusal> refused;
  bool started = false, http11 = false, expects_continue = false;

 private:
  // Empty lines before a request line are ignored (RFC 9112, 2.2): old clients end a body with one.
  size_t skip_empty_lines(std::string_view bytes) {
    size_t used = 0;
    while (bytes.substr(used).starts_with("\r\n")) used += 2;
    head_bytes_ += used;
    if (head_bytes_ > limits_.header_bytes) refuse(431, "The request's headers are too long.");
    started = used < bytes.size() && bytes.substr(used) != "\r";
    return used;
  }

  void refuse(int status, std::string message) {
    if (!refused) refused = Refusal{status, std::move(message)};
  }

  // From inside a callback: the parser stops at once.
  void refuse(int status, std::string message, error_code& error) {
    refuse(status, std::move(message));
    error = http::error::bad_value;
  }

  // What Beast does not check, or says less about, in the first n bytes of `bytes`, which it took.
  void check_head(std::string_view bytes, size_t n, error_code& error) {
    head_bytes_ += n;
    if (head_bytes_ > limits_.header_bytes) error = http::error::header_limit;
    if (error == http::error::bad_version && is_other_version(bytes))
      refuse(505, "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    // A header that goes on in the next line: obsolete, and not everybody reads it like that.
    const std::string_view taken = bytes.substr(0, n);
    if (taken.find("\r\n ") != std::string_view::npos || taken.find("\r\n\t") != std::string_view::npos)
      refuse(400, "The request is not valid HTTP: a header is folded.");
  }

  static bool is_other_version(std::string_view line) {
    const size_t target = line.find(' ') + 1;
    const std::string_view version = line.substr(line.find(' ', target) + 1).substr(0, 8);
    return version.size() == 8 && version.starts_with("HTTP/") && decimal(version[5]) && version[6] == '.' &&
           decimal(version[7]) && version != "HTTP/1.1" && version != "HTTP/1.0";
  }

  void refuse_error(const error_code& error) {
    if (error == http::error::header_limit) return refuse(431, "The request's headers are too long.");
    if (error == http::error::body_limit)
      return refuse(413,
                    "The request's body is longer than " + std::to_string(limits_.body_bytes) + " bytes.");
    refuse(400, "The request is not valid HTTP: " + error.message() + ".");
  }

  void on_request_impl(http::verb, BeastView method, BeastView target, int version,
                       error_code& error) override {
    http11 = version >= 11;
    request.method = view(method);
    auto parts = serve::parse_target(view(target));
    if (!parts || (parts->path == "*" && request.method != "OPTIONS"))
      return refuse(400, "The request's path is not valid.", error);
    request.path = std::move(parts->path);
    request.query = std::move(parts->query);
  }

  void on_field_impl(http::field name, BeastView name_text, BeastView value, error_code& error) override {
    if (in_body_) return;  // a trailer: must not change what was decided
    if (request.headers.size() >= limits_.headers)
      return refuse(431, "The request has too many headers.", error);
    const std::string_view text = view(value);
    if (text.find('\0') != std::string_view::npos) return refuse(400, "A header contains a NUL.", error);
    request.headers.push_back({std::string(view(name_text)), std::string(text)});
    switch (name) {
      case http::field::host:
        if (has_host_) refuse(400, "The request has more than one Host header.", error);
        has_host_ = true;
        break;
      case http::field::content_length:
        if (has_length_ || text.empty() || !std::all_of(text.begin(), text.end(), decimal))
          refuse(400, "The request's Content-Length is not one number.", error);
        has_length_ = true;
        break;
      case http::field::transfer_encoding:
        if (!http11) refuse(400, "HTTP/1.0 has no Transfer-Encoding.", error);
        if (!boost::beast::iequals(value, "chunked"))
          refuse(501, "The only Transfer-Encoding understood is chunked.", error);
        break;
      case http::field::expect:
        if (!boost::beast::iequals(value, "100-continue"))
          refuse(417, "The only expectation understood is 100-continue.", error);
        expects_continue = http11;
        break;
      default:
        break;
    }
  }

  void on_header_impl(error_code& error) override {
    in_body_ = true;
    if (http11 && !has_host_) refuse(400, "The request has no Host header.", error);
  }

  void on_body_init_impl(const boost::optional<uint64_t>& length, error_code&) override {
    length_ = length ? static_cast<size_t>(*length) : 0;
  }

  size_t on_body_impl(BeastView bytes, error_code&) override {
    append(view(bytes));
    return bytes.size();
  }

  size_t on_chunk_body_impl(uint64_t, BeastView bytes, error_code&) override {
    append(view(bytes));
    chunk_left_ -= bytes.size();
    return bytes.size();
  }

  // Memory grows with what has come, not with what was announced, and never beyond that.
  void append(std::string_view bytes) {
    std::string& body = request.body;
    const size_t needed = body.size() + bytes.size();
    if (needed > body.capacity()) {
      const size_t doubled = std::max(needed, 2 * body.capacity());
      body.reserve(length_ > 0 ? std::min(doubled, length_) : doubled);
    }
    body += bytes;
  }

  void on_response_impl(int, BeastView, int, error_code&) override {}
  void on_chunk_header_impl(uint64_t size, BeastView, error_code&) override { chunk_left_ = size; }
  void on_finish_impl(error_code&) override {}

  HttpLimits limits_;
  size_t head_bytes_ = 0;  // taken so far
  uint64_t chunk_left_ = 0;
  size_t length_ = 0;  // Content-Length, 0: unknown
  bool has_host_ = false, has_length_ = false, in_body_ = false;
};

RequestParser::RequestParser(const HttpLimits& limits) : impl_(std::make_unique<Impl>(limits)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

size_t RequestParser::put(std::string_view bytes) {
  return impl_->put_bytes(bytes);
}
bool RequestParser::started() const {
  return impl_->started;
}
bool RequestParser::head_done() const {
  return impl_->is_header_done() && !impl_->refused;
}
bool RequestParser::done() const {
  return impl_->is_done() && !impl_->refused;
}
const std::optional<Refusal>& RequestParser::refusal() const {
  return impl_->refused;
}
HttpRequest& RequestParser::request() {
  return impl_->request;
}
const HttpRequest& RequestParser::request() const {
  return impl_->request;
}
bool RequestParser::http11() const {
  return impl_->http11;
}
bool RequestParser::keep_alive() const {
  return impl_->keep_alive();
}
bool RequestParser::expects_continue() const {
  return impl_->expects_continue;
}

}  // namespace hadal::serve
