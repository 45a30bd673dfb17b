// The reader behind the configuration files.
#include "model/json_fields.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "support/files.h"

namespace hadal {
namespace {

using test::error_of;
using test::invalid_file;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(JsonFields, DocumentsThatAreNoConfiguration) {
  const auto error = [](const std::string& text) {
    return invalid_file([&] { parse_json_object(text, "f"); });
  };
  EXPECT_THAT(error(""), HasSubstr("f: not JSON at line 1"));
  EXPECT_THAT(error("{\n \"a\": 1,\n \"b\": nan\n}"), HasSubstr("line 3:  \"b\": nan"));
  EXPECT_THAT(error("{\"a\":1,\"a\":2}"), HasSubstr("\"a\" is given twice"));
  EXPECT_THAT(error("{\"a\":{\"b\":1,\"b\":2}}"), HasSubstr("\"b\" is given twice"));
  EXPECT_THAT(error("[1]"), HasSubstr("found array"));
  EXPECT_THAT(error("{\"a\":" + std::string(100000, '[')), HasSubstr("nested deeper than 32"));
  EXPECT_THAT(error("{\"a\":\"\xff\"}"), HasSubstr("not JSON"));
  EXPECT_EQ(parse_json_object("{\"a\":{\"b\":1},\"b\":2}", "f")["b"], 2);
}

TEST(JsonFields, ValuesAndTheirMessages) {
  const auto json =
      parse_json_object(R"({"n":3,"x":0.5,"s":"t","l":[1,2],"o":{"k":7},"z":null,"b":true})", "f");
  const JsonFields fields(json, "f");
  EXPECT_EQ(fields.integer("n", 0, 3), 3);
  EXPECT_EQ(fields.integer("z", 0, 3, 2), 2);
  EXPECT_EQ(fields.number("n", 0.0, 3.0), 3.0);
  EXPECT_EQ(fields.number("absent", 0.0, 3.0, 1.25), 1.25);
  EXPECT_EQ(fields.text("s", ""), "t");
  EXPECT_TRUE(fields.boolean("b", false));
  EXPECT_EQ(fields.integers("l", 0, 5, false), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(fields.integers("n", 0, 5, true), std::vector<int64_t>{3});
  EXPECT_EQ(fields.object("o").integer("k", 0, 9), 7);
  EXPECT_FALSE(fields.has("z"));
  EXPECT_THAT(invalid_file([&] { fields.integer("n", 4, 9); }),
              HasSubstr("f: n is 3, expected a whole number from 4 to 9"));
  EXPECT_THAT(invalid_file([&] { fields.integer("z", 0, 1); }), HasSubstr("f: z is missing"));
  EXPECT_THAT(invalid_file([&] { fields.number("s", 0, 1); }), HasSubstr("s is \"t\", expected a number"));
  EXPECT_THAT(invalid_file([&] { fields.object("o").integer("k", 0, 1); }), HasSubstr("f: o.k is 7"));
  EXPECT_THAT(invalid_file([&] { fields.integers("n", 0, 5, false); }), HasSubstr("a list of whole numbers"));
  EXPECT_THAT(error_of(ErrorCode::kUnsupported, [&] { fields.only("s", "u"); }),
              AllOf(HasSubstr("\"t\" is not supported"), HasSubstr("only \"u\" is")));
  EXPECT_NO_THROW(fields.only("absent", "u"));
}

TEST(JsonFields, LongValuesAreCutInMessages) {
  const auto json = parse_json_object("{\"n\":\"" + std::string(10000, 'x') + "\"}", "f");
  EXPECT_LT(invalid_file([&] { JsonFields(json, "f").integer("n", 0, 1); }).size(), 200u);
}

}  // namespace
}  // namespace hadal
