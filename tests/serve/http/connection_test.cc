// Requests and answers over real sockets: what HTTP says, limits, timeouts, and clients that go away.
#include "serve/http/connection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "serve/http/raw_client.h"
#include "serve/http/response_head.h"
#include "serve/http/test_server.h"

namespace hadal::serve {
namespace {

using std::chrono::milliseconds;

// What /echo answers up to the request's id.
testing::AssertionResult is_echo(const RawResponse& response, const std::string& text) {
  if (response.status == 200 && response.complete && response.body.starts_with(text + " "))
    return testing::AssertionSuccess();
  return testing::AssertionFailure() << response.status << " " << response.body;
}

size_t sum(std::string_view text) {
  size_t out = 0;
  for (const char c : text) out = out * 31 + static_cast<unsigned char>(c);
  return out;
}

TEST(Connection, KeepsOpen) {
  HttpTestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 50; ++i) {
    client.send(http_request("POST", "/a%20b/?q=1", "body"));
    const RawResponse response = client.read();
    EXPECT_TRUE(is_echo(response, "POST /a b ?q=1 4 " + std::to_string(sum("body"))));
    EXPECT_TRUE(response.body.ends_with(" 127.0.0.1"));
    EXPECT_EQ(response.header("connection"), "keep-alive");
    EXPECT_EQ(response.header("server"), "hadal");
    EXPECT_EQ(response.header("date").size(), 29u);
    EXPECT_EQ(response.header("injected"), "");
  }
  EXPECT_EQ(server.server().stats().connections, 1);
  EXPECT_EQ(server.server().stats().requests, 50);
  client.send(http_request("GET", "/", {}, "Connection: close\r\n"));
  const RawResponse last = client.read();
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(client.at_end());
}

TEST(Connection, OldClients) {
  HttpTestServer server;
  RawClient one(server.port());
  one.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(is_echo(one.read(), "GET / ? 0 0"));
  EXPECT_TRUE(one.at_end());
  RawClient two(server.port());
  for (int i = 0; i < 2; ++i) {
    two.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const RawResponse response = two.read();
    EXPECT_TRUE(is_echo(response, "GET / ? 0 0"));
    EXPECT_EQ(response.header("connection"), "keep-alive");
  }
  // A stream has no length, and no chunks here: it ends with the connection.
  two.send("GET /feed HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  server.feed()->push("one ");
  EXPECT_NE(two.read_until("one ").find("Connection: close\r\n"), std::string::npos);
  server.feed()->push("two");
  server.feed()->end();
  EXPECT_EQ(two.read_until("end"), "two");
}

TEST(Connection, PipelinedRequestsAreAnsweredInOrder) {
  HttpTestServer server;
  RawClient client(server.port());
  std::string all;
  for (int i = 0; i < 200; ++i) all += http_request("POST", "/" + std::to_string(i), std::to_string(i));
  client.send(all);
  for (int i = 0; i < 200; ++i)
    EXPECT_TRUE(is_echo(client.read(), "POST /" + std::to_string(i) + " ? " +
                                           std::to_string(std::to_string(i).size()) + " " +
                                           std::to_string(sum(std::to_string(i)))));
}

TEST(Connection, BodiesInAnyPieces) {
  HttpTestServer server;
  std::string body(3'000'000, 'a');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7919 >> 3);
  const std::string expected = "POST /x ? " + std::to_string(body.size()) + " " + std::to_string(sum(body));
  RawClient client(server.port());
  client.send(http_request("POST", "/x", body));
  EXPECT_TRUE(is_echo(client.read(), expected));

  std::string chunked;
  for (size_t at = 0, size = 1; at < body.size(); at += size, size = size % 50000 * 3 + 1) {
    const std::string_view piece = std::string_view(body).substr(at, size);
    append_chunk(chunked, piece);
  }
  client.send(http_request("POST", "/x", {}, "Transfer-Encoding: chunked\r\n") + chunked +
              "0\r\nTrailer: x\r\n\r\n");
  EXPECT_TRUE(is_echo(client.read(), expected));

  const std::string small = http_request("POST", "/y", "0123456789");
  for (const char c : small) client.send(std::string(1, c));
  EXPECT_TRUE(is_echo(client.read(), "POST /y ? 10 " + std::to_string(sum("0123456789"))));
}

TEST(Connection, ContinuesWhenAsked) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.read(false, true).status, 100);
  client.send("abc");
  EXPECT_TRUE(is_echo(client.read(false, true), "POST /x ? 3 " + std::to_string(sum("abc"))));
  // A body that is refused is not asked for.
  client.send(
      "POST /x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(client.read(false, true).status, 413);
}

