#include "serve/http/router.h"

#include <gtest/gtest.h>

#include <functional>

namespace hadal::serve {
namespace {

using Target = std::function<std::string(std::string_view)>;

Router<Target> example() {
  Router<Target> router;
  const auto name = [](std::string text) {
    return [text](std::string_view capture) { return text + ":" + std::string(capture); };
  };
  router.add("GET", {"/"}, name("root"));
  router.add("POST", {"/v1/chat/completions", "/chat/completions"}, name("chat"));
  router.add("GET", {"/v1/models", "/models"}, name("list"));
  router.add("GET", {"/v1/models/{id}", "/models/{id}"}, name("model"));
  router.add("GET", {"/v1/models/special"}, name("special"));
  router.add("POST", {"/v1/models/{id}"}, name("post"));
  router.add("GET", {"/v1/{rest}"}, name("rest"));
  router.add("HEAD", {"/own"}, name("own head"));
  router.add("GET", {"/own"}, name("own"));
  return router;
}

std::string go(const Router<Target>& router, std::string_view method, std::string_view path) {
  const auto match = router.find(method, path);
  if (!match.target) return match.allow.empty() ? "404" : "405 " + match.allow;
  EXPECT_TRUE(match.allow.empty());
  return (*match.target)(match.capture);
}

TEST(Router, EverySpellingLeadsToItsTarget) {
  const auto router = example();
  EXPECT_EQ(go(router, "GET", "/"), "root:");
  EXPECT_EQ(go(router, "POST", "/chat/completions"), "chat:");
  EXPECT_EQ(go(router, "POST", "/v1/chat/completions"), "chat:");
  EXPECT_EQ(go(router, "GET", "/models"), "list:");
}

TEST(Router, ACaptureIsTheRestOfThePath) {
  const auto router = example();
  EXPECT_EQ(go(router, "GET", "/models/a"), "model:a");
  EXPECT_EQ(go(router, "GET", "/v1/models/org/name/x"), "model:org/name/x");
  EXPECT_EQ(go(router, "GET", "/v1/models/special"), "special:");
  EXPECT_EQ(go(router, "GET", "/v1/models/special/x"), "model:special/x");
  EXPECT_EQ(go(router, "POST", "/v1/models/special"), "post:special") << "a whole path of another method";
  EXPECT_EQ(go(router, "GET", "/v1/other/thing"), "rest:other/thing");
  EXPECT_EQ(go(router, "GET", "/models/"), "404") << "an empty capture";
  EXPECT_EQ(go(router, "GET", "/models//x"), "model:/x");
}

TEST(Router, UnknownPathsAndMethods) {
  const auto router = example();
  EXPECT_EQ(go(router, "GET", "/nothing"), "404");
  EXPECT_EQ(go(router, "GET", ""), "404");
  EXPECT_EQ(go(router, "GET", "/chat"), "404");
  EXPECT_EQ(go(router, "GET", "/chat/completions"), "405 OPTIONS, POST");
  EXPECT_EQ(go(router, "DELETE", "/models"), "405 GET, HEAD, OPTIONS");
  EXPECT_EQ(go(router, "DELETE", "/v1/models/x"), "405 GET, HEAD, OPTIONS, POST");
  EXPECT_EQ(go(router, "get", "/models"), "405 GET, HEAD, OPTIONS") << "methods are case-sensitive";
}

TEST(Router, HeadIsAllowedWhereGetIs) {
  const auto router = example();
  EXPECT_EQ(go(router, "HEAD", "/models/a"), "model:a");
  EXPECT_EQ(go(router, "HEAD", "/own"), "own head:");
  EXPECT_EQ(go(router, "HEAD", "/chat/completions"), "405 OPTIONS, POST");
}

TEST(RouterDeathTest, ARouteIsAddedOnce) {
  RouteTable table;
  table.add("GET", "/a", 0);
  EXPECT_DEATH(table.add("GET", "/a", 1), "twice");
  EXPECT_DEATH(table.add("GET", "a", 1), "pattern");
  EXPECT_DEATH(table.add("GET", "/a/x{id}", 1), "pattern");
  EXPECT_DEATH(table.add("GET", "/a/{id}/b", 1), "pattern");
}

}  // namespace
}  // namespace hadal::serve
