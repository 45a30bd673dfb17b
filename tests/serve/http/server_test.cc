// The server's life: listening, many clients at once, draining, stopping.
#include "serve/http/server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>

#include "serve/http/raw_client.h"
#include "serve/http/test_server.h"
#include "support/files.h"

namespace hadal::serve {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLong = std::chrono::minutes(2);

Handler no_handler() {
  return [](HttpRequest, Wake) { return std::make_unique<ReadyAnswer>(HttpHead{}, "{}"); };
}

bool can_connect(int port) {
  try {
    RawClient client(port);
    return true;
  } catch (const std::runtime_error&) {
    return false;
  }
}

TEST(HttpServer, SaysWhereItListens) {
  HttpTestServer server([](HttpConfig& config) { config.host = "localhost"; });
  EXPECT_GT(server.port(), 0);
  EXPECT_EQ(server.server().url(), "http://127.0.0.1:" + std::to_string(server.port()));
  EXPECT_TRUE(can_connect(server.port()));
}

TEST(HttpServer, SaysWhyItCannotListen) {
  HttpTestServer first;
  const auto start = [](std::string host, int port) {
    HttpConfig config;
    config.host = std::move(host);
    config.port = port;
    HttpServer server(std::move(config), no_handler());
    server.start();
  };
  const std::string taken = hadal::test::error_of(ErrorCode::kIo, [&] { start("127.0.0.1", first.port()); });
  EXPECT_NE(taken.find("127.0.0.1:" + std::to_string(first.port())), std::string::npos) << taken;
  EXPECT_NE(taken.find("in use"), std::string::npos) << taken;
  const std::string foreign = hadal::test::error_of(ErrorCode::kIo, [&] { start("198.51.100.1", 0); });
  EXPECT_NE(foreign.find("198.51.100.1"), std::string::npos) << foreign;
  const std::string name = hadal::test::error_of(ErrorCode::kInvalidInput, [&] { start("not a name", 0); });
  EXPECT_NE(name.find("not a name"), std::string::npos) << name;
  const std::string port =
      hadal::test::error_of(ErrorCode::kInvalidInput, [&] { start("127.0.0.1", 70000); });
  EXPECT_NE(port.find("70000"), std::string::npos) << port;
}

TEST(HttpServer, ListensOnIPv6) {
  HttpConfig config;
  config.host = "::1";
  config.port = 0;
  HttpServer server(std::move(config), no_handler());
  try {
    server.start();
  } catch (const Error& e) {
    GTEST_SKIP() << "no IPv6 on this machine: " << e.what();
  }
  EXPECT_EQ(server.url(), "http://[::1]:" + std::to_string(server.port()));
}

TEST(HttpServer, StopsAtAnyTime) {
  HttpServer never(HttpConfig{}, no_handler());
  never.stop();
  HttpTestServer server;
  RawClient idle(server.port()), streaming(server.port()), handled(server.port());
  streaming.send(http_request("GET", "/feed"));
  const auto feed = server.feed();
  handled.send(http_request("GET", "/block"));
  ASSERT_TRUE(eventually([&] { return server.blocked() == 1; }));
  std::thread stopping([&] { server.server().stop(); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_TRUE(eventually([&] { return feed->destroyed(); }));
  server.unblock();  // stop() waits for the Handler
  stopping.join();
  EXPECT_TRUE(server.idle());
  EXPECT_FALSE(can_connect(server.port()));
  feed->push("a wake after the end");
  server.server().stop();
  EXPECT_TRUE(server.server().drain(kLong));
}

TEST(HttpServer, DrainFinishesWhatRuns) {
  HttpTestServer server;
  RawClient idle(server.port()), running(server.port()), begun(server.port());
  idle.send(http_request("GET", "/"));
  EXPECT_EQ(idle.read().status, 200);
  running.send(http_request("GET", "/feed"));
  const auto feed = server.feed();
  feed->push("one ");
  running.read_until("one ");
  begun.send("GET /x HTTP/1.1\r\n");
  ASSERT_TRUE(eventually([&] { return server.server().stats().open_connections == 3; }));
  bool clean = false;
  std::thread draining([&] { clean = server.server().drain(kLong); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_FALSE(can_connect(server.port()));
  begun.send("Host: localhost\r\n\r\n");
  const RawResponse refused = begun.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("connection"), "close");
  feed->push("two");
  feed->end();
  EXPECT_TRUE(running.read_until("0\r\n\r\n").ends_with("two\r\n0\r\n\r\n"));
  EXPECT_TRUE(running.at_end());
  begun.close();
  draining.join();
  EXPECT_TRUE(clean);
  EXPECT_TRUE(server.idle());
}

TEST(HttpServer, DrainDropsWhatDoesNotEnd) {
  HttpTestServer server;
  RawClient client(server.port());
  client.send(http_request("GET", "/feed"));
  const auto feed = server.feed();
  feed->push("text");
  client.read_until("text");
  EXPECT_FALSE(server.server().drain(milliseconds(50)));
  EXPECT_TRUE(feed->destroyed());
  EXPECT_TRUE(server.idle());
}

TEST(HttpServer, AThousandStreamsLoseNothing) {
  constexpr int kStreams = 1000, kPieces = 40;
  HttpTestServer server;
  std::vector<RawClient> clients;
  clients.reserve(kStreams);
  for (int i = 0; i < kStreams; ++i) {
    clients.emplace_back(server.port(), false, 300);
    clients.back().send(http_request("GET", "/feed?" + std::to_string(i)));
  }
  const auto piece = [](const std::string& stream, int n) {
    return "data: " + std::to_string(n) + " of " + stream + "\n\n";
  };
  std::thread engine([&] {
    std::vector<std::shared_ptr<Feed>> feeds;
    for (size_t i = 0; i < kStreams; ++i) feeds.push_back(server.feed(i));
    for (int n = 0; n < kPieces; ++n)
      for (const auto& feed : feeds) feed->push(piece(feed->query(), n));
    for (const auto& feed : feeds) feed->end();
  });
  int right = 0;
  for (int i = 0; i < kStreams; ++i) {
    std::string expected;
    for (int n = 0; n < kPieces; ++n) expected += piece(std::to_string(i), n);
    const RawResponse response = clients[static_cast<size_t>(i)].read();
    right += response.complete && response.body == expected;
  }
  engine.join();
  EXPECT_EQ(right, kStreams);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server.idle(); }));
  EXPECT_EQ(server.server().stats().requests, kStreams);
}

TEST(HttpServer, ClientsThatComeAndGoLeaveNothing) {
  HttpTestServer server;
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    RawClient client(server.port());
    switch (random() % 6) {
      case 0:
        break;
      case 1:
        client.send("POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nab");
        break;
      case 2:
        client.send(http_request("GET", "/flood"));
        break;
      case 3:
        client.send(http_request("GET", "/") + http_request("GET", "/feed"));
        break;
      default:
        client.send(http_request("GET", "/feed"));
        break;
    }
    if (random() % 2) client.reset();
  }
  EXPECT_TRUE(eventually([&] { return server.server().stats().connections == 2000 && server.idle(); }));
  RawClient client(server.port());
  client.send(http_request("GET", "/"));
  EXPECT_EQ(client.read().status, 200);
}

}  // namespace
}  // namespace hadal::serve