TEST(Connection, HeadHasNoBody) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send(http_request("HEAD", "/x"));
  const RawResponse head = client.read(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.header("content-length"), "0");
  client.send(http_request("HEAD", "/feed"));
  server.feed()->push("text");
  EXPECT_EQ(client.read(true).header("content-type"), "text/event-stream; charset=utf-8");
  EXPECT_TRUE(eventually([&] { return server.feed()->destroyed(); }));
  client.send(http_request("GET", "/none"));
  const RawResponse none = client.read();
  EXPECT_EQ(none.status, 204);
  EXPECT_EQ(none.header("content-length"), "");
  client.send(http_request("GET", "/missing"));
  EXPECT_EQ(client.read().body, "not here") << "the connection is still in step";
}

TEST(Connection, RequestIds) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send(http_request("GET", "/", {}, "X-Request-ID: mine 1\r\n"));
  const RawResponse mine = client.read();
  EXPECT_EQ(mine.header("x-request-id"), "mine 1");
  EXPECT_EQ(mine.header("request-id"), "mine 1");
  EXPECT_NE(mine.body.find(" mine 1 "), std::string::npos);
  client.send(http_request("GET", "/"));
  const RawResponse ours = client.read();
  EXPECT_TRUE(ours.header("x-request-id").starts_with("req_"));
  EXPECT_NE(ours.body.find(ours.header("request-id")), std::string::npos);
  client.send("nonsense\r\n\r\n");
  EXPECT_TRUE(client.read().header("x-request-id").starts_with("req_"));
}

TEST(Connection, OptionsAndCors) {
  HttpTestServer off([](HttpConfig& config) {
    config.allow = [](std::string_view path) { return path == "*" ? "GET, PUT" : ""; };
  });
  RawClient client(off.port());
  client.send(http_request("OPTIONS", "*"));
  const RawResponse plain = client.read();
  EXPECT_EQ(plain.status, 204);
  EXPECT_EQ(plain.header("allow"), "GET, PUT");
  EXPECT_EQ(plain.header("access-control-allow-origin"), "");

  HttpTestServer any([](HttpConfig& config) { config.cors.mode = CorsPolicy::Mode::kAny; });
  RawClient browser(any.port());
  const std::string origin = "Origin: https://chat.example.org\r\nAccess-Control-Request-Method: POST\r\n";
  browser.send(http_request("OPTIONS", "/feed", {}, origin));
  const RawResponse preflight = browser.read();
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.header("access-control-allow-origin"), "*");
  EXPECT_NE(preflight.header("access-control-allow-headers"), "");
  browser.send(http_request("GET", "/missing", {}, origin + "Host2: evil\r\n"));
  EXPECT_EQ(browser.read().header("access-control-allow-origin"), "*");
  browser.send("GET /x HTTP/1.1\r\nHost: anything.example\r\n\r\n");
  EXPECT_EQ(browser.read().status, 200) << "whoever allows any origin has no names to protect";
  browser.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n");
  const RawResponse refused = browser.read();
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.header("access-control-allow-origin"), "*") << "or the page cannot read why";
}

