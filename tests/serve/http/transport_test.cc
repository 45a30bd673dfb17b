// Connections through TLS.
#include "serve/http/transport.h"

#include <gtest/gtest.h>

#include "serve/http/raw_client.h"
#include "serve/http/test_server.h"
#include "serve/http/tls_support.h"

namespace hadal::serve {
namespace {

class Tls : public testing::Test {
 protected:
  static std::function<void(HttpConfig&)> with(const TlsFiles& files) {
    return [&](HttpConfig& config) { config.tls = files; };
  }

  hadal::test::TempFolder folder_;
  TlsFiles files_ = make_certificate(folder_);
  HttpTestServer server_{with(files_)};
};

TEST_F(Tls, RequestsAndStreams) {
  EXPECT_TRUE(server_.server().url().starts_with("https://127.0.0.1:"));
  TlsClient client(server_.port());
  const std::string body(500'000, 'a');
  for (int i = 0; i < 3; ++i) {
    client.send(http_request("POST", "/x", body));
    const RawResponse response = client.read();
    EXPECT_TRUE(response.body.starts_with("POST /x ? 500000 ")) << response.body;
  }
  client.send(http_request("GET", "/feed"));
  const auto feed = server_.feed();
  for (const char* text : {"one", "two", "three"}) {
    feed->push(text);
    EXPECT_TRUE(client.read_until(text).ends_with(text));
  }
  feed->end();
  client.read_until("0\r\n\r\n");
  client.send(http_request("GET", "/", {}, "Connection: close\r\n"));
  EXPECT_EQ(client.read().status, 200);
  EXPECT_TRUE(client.at_end());
  EXPECT_TRUE(client.was_told_goodbye());
}

TEST_F(Tls, OldVersionsAreRefused) {
  EXPECT_EQ(TlsClient(server_.port(), TLS1_2_VERSION).version(), "TLSv1.2");
  EXPECT_EQ(TlsClient(server_.port(), TLS1_3_VERSION).version(), "TLSv1.3");
  EXPECT_THROW(TlsClient(server_.port(), TLS1_1_VERSION), std::runtime_error);
}

TEST_F(Tls, AClientThatGoesCancelsItsAnswer) {
  for (int how = 0; how < 3; ++how) {
    TlsClient client(server_.port());
    client.send(http_request("GET", "/feed"));
    const auto feed = server_.feed(static_cast<size_t>(how));
    feed->push("text");
    client.read_until("text");
    if (how == 0) client.close();
    if (how == 1) client.close_notify();
    if (how == 2) client.reset();
    EXPECT_TRUE(eventually([&] { return feed->destroyed(); })) << how;
  }
  EXPECT_TRUE(eventually([&] { return server_.idle(); }));
}

TEST_F(Tls, AClientThatDoesNotReadIsWaitedFor) {
  TlsClient client(server_.port());
  client.send(http_request("GET", "/flood"));
  ASSERT_TRUE(eventually([&] { return server_.flooded() > 0; }));
  constexpr int64_t kRead = 10 << 20, kInFlight = 64 << 20;
  for (int64_t bytes = 0; bytes < kRead;) {
    const std::string some = client.read_some();
    ASSERT_FALSE(some.empty());
    bytes += static_cast<int64_t>(some.size());
  }
  EXPECT_GE(server_.flooded(), kRead - 4096);
  EXPECT_LT(server_.flooded(), kRead + kInFlight) << "the server makes as much as the client takes";
}

TEST_F(Tls, WhoDoesNotSpeakItIsClosed) {
  RawClient plain(server_.port());
  plain.send(http_request("GET", "/"));
  EXPECT_FALSE(plain.read_until("\r\n\r\n").starts_with("HTTP/"));
  RawClient silent(server_.port());
  ASSERT_TRUE(eventually([&] { return server_.server().stats().open_connections >= 1; }));
  silent.close();
  EXPECT_TRUE(eventually([&] { return server_.idle(); }));
  EXPECT_EQ(server_.server().stats().requests, 0);
}

TEST(TlsHandshake, MustNotTakeForever) {
  hadal::test::TempFolder folder;
  const TlsFiles files = make_certificate(folder);
  HttpTestServer server([&](HttpConfig& config) {
    config.tls = files;
    config.limits.header_timeout = std::chrono::milliseconds(100);
  });
  RawClient silent(server.port());
  EXPECT_TRUE(silent.at_end());
}

}  // namespace
}  // namespace hadal::serve
