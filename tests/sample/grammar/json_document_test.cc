#include "sample/grammar/json_document.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace hadal::grammar {
namespace {

JsonValue parsed(std::string_view text) {
  return *parse_json(text);
}

// The path of where a reference at the root leads.
std::string led(const JsonValue& schema, std::string_view reference) {
  SchemaDocument document(schema);
  return document.path(document.target(document.root(), reference));
}

TEST(JsonDocument, FollowsPointers) {
  const JsonValue schema = parsed(R"({"$defs": {"a/b": {"~": [{}, {"%": {}}]}, "ä ": {}}})");
  EXPECT_EQ(led(schema, "#"), "#");
  EXPECT_EQ(led(schema, ""), "#");
  EXPECT_EQ(led(schema, "#/$defs/a~1b"), "#/$defs/a~1b");
  EXPECT_EQ(led(schema, "#/$defs/a~1b/~0/1/%25"), "#/$defs/a~1b/~0/1/%");
  EXPECT_EQ(led(schema, "#/$defs/%C3%A4%20"), "#/$defs/ä ");
  for (const char* bad :
       {"#/$defs/a", "#/$defs/a~1b/~0/2", "#/$defs/a~1b/~0/x", "#/%zz", "#name", "other", "http://x/"})
    EXPECT_THROW(led(schema, bad), Error) << bad;
}

TEST(JsonDocument, ResolvesUrisAndNames) {
  const JsonValue schema = parsed(R"({"$id": "http://x.y/a/b/root.json",
    "$defs": {"one": {"$id": "../one.json", "$defs": {"in": {"$anchor": "here"}}},
              "two": {"$anchor": "here"}, "three": {"$id": "urn:three", "items": {"$ref": "#"}},
              "no": {"enum": [{"$id": "http://x.y/a/b/hidden.json"}]}}})");
  EXPECT_EQ(led(schema, "#here"), "#/$defs/two");
  EXPECT_EQ(led(schema, "../one.json#here"), "#/$defs/one/$defs/in");
  EXPECT_EQ(led(schema, "http://x.y/a/one.json#/$defs/in"), "#/$defs/one/$defs/in");
  EXPECT_EQ(led(schema, "/a/b/./c/../root.json"), "#");
  EXPECT_EQ(led(schema, "urn:three"), "#/$defs/three");
  EXPECT_THROW(led(schema, "hidden.json"), Error);
  SchemaDocument document(schema);
  const PlaceId three = document.target(document.root(), "urn:three");
  const PlaceId items = document.child(three, "items", *member(document.value(three), "items"));
  EXPECT_EQ(document.path(document.target(items, "#")), "#/$defs/three");
}

TEST(JsonDocument, KnowsItsDialect) {
  const auto stands_alone = [](std::string_view schema) {
    const JsonValue value = parsed(schema);
    return SchemaDocument(value).reference_stands_alone();
  };
  EXPECT_TRUE(stands_alone(R"({"$schema": "http://json-schema.org/draft-07/schema#"})"));
  EXPECT_FALSE(stands_alone(R"({"$schema": "https://json-schema.org/draft/2020-12/schema"})"));
  EXPECT_FALSE(stands_alone("{}"));
  const JsonValue old = parsed(
      R"({"$schema": "http://json-schema.org/draft-04/schema#", "definitions": {"a": {"id": "#name"}}})");
  EXPECT_EQ(led(old, "#name"), "#/definitions/a");
  const JsonValue foreign = parsed(R"({"$schema": "http://example.com/dialect"})");
  EXPECT_THROW(SchemaDocument{foreign}, Error);
}

}  // namespace
}  // namespace hadal::grammar