TEST(Connection, OtherNamesForLoopbackAreRefused) {
  HttpTestServer server;
  for (const char* host : {"localhost", "127.0.0.1:80", "[::1]:8080", "LOCALHOST"}) {
    RawClient client(server.port());
    client.send("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    EXPECT_EQ(client.read().status, 200) << host;
  }
  for (const char* host : {"evil.example", "localhost.evil.example", ""}) {
    RawClient client(server.port());
    client.send("GET /x HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n");
    const RawResponse response = client.read();
    EXPECT_EQ(response.status, 403) << host;
    EXPECT_TRUE(response.body.starts_with("403 [/x] ")) << response.body;
  }
  RawClient browser(server.port());
  browser.send(
      http_request("POST", "/x", "{}", "Sec-Fetch-Site: cross-site\r\nOrigin: https://evil.example\r\n"));
  EXPECT_EQ(browser.read().status, 403);
  HttpTestServer named([](HttpConfig& config) { config.allowed_hosts = {"box.lan"}; });
  RawClient client(named.port());
  client.send("GET / HTTP/1.1\r\nHost: box.lan:1\r\n\r\n");
  EXPECT_EQ(client.read().status, 200);
  client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(client.read().status, 403);
}

TEST(Connection, HandlersThatThrow) {
  HttpTestServer server;
  RawClient client(server.port());
  for (const char* path : {"/throw", "/null", "/throw_pull"}) {
    client.send(http_request("GET", path));
    const RawResponse response = client.read();
    EXPECT_EQ(response.status, 500) << path;
    EXPECT_TRUE(response.body.starts_with("500 [" + std::string(path) + "] ")) << response.body;
  }
  client.send(http_request("GET", "/throw_late"));
  const RawResponse late = client.read();
  EXPECT_EQ(late.status, 200);
  EXPECT_FALSE(late.complete) << "a client must see that an answer was cut";
  EXPECT_TRUE(eventually([&] { return server.idle(); }));
}

TEST(Connection, WhatIsNotHttpIsRefused) {
  HttpTestServer server;
  const std::vector<std::pair<std::string, int>> cases = {
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET /%ff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: "
       "chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nabcde", 400},
      {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", 501},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + std::string(70000, 'a') + "\r\n\r\n", 431},
      {"GET /" + std::string(70000, 'a') + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 431},
  };
  for (const auto& [bytes, status] : cases) {
    RawClient client(server.port());
    client.send(bytes + http_request("GET", "/smuggled"));
    const RawResponse response = client.read();
    EXPECT_EQ(response.status, status) << bytes.substr(0, 100);
    EXPECT_TRUE(response.complete);
    EXPECT_EQ(response.header("connection"), "close");
    client.finish_sending();
    EXPECT_TRUE(client.at_end()) << "nothing behind it is answered";
  }
  RawClient flood(server.port());
  std::string headers = "GET /f HTTP/1.1\r\nHost: localhost\r\n";
  for (int i = 0; i < 5000; ++i) headers += "A" + std::to_string(i) + ": b\r\n";
  flood.send(headers + "\r\n");
  const RawResponse response = flood.read();
  EXPECT_EQ(response.status, 431);
  EXPECT_TRUE(response.body.starts_with("431 [/f] ")) << response.body;
}

TEST(Connection, LongBodiesAreRefusedWhileTheyCome) {
  HttpTestServer server;
  const std::string piece(1 << 20, 'a');
  for (const bool chunked : {false, true}) {
    RawClient client(server.port());
    client.send(
        "POST /x HTTP/1.1\r\nHost: localhost\r\n" +
        std::string(chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 73400320\r\n\r\n"));
    // The server reads on for a while, so that the client sees the answer and not a reset.
    for (int i = 0; i < 70; ++i) {
      std::string out;
      if (chunked) append_chunk(out, piece);
      if (!client.send(chunked ? out : piece)) break;
    }
    const RawResponse response = client.read();
    EXPECT_EQ(response.status, 413) << chunked;
    EXPECT_TRUE(response.complete);
  }
  EXPECT_EQ(server.server().stats().open_answers, 0);
  EXPECT_EQ(server.server().stats().rejected, 2);
}

TEST(Connection, BodiesOfAllRequestsTogetherAreLimited) {
  HttpTestServer server([](HttpConfig& config) {
    config.limits.all_body_bytes = 1'000'000;
    config.workers = 4;
  });
  // One that is being handled and one that is still being read.
  RawClient handled(server.port()), reading(server.port());
  handled.send(http_request("POST", "/block", std::string(450'000, 'a')));
  ASSERT_TRUE(eventually([&] { return server.blocked() == 1; }));
  reading.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 450001\r\n\r\n" +
               std::string(450'000, 'a'));
  ASSERT_TRUE(eventually([&] { return server.server().stats().bytes_in > 900'000; }));
  RawClient third(server.port());
  third.send(http_request("POST", "/x", std::string(200'000, 'a')));
  const RawResponse refused = third.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "1");
  server.unblock();
  EXPECT_EQ(handled.read().status, 200);
  reading.send("a");
  EXPECT_EQ(reading.read().status, 200);
  RawClient fourth(server.port());
  fourth.send(http_request("POST", "/x", std::string(900'000, 'a')));
  EXPECT_EQ(fourth.read().status, 200) << "all is given back";
}

TEST(Connection, SlowClientsAreNotWaitedFor) {
  HttpTestServer server([](HttpConfig& config) {
    config.limits.header_timeout = milliseconds(150);
    config.limits.body_timeout = milliseconds(150);
    config.limits.idle_timeout = milliseconds(150);
  });
  RawClient silent(server.port());
  EXPECT_TRUE(silent.at_end()) << "no byte, no answer";
  RawClient head(server.port());
  head.send("GET /x HTTP/1.1\r\nHost: localhost\r\nA");
  const RawResponse late_head = head.read();
  EXPECT_EQ(late_head.status, 408);
  EXPECT_TRUE(late_head.body.starts_with("408 [/x] ")) << late_head.body;
  RawClient body(server.port());
  body.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(body.read().status, 408);
  RawClient idle(server.port());
  idle.send(http_request("GET", "/"));
  EXPECT_EQ(idle.read().status, 200);
  EXPECT_TRUE(idle.at_end());
}

TEST(Connection, ABodyMustKeepAPace) {
  HttpTestServer server([](HttpConfig& config) {
    config.limits.body_timeout = milliseconds(300);
    config.limits.body_bytes_per_second = 1'000'000;
  });
  RawClient client(server.port());
  client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
  // A byte now and then keeps every single wait short.
  std::atomic<bool> answered = false;
  RawResponse response;
  std::thread reader([&] {
    response = client.read();
    answered = true;
  });
  while (!answered && client.send("a")) std::this_thread::sleep_for(milliseconds(10));
  reader.join();
  EXPECT_EQ(response.status, 408);
}

TEST(Connection, AStreamComesAsItIsMade) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send(http_request("GET", "/feed"));
  const auto feed = server.feed();
  for (int i = 0; i < 20; ++i) {
    const std::string text = "data: " + std::to_string(i) + "\n\n";
    feed->push(text);
    EXPECT_NE(client.read_until(text).find(text), std::string::npos);
  }
  feed->push("last");
  feed->end();
  EXPECT_TRUE(client.read_until("\r\n0\r\n\r\n").ends_with("last\r\n0\r\n\r\n"));
  EXPECT_TRUE(eventually([&] { return feed->destroyed(); }));
  feed->push("nobody is there");  // a wake for an answer that is gone
  client.send(http_request("GET", "/"));
  EXPECT_TRUE(is_echo(client.read(), "GET / ? 0 0"));
}

TEST(Connection, AnAnswerThatIsThereAtOnceHasALength) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send(http_request("GET", "/feed"));
  server.feed()->end();
  const RawResponse response = client.read();
  EXPECT_EQ(response.header("content-length"), "0");
}

TEST(Connection, WhatComesFastIsGathered) {
  HttpTestServer server([](HttpConfig& config) { config.flush_interval = std::chrono::hours(1); });
  RawClient client(server.port());
  client.send(http_request("GET", "/feed"));
  const auto feed = server.feed();
  feed->push("first");
  EXPECT_NE(client.read_until("first\r\n").find("5\r\nfirst\r\n"), std::string::npos) << "at once";
  for (int i = 0; i < 100; ++i) feed->push(".");
  feed->end();
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "64\r\n" + std::string(100, '.') + "\r\n0\r\n\r\n")
      << "in one piece, which does not wait";
}

TEST(Connection, SilenceIsFilled) {
  HttpTestServer server([](HttpConfig& config) { config.keep_alive_interval = milliseconds(20); });
  RawClient client(server.port());
  client.send(http_request("GET", "/feed"));
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(client.read_until(": keep-alive\n\n").ends_with(": keep-alive\n\n"))
        << "the head before the first";
  server.feed()->push("text");
  EXPECT_TRUE(client.read_until("text").ends_with("text"));
  server.feed()->end();
  EXPECT_TRUE(client.read_until("0\r\n\r\n").ends_with("0\r\n\r\n"));
}

TEST(Connection, AClientThatDoesNotReadCostsNothing) {
  HttpTestServer server([](HttpConfig& config) { config.limits.write_timeout = milliseconds(300); });
  RawClient client(server.port(), true);
  client.send(http_request("GET", "/flood"));
  ASSERT_TRUE(eventually([&] { return server.flooded() > 0; }));
  EXPECT_TRUE(eventually([&] { return server.idle(); })) << "dropped";
  EXPECT_LT(server.flooded(), 64 << 20) << "what the system's buffers take, and no more";
}

TEST(Connection, AClientThatGoesCancelsItsAnswer) {
  HttpTestServer server;
  for (int how = 0; how < 4; ++how) {
    RawClient client(server.port());
    client.send(http_request("GET", "/feed"));
    const auto feed = server.feed(static_cast<size_t>(how));
    if (how > 0) {
      feed->push("text");
      client.read_until("text");
    }
    if (how == 1) client.reset();
    if (how == 2) client.finish_sending();
    if (how == 3) client.send("GET /next HTTP/1.1\r\n");
    if (how != 2) client.close();
    EXPECT_TRUE(eventually([&] { return feed->destroyed(); })) << how;
    feed->push("late");
  }
  EXPECT_TRUE(eventually([&] { return server.idle(); }));
}

TEST(Connection, AClientThatGoesBehindALotOfRequestsIsSeen) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send(http_request("GET", "/feed"));
  const auto feed = server.feed();
  const std::string more = http_request("POST", "/x", std::string(50'000, 'a'));
  for (int i = 0; i < 2; ++i) client.send(more);  // more than is read ahead, less than the system keeps
  client.close();
  EXPECT_TRUE(eventually([&] { return feed->destroyed() && server.idle(); }));
}

TEST(Connection, AClientMayGoWhileItsRequestIsHandled) {
  HttpTestServer server([](HttpConfig& config) { config.workers = 1; });
  std::vector<RawClient> clients;
  for (int i = 0; i < 10; ++i) {
    clients.emplace_back(server.port());
    clients.back().send(http_request("GET", "/block"));
  }
  ASSERT_TRUE(
      eventually([&] { return server.blocked() == 1 && server.server().stats().open_answers == 10; }));
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server.server().stats().open_connections == 0; }))
      << "no connection waits";
  EXPECT_EQ(server.server().stats().open_answers, 10);
  server.unblock();
  EXPECT_TRUE(eventually([&] { return server.idle(); })) << "delivered to nobody";
}

TEST(Connection, TooManyConnections) {
  HttpTestServer server([](HttpConfig& config) { config.limits.connections = 3; });
  std::vector<RawClient> open;
  for (int i = 0; i < 3; ++i) {
    open.emplace_back(server.port());
    open.back().send(http_request("GET", "/"));
    EXPECT_EQ(open.back().read().status, 200);
  }
  RawClient refused(server.port());
  refused.send(http_request("GET", "/"));
  const RawResponse response = refused.read();
  EXPECT_EQ(response.status, 503);
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.header("connection"), "close");
  open.pop_back();
  EXPECT_TRUE(eventually([&] { return server.server().stats().open_connections == 2; }));
  RawClient next(server.port());
  next.send(http_request("GET", "/"));
  EXPECT_EQ(next.read().status, 200);
  EXPECT_EQ(server.server().stats().refused, 1);
}

}  // namespace
}  // namespace hadal::serve
