#include "serve/json_out.h"

#include <gtest/gtest.h>

#include <limits>

#include "text/json_value.h"

namespace hadal::serve {
namespace {

TEST(JsonOut, WritesWhatIsSaidInItsOrder) {
  std::string out;
  JsonOut json(out);
  json.begin('{').field("a", 1).field("b", "x").key("c").begin('[');
  json.value(true).null().value(-2.5).begin('{').end('}').begin('[').end(']').raw("{\"r\":1}");
  json.end(']').null_field("d").raw_field("e", "[]").field("f", std::string("y")).end('}');
  EXPECT_EQ(out, R"({"a":1,"b":"x","c":[true,null,-2.5,{},[],{"r":1}],"d":null,"e":[],"f":"y"})");
}

TEST(JsonOut, TextsAreEscapedAndReadBack) {
  const std::string text =
      "quote \" backslash \\ newline \n tab \t nul " + std::string(1, '\0') + " \x1f ü 深";
  const std::string json = json_string(text);
  EXPECT_EQ(json.find('\n'), std::string::npos) << "an event is one line";
  const auto value = parse_json(json);
  ASSERT_TRUE(value);
  EXPECT_EQ(value->text, text);
}

TEST(JsonOut, NumbersThatJsonLacksAreNull) {
  std::string out;
  JsonOut json(out);
  json.begin('[')
      .value(std::numeric_limits<double>::infinity())
      .value(std::numeric_limits<double>::quiet_NaN());
  json.value(1e300).value(0.1).value(std::numeric_limits<int64_t>::min()).end(']');
  EXPECT_EQ(out, "[null,null,1e+300,0.1,-9223372036854775808]");
}

TEST(JsonOut, GoesOnInsideOfAnObject) {
  std::string out = R"({"a":1)";
  JsonOut json(out, true);
  json.field("b", 2).end('}');
  EXPECT_EQ(out, R"({"a":1,"b":2})");
}

}  // namespace
}  // namespace hadal::serve
