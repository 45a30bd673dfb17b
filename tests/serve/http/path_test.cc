#include "serve/http/path.h"

#include <gtest/gtest.h>

namespace hadal::serve {
namespace {

std::string path(std::string_view target) {
  const auto parts = parse_target(target);
  return parts ? parts->path + "?" + parts->query : "refused";
}

TEST(Path, IsDecodedOnce) {
  EXPECT_EQ(path("/v1/models"), "/v1/models?");
  EXPECT_EQ(path("/a%20b%2Fc%c3%A9?x=%20&y"), "/a b/c\xc3\xa9?x=%20&y");
  EXPECT_EQ(path("/%2541"), "/%41?");
  EXPECT_EQ(path("/a+b;c=d"), "/a+b;c=d?");
  EXPECT_EQ(path("/?"), "/?");
  EXPECT_EQ(path("/a?b?c"), "/a?b?c");
}

TEST(Path, SlashesAtTheEndGo) {
  EXPECT_EQ(path("/"), "/?");
  EXPECT_EQ(path("///"), "/?");
  EXPECT_EQ(path("/v1/models/"), "/v1/models?");
  EXPECT_EQ(path("/v1/models//?q"), "/v1/models?q");
  EXPECT_EQ(path("/v1/a%2f"), "/v1/a?");
  EXPECT_EQ(path("//a/../b/./c"), "//a/../b/./c?") << "nothing else is folded";
}

TEST(Path, OtherFormsOfATarget) {
  EXPECT_EQ(path("*"), "*?");
  EXPECT_EQ(path("http://host:80/a/b?c"), "/a/b?c");
  EXPECT_EQ(path("https://host"), "/?");
  EXPECT_EQ(path("http://host?c"), "/?c");
  EXPECT_EQ(path("http://"), "/?");
  EXPECT_EQ(path("host:443"), "refused");
  EXPECT_EQ(path("a/b"), "refused");
  EXPECT_EQ(path(""), "refused");
  EXPECT_EQ(path("?a"), "refused");
  EXPECT_EQ(path("ftp://host/a"), "refused");
}

TEST(Path, BadBytesAreRefused) {
  for (const std::string_view target : {"/%", "/%4", "/%4g", "/%g4", "/a%", "/%00", "/%ff", "/%c3", "/%c0%af",
                                        "/%ed%a0%80", "/\xff", "/%f4%90%80%80"})
    EXPECT_EQ(path(target), "refused") << target;
  EXPECT_EQ(path("/?%00%ff\xff"), "/?%00%ff\xff") << "a query is not decoded";
}

}  // namespace
}  // namespace hadal::serve
