#include "serve/http/connection.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "base/log.h"
#include "serve/http/cors.h"
#include "serve/http/request_id.h"

// g++ 12 sees one half of asio's own pair of operators for coroutine frames inlined and the other not.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace hadal::serve {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

// What must stay in memory between requests is little; a buffer that was larger is given back.
constexpr size_t kKeptBuffer = size_t{4} << 10;

void give_back(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > kKeptBuffer) buffer = {};
}

// Calls what an answer or a handler brings along. False: it threw.
template <class Body>
bool guarded(std::string_view id, Body body) {
  try {
    body();
    return true;
  } catch (const std::exception& e) {
    log_error("request {}: {}", id, e.what());
  } catch (...) {
    log_error("request {}: an exception of unknown type", id);
  }
  return false;
}

ReadyAnswer error_answer(const HttpConfig& config, std::string_view path, const Refusal& refusal) {
  HttpHead head{refusal.status, "application/json", {}};
  if (refusal.status == 503) head.headers.push_back({"Retry-After", "1"});
  std::string body = config.error_body ? config.error_body(path, refusal.status, refusal.message)
                                       : fmt::format(R"({{"error":{{"message":"{}"}}}})", refusal.message);
  return {std::move(head), std::move(body)};
}

}  // namespace

std::string_view ConnectionHub::date() {
  if (const std::time_t now = std::time(nullptr); now != date_time_) {
    date_time_ = now;
    date_ = http_date(now);
  }
  return date_;
}

Connection::Connection(ConnectionHub& hub, std::unique_ptr<Transport> transport, std::string peer)
    : hub_(hub), transport_(std::move(transport)), peer_(std::move(peer)), signal_(*hub.io), room_(*hub.io) {
  hub_.connections.insert(this);
  ++hub_.counters.open_connections;
}

Connection::~Connection() {
  hub_.connections.erase(this);
  --hub_.counters.open_connections;
}

void Connection::start() {
  asio::co_spawn(*hub_.io, run(), [self = shared_from_this()](const std::exception_ptr& error) {
    if (error) guarded("", [&] { std::rethrow_exception(error); });
    self->drop();
  });
}

void Connection::drop() {
  gone_ = true;
  transport_->close();
  room_.cancel();
  notify();
}

void Connection::deliver(const Exchange& exchange, CountedAnswer answer) {
  if (exchange_.get() != &exchange) return;
  delivered_ = std::move(answer);
  notify();
}

void Connection::tick(Clock::time_point now) {
  // A client that has sent so much that nobody reads on is not seen to go by read_loop().
  if (now >= write_deadline_ || (answering_ && !gone_ && !has_room() && transport_->peer_closed())) drop();
}

