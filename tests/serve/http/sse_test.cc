#include "serve/http/sse.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

std::string sse(std::string_view data) {
  std::string out;
  append_sse(out, data);
  return out;
}

TEST(Sse, OneEvent) {
  std::string out = "x";
  append_sse(out, R"({"a":1})");
  append_sse(out, "ping", R"({"type":"ping"})");
  EXPECT_EQ(out, "xdata: {\"a\":1}\n\nevent: ping\ndata: {\"type\":\"ping\"}\n\n");
  EXPECT_EQ(sse(""), "data: \n\n");
}

TEST(Sse, LineBreaksCannotEndAnEvent) {
  EXPECT_EQ(sse("a\n\nb"), "data: a\ndata: \ndata: b\n\n");
  EXPECT_EQ(sse("a\r\nb\rc\n"), "data: a\ndata: b\ndata: c\ndata: \n\n");
}

TEST(Sse, LinesOfJson) {
  std::string out;
  append_ndjson(out, "{}");
  append_ndjson(out, "[1]");
  EXPECT_EQ(out, "{}\n[1]\n");
}

TEST(Sse, Heads) {
  EXPECT_EQ(sse_head().content_type, "text/event-stream; charset=utf-8");
  EXPECT_EQ(ndjson_head().content_type, "application/x-ndjson");
  for (const HttpHead& head : {sse_head(), ndjson_head()}) {
    EXPECT_EQ(head.status, 200);
    ASSERT_EQ(head.headers.size(), 2u);
    EXPECT_EQ(head.headers[0].name + head.headers[0].value, "Cache-Controlno-cache");
    EXPECT_EQ(head.headers[1].name + head.headers[1].value, "X-Accel-Bufferingno");
  }
}

TEST(SseDeathTest, NamesAndLinesAreOurs) {
  std::string out;
  EXPECT_DEATH(append_sse(out, "a\nb", "c"), "event");
  EXPECT_DEATH(append_ndjson(out, "{\n}"), "json");
}

}  // namespace
}  // namespace hadal::serve
