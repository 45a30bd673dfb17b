#include "serve/http/response_head.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

using Kind = Framing::Kind;

TEST(ResponseHead, WithALength) {
  const std::vector<Header> cors = {{"Access-Control-Allow-Origin", "*"}};
  EXPECT_EQ(
      response_head({404, "text/plain", {{"X-A", "b"}}}, {Kind::kLength, 12}, {"id1", "today", true, &cors}),
      "HTTP/1.1 404 Not Found\r\nDate: today\r\nServer: hadal\r\nConnection: keep-alive\r\nx-request-id: "
      "id1\r\n"
      "request-id: id1\r\nContent-Type: text/plain\r\nContent-Length: 12\r\nX-A: b\r\n"
      "Access-Control-Allow-Origin: *\r\n\r\n");
}

TEST(ResponseHead, OtherFramings) {
  const HttpHead head;
  const HeadContext context{"i", "d", false, nullptr};
  const std::string begin =
      "HTTP/1.1 200 OK\r\nDate: d\r\nServer: hadal\r\nConnection: close\r\nx-request-id: i\r\nrequest-id: "
      "i\r\n";
  EXPECT_EQ(response_head(head, {Kind::kChunked, 0}, context),
            begin + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(response_head(head, {Kind::kClose, 0}, context),
            begin + "Content-Type: application/json\r\n\r\n");
  EXPECT_EQ(response_head(head, {Kind::kNone, 0}, context), begin + "\r\n");
}

TEST(ResponseHead, ValuesCannotAddLines) {
  const std::string head = response_head({200, "a\r\nb", {{"X", std::string("1\n2\0003", 5)}}},
                                         {Kind::kLength, 0}, {"i", "d", true, nullptr});
  EXPECT_NE(head.find("Content-Type: a  b\r\n"), std::string::npos);
  EXPECT_NE(head.find("X: 1 2 3\r\n"), std::string::npos);
}

TEST(ResponseHead, EveryStatusHasALine) {
  for (int status = 100; status < 600; ++status) {
    const std::string head = response_head({status, "", {}}, {Kind::kNone, 0}, {"i", "d", true, nullptr});
    const std::string line = head.substr(0, head.find("\r\n"));
    EXPECT_TRUE(line.starts_with("HTTP/1.1 " + std::to_string(status) + " ") && line.size() > 13) << line;
  }
}

TEST(ResponseHead, StatusesWithoutBody) {
  for (const int status : {100, 101, 204, 304}) EXPECT_TRUE(is_bodyless(status));
  for (const int status : {200, 201, 205, 301, 400, 500}) EXPECT_FALSE(is_bodyless(status));
}

TEST(ResponseHead, Chunks) {
  std::string out;
  append_chunk(out, "");
  EXPECT_EQ(out, "") << "an empty chunk would be the last";
  append_chunk(out, "abc");
  append_chunk(out, std::string(300, 'x'));
  EXPECT_EQ(out, "3\r\nabc\r\n12c\r\n" + std::string(300, 'x') + "\r\n");
  EXPECT_EQ(kLastChunk, "0\r\n\r\n");
}

TEST(ResponseHead, Dates) {
  EXPECT_EQ(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(http_date(1709164800), "Thu, 29 Feb 2024 00:00:00 GMT");
}

}  // namespace
}  // namespace hadal::serve
