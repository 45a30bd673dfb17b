// The OpenAPI document and the routes there are.
#include "serve/admin/openapi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "serve/service_fixture.h"

namespace hadal::serve {
namespace {

using test::at;

const JsonValue& document() {
  static const JsonValue value = [] {
    const auto parsed = parse_json(kOpenApiText);
    EXPECT_TRUE(parsed) << parsed.error().to_string();
    return parsed ? *parsed : JsonValue{};
  }();
  return value;
}

using Operation = std::pair<std::string, std::string>;  // method, path

std::set<Operation> described() {
  std::set<Operation> out;
  const JsonValue& paths = *document().find("paths");
  for (size_t i = 0; i < paths.keys.size(); ++i)
    for (std::string method : paths.items[i].keys) {
      std::ranges::transform(method, method.begin(), [](char c) { return c & ~0x20; });
      out.emplace(method, paths.keys[i]);
    }
  return out;
}

// Every reference of the document, and what is under it.
void collect_references(const JsonValue& value, std::set<std::string>& out) {
  if (value.is_object())
    if (const JsonValue* target = value.find("$ref")) out.insert(target->text);
  for (const JsonValue& item : value.items) collect_references(item, out);
}

TEST(OpenApi, DescribesEveryRouteAndNothingElse) {
  test::TestServer server;
  std::set<Operation> there;
  for (const Route& route : server.service().routes()) there.emplace(route.method, route.pattern);
  EXPECT_EQ(there, described());
}

TEST(OpenApi, IsServed) {
  test::TestServer server;
  const test::Reply reply = server.get("/openapi.json");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(reply.body, kOpenApiText);
  EXPECT_EQ(at(reply.json(), "openapi").text, "3.1.0");
}

TEST(OpenApi, EveryReferenceHasATargetAndEveryComponentAUse) {
  std::set<std::string> used, there;
  collect_references(document(), used);
  for (const char* kind : {"schemas", "responses"})
    for (const std::string& name : document().find("components")->find(kind)->keys)
      there.insert(std::string("#/components/") + kind + "/" + name);
  EXPECT_EQ(used, there);
}

TEST(OpenApi, EveryOperationSaysWhatCanGoWrong) {
  const JsonValue& paths = *document().find("paths");
  std::set<std::string> names;
  for (size_t i = 0; i < paths.keys.size(); ++i)
    for (size_t j = 0; j < paths.items[i].keys.size(); ++j) {
      const JsonValue& operation = paths.items[i].items[j];
      const std::string where = paths.items[i].keys[j] + " " + paths.keys[i];
      EXPECT_TRUE(names.insert(at(operation, "operationId").text).second) << where;
      EXPECT_FALSE(at(operation, "summary").text.empty()) << where;
      const JsonValue responses = at(operation, "responses");
      for (const char* status : {"400", "405", "413", "500", "503"})
        EXPECT_NE(responses.find(status), nullptr) << where << " " << status;
      // Who needs no key says so.
      const bool open = operation.find("security") != nullptr;
      EXPECT_NE(open, responses.find("401") != nullptr) << where;
      EXPECT_NE(responses.find("200") != nullptr, at(operation, "tags.0").text == "Not supported") << where;
      if (operation.find("requestBody") == nullptr) continue;
      EXPECT_NE(responses.find("415"), nullptr) << where;
    }
}

}  // namespace
}  // namespace hadal::serve