Connection::Awaitable<void> Connection::sleep_until(Clock::time_point time) {
  signal_.expires_at(time);
  co_await signal_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Connection::Awaitable<void> Connection::run() {
  write_deadline_ = Clock::now() + hub_.config.limits.header_timeout;
  const bool open = co_await transport_->open();
  write_deadline_ = Clock::time_point::max();
  if (!open || gone_) co_return;
  asio::co_spawn(*hub_.io, read_loop(), [self = shared_from_this()](const std::exception_ptr& error) {
    if (error) guarded("", [&] { std::rethrow_exception(error); });
    // Whoever closes its sending half is taken to be gone: an answer it may still want to read is not worth
    // computing for one that is not there any more.
    self->gone_ = true;
    if (self->answering_) self->transport_->close();
    self->notify();
  });
  After after = After::kNext;
  while (after == After::kNext) {
    after = co_await serve_one();
    answering_ = false;
    fresh_ = false;
  }
  if (after == After::kLinger) co_await linger();
}

Connection::Awaitable<void> Connection::read_loop() {
  std::string bytes;
  while (!gone_) {
    while (!discarding_ && !has_room() && !gone_) {
      room_.expires_at(Clock::time_point::max());
      co_await room_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (!co_await transport_->read(bytes)) co_return;
    hub_.counters.bytes_in += static_cast<int64_t>(bytes.size());
    last_input_ = Clock::now();
    if (!discarding_) {
      input_ += bytes;
      notify();
    }
    give_back(bytes);
  }
}

// As much as a parser may want to see at once, and some more.
bool Connection::has_room() const {
  return input_.size() - taken_ < hub_.config.limits.header_bytes + (size_t{16} << 10);
}

void Connection::take_input(size_t n) {
  taken_ += n;
  if (taken_ == input_.size()) {
    taken_ = 0;
    give_back(input_);
  } else if (taken_ >= kKeptBuffer && taken_ >= input_.size() / 2) {
    input_.erase(0, std::exchange(taken_, 0));
  }
  room_.cancel();
}

Connection::Awaitable<Connection::After> Connection::serve_one() {
  RequestParser parser(hub_.config.limits);
  Counted body(hub_.counters.body_bytes, 0);
  const ReadResult read = co_await read_request(parser, body);
  if (read.refusal) co_return co_await refuse(parser.request(), *read.refusal);
  if (!read.complete) co_return After::kClose;

  HttpRequest request = std::move(parser.request());
  request.peer = peer_;
  request.id = request_id(request);
  Reply reply{request.id, request.path, parser.http11(), request.method == "HEAD", parser.keep_alive(), {}};
  answering_ = true;
  if (request.method == "OPTIONS") {
    const auto& allow = hub_.config.allow;
    const std::string methods = allow ? allow(request.path) : std::string();
    ReadyAnswer options({204, "", options_headers(hub_.config.cors, request, methods)}, "");
    co_return co_await send_answer(options, reply);
  }
  reply.headers = cors_headers(hub_.config.cors, request);
  CountedAnswer counted = co_await handle(std::move(request), std::move(body));
  After after = After::kClose;
  if (counted.answer) {
    after = co_await send_answer(*counted.answer, reply);
  } else if (!gone_) {
    ReadyAnswer error =
        error_answer(hub_.config, reply.path, {500, "The server failed to handle the request."});
    after = co_await send_answer(error, reply);
  }
  exchange_->abandon();
  exchange_.reset();
  co_return after;
}

Connection::Awaitable<Connection::ReadResult> Connection::read_request(RequestParser& parser, Counted& body) {
  const HttpLimits& limits = hub_.config.limits;
  Clock::time_point now = Clock::now();
  const auto idle_deadline = now + (fresh_ ? limits.header_timeout : limits.idle_timeout);
  auto head_deadline = Clock::time_point::max();
  Clock::time_point body_begin;
  bool head_checked = false, continued = false;
  size_t body_bytes = 0;
  for (;;) {
    if (taken_ < input_.size()) take_input(parser.put(std::string_view(input_).substr(taken_)));
    if (parser.refusal()) co_return ReadResult{false, parser.refusal()};
    now = Clock::now();
    if (parser.head_done() && !std::exchange(head_checked, true)) {
      ++hub_.counters.requests;
      body_begin = now;
      if (auto refusal = check_head(parser.request())) co_return ReadResult{false, std::move(refusal)};
    }
    body.add(static_cast<int64_t>(parser.request().body.size() - body_bytes));
    body_bytes = parser.request().body.size();
    if (body_bytes > 0 && hub_.counters.body_bytes > static_cast<int64_t>(limits.all_body_bytes))
      co_return ReadResult{false, Refusal{503, "The server is reading too many large requests."}};
    if (parser.done()) co_return ReadResult{true, {}};
    if (gone_) co_return ReadResult{};

    Clock::time_point deadline;
    if (!parser.started()) {
      if (hub_.draining || now >= idle_deadline) co_return ReadResult{};
      deadline = idle_deadline;
    } else if (!head_checked) {
      head_deadline = std::min(head_deadline, now + limits.header_timeout);
      deadline = head_deadline;
      if (now >= deadline)
        co_return ReadResult{false, Refusal{408, "The request's headers did not come in time."}};
    } else {
      if (parser.expects_continue() && body_bytes == 0 && !std::exchange(continued, true)) {
        if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n")) co_return ReadResult{};
        continue;
      }
      const auto rate = std::chrono::seconds(body_bytes / std::max<size_t>(limits.body_bytes_per_second, 1));
      deadline = limits.body_timeout + std::min(std::max(last_input_, body_begin), body_begin + rate);
      if (now >= deadline)
        co_return ReadResult{false, Refusal{408, "The request's body did not come in time."}};
    }
    co_await sleep_until(deadline);
  }
}

std::optional<Refusal> Connection::check_head(const HttpRequest& request) const {
  if (hub_.draining) return Refusal{503, "The server is shutting down."};
  if (hub_.allowed_hosts) {
    if (!host_allowed(*hub_.allowed_hosts, request))
      return Refusal{403, "The Host header names no host this server answers for."};
    if (is_foreign_browser_request(hub_.config.cors, request))
      return Refusal{403, "Requests from other sites are not allowed."};
  }
  return std::nullopt;
}

Connection::Awaitable<CountedAnswer> Connection::handle(HttpRequest request, Counted body) {
  struct Job {
    HttpRequest request;
    Counted body;
    CountedAnswer answer;
  };
  exchange_ = std::make_shared<Exchange>(hub_.io, weak_from_this());
  delivered_.reset();
  auto job = std::make_shared<Job>();
  job->request = std::move(request);
  job->body = std::move(body);
  job->answer.count = Counted(hub_.counters.open_answers, 1);
  hub_.run_on_worker([job, exchange = exchange_, &handler = hub_.handler] {
    if (!exchange->abandoned()) {
      const std::string id = job->request.id;
      guarded(id, [&] {
        job->answer.answer = handler(std::move(job->request), [exchange] { exchange->wake(); });
      });
    }
    job->body = {};
    exchange->deliver(std::move(job->answer));
  });
  while (!delivered_ && !gone_) co_await sleep_until(Clock::time_point::max());
  // Gone: abandoned by the caller, so that the answer is destroyed when it is delivered.
  CountedAnswer answer;
  if (delivered_) answer = std::move(*delivered_);
  delivered_.reset();
  co_return answer;
}

Connection::Awaitable<Connection::After> Connection::refuse(const HttpRequest& request, Refusal refusal) {
  ++hub_.counters.rejected;
  Reply reply{request_id(request),      request.path, true,
              request.method == "HEAD", false,        cors_headers(hub_.config.cors, request)};
  ReadyAnswer answer = error_answer(hub_.config, request.path, refusal);
  co_return co_await send_answer(answer, reply);
}

// The client's pace is the answer's: nothing is pulled before the last write has been taken by the socket.
Connection::Awaitable<Connection::After> Connection::send_answer(HttpAnswer& answer, Reply& reply) {
  const HttpConfig& config = hub_.config;
  std::string body, output;
  std::optional<Framing> framing;  // set: the head has been sent
  auto next_write = Clock::time_point::min();
  auto next_keep_alive = Clock::now() + config.keep_alive_interval;
  for (;;) {
    if (answering_ && gone_) co_return After::kClose;
    if (exchange_) exchange_->arm();
    bool end = false;
    const HttpHead* head = nullptr;
    const bool fine = guarded(reply.id, [&] {
      end = answer.pull(body);
      if (!end && body.empty() && Clock::now() >= next_keep_alive) {
        body = answer.keep_alive();
        next_keep_alive = Clock::now() + config.keep_alive_interval;
      }
      if (!framing && (end || !body.empty())) head = &answer.head();
    });
    if (!fine && framing) {
      drop();  // the only way to say now that this is not the end
      co_return After::kClose;
    }
    if (!fine) {
      ReadyAnswer error = error_answer(config, reply.path, {500, "The server failed to answer the request."});
      co_return co_await send_answer(error, reply);
    }
    const auto now = Clock::now();
    if (!end && body.empty()) {
      co_await sleep_until(next_keep_alive);
      continue;
    }
    // Gathers what comes in this time; the end does not wait.
    if (!end && now < next_write) {
      co_await sleep_until(next_write);
      continue;
    }
    output.clear();
    if (!framing) {
      if (is_bodyless(head->status)) {
        framing = {Framing::Kind::kNone, 0};
      } else if (end) {
        framing = {Framing::Kind::kLength, body.size()};
      } else {
        framing = {reply.http11 ? Framing::Kind::kChunked : Framing::Kind::kClose, 0};
      }
      reply.keep_alive = reply.keep_alive && !hub_.draining && framing->kind != Framing::Kind::kClose;
      output = response_head(*head, *framing, {reply.id, hub_.date(), reply.keep_alive, &reply.headers});
    }
    const bool no_body = reply.head_only || framing->kind == Framing::Kind::kNone;
    if (!no_body && framing->kind == Framing::Kind::kChunked) {
      append_chunk(output, body);
      if (end) output += kLastChunk;
    } else if (!no_body) {
      output += body;
    }
    body.clear();
    next_write = now + config.flush_interval;
    if (!co_await write(output)) co_return After::kClose;
    if (end || no_body) co_return reply.keep_alive ? After::kNext : After::kLinger;
    next_keep_alive = Clock::now() + config.keep_alive_interval;
  }
}

Connection::Awaitable<bool> Connection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    write_deadline_ = Clock::now() + hub_.config.limits.write_timeout;
    const size_t n = co_await transport_->write(bytes);
    write_deadline_ = Clock::time_point::max();
    if (n == 0) {
      drop();
      co_return false;
    }
    hub_.counters.bytes_out += static_cast<int64_t>(n);
    bytes.remove_prefix(n);
  }
  co_return true;
}

// Closing a socket with unread bytes resets the connection, which may take the answer away from a client that
// is still sending: so that is read, for a while, and thrown away.
Connection::Awaitable<void> Connection::linger() {
  discarding_ = true;
  take_input(input_.size() - taken_);
  transport_->finish_sending();
  const auto begin = Clock::now();
  last_input_ = begin;
  while (!gone_) {
    const std::chrono::milliseconds linger = hub_.config.limits.linger;
    const auto most = hub_.draining ? std::min(linger, std::chrono::milliseconds(1000)) : 6 * linger;
    const auto end = std::min(last_input_ + linger, begin + most);
    if (Clock::now() >= end) break;
    co_await sleep_until(end);
  }
}

}  // namespace hadal::serve
