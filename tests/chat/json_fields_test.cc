// Members of objects that clients send: every type, absent, null and wrong.
#include "chat/json_fields.h"

#include <gtest/gtest.h>

#include <limits>

namespace hadal {
namespace {

JsonValue json(std::string_view text) {
  const auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(JsonValue{});
}

std::string said(const Result<void>& result) {
  return result ? "fine" : result.error().to_string();
}

TEST(Fields, AbsentAndNullLeaveWhatIsThere) {
  const JsonValue object = json(R"({"a": null})");
  const Fields fields(object);
  std::string text = "t";
  bool flag = true;
  float real = 2;
  std::optional<double> maybe_real;
  int whole = 3;
  std::vector<std::string> list = {"x"};
  const JsonValue* value = nullptr;
  for (const char* key : {"a", "b"}) {
    EXPECT_FALSE(fields.has(key));
    EXPECT_TRUE(fields.text(key, text) && fields.boolean(key, flag) && fields.real(key, real) &&
                fields.real(key, maybe_real) && fields.whole(key, 0, 1, whole) &&
                fields.texts(key, 4, true, list) && fields.object(key, value) && fields.array(key, value));
  }
  EXPECT_EQ(text, "t");
  EXPECT_TRUE(flag);
  EXPECT_EQ(real, 2);
  EXPECT_FALSE(maybe_real);
  EXPECT_EQ(whole, 3);
  EXPECT_EQ(list.size(), 1u);
  EXPECT_EQ(value, nullptr);
}

TEST(Fields, ReadsEveryType) {
  const JsonValue object = json(
      R"({"t": "x\u00e9", "yes": true, "no": false, "r": 0.25, "i": 8, "list": ["a", ""], "o": {"k": 1}, "e": []})");
  const Fields fields(object);
  std::string text;
  std::optional<std::string> maybe;
  bool yes = false;
  std::optional<bool> no;
  float r = 0;
  std::optional<double> i;
  std::vector<std::string> list;
  const JsonValue *o = nullptr, *e = nullptr;
  EXPECT_EQ(said(fields.text("t", text)), "fine");
  EXPECT_TRUE(fields.text("t", maybe) && fields.boolean("yes", yes) && fields.boolean("no", no) &&
              fields.real("r", r) && fields.real("i", i) && fields.texts("list", 2, false, list) &&
              fields.object("o", o) && fields.array("e", e));
  EXPECT_EQ(text, "xé");
  EXPECT_EQ(maybe, "xé");
  EXPECT_TRUE(yes);
  EXPECT_EQ(no, false);
  EXPECT_EQ(r, 0.25f);
  EXPECT_EQ(i, 8.0);
  EXPECT_EQ(list, (std::vector<std::string>{"a", ""}));
  EXPECT_EQ(o->find("k")->text, "1");
  EXPECT_TRUE(e->items.empty());
}

TEST(Fields, WholeNumbersInAnySpelling) {
  const auto read = [](const std::string& number) {
    const JsonValue object = json("{\"n\": " + number + "}");
    std::optional<int64_t> out;
    const auto result = Fields(object).whole("n", std::numeric_limits<int64_t>::min(),
                                             std::numeric_limits<int64_t>::max(), out);
    EXPECT_EQ(result.has_value(), out.has_value());
    return out;
  };
  EXPECT_EQ(read("8"), 8);
  EXPECT_EQ(read("8.0"), 8);
  EXPECT_EQ(read("1e3"), 1000);
  EXPECT_EQ(read("1.5E1"), 15);
  EXPECT_EQ(read("-0"), 0);
  EXPECT_EQ(read("-0.0"), 0);
  EXPECT_EQ(read("-12.000"), -12);
  EXPECT_EQ(read("9223372036854775807"), std::numeric_limits<int64_t>::max());
  EXPECT_EQ(read("-9223372036854775808"), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(read("9007199254740992.0"), int64_t{1} << 53);
  for (const char* wrong : {"8.5", "1e-3", "9223372036854775808", "1e300", "1e999", "9007199254740994.0",
                            "\"8\"", "true", "[8]", "{}"})
    EXPECT_EQ(read(wrong), std::nullopt) << wrong;
}

TEST(Fields, WholeNumbersOfEveryWidth) {
  const JsonValue object = json(R"({"big": 18446744073709551615, "minus": -1, "byte": 300, "low": -129})");
  const Fields fields(object);
  std::optional<uint64_t> big;
  EXPECT_TRUE(fields.whole("big", 0, std::numeric_limits<uint64_t>::max(), big));
  EXPECT_EQ(big, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(said(fields.whole("minus", 0, 5, big)), "minus: expected a whole number from 0 to 5");
  EXPECT_EQ(json_whole<uint8_t>(*object.find("byte")), std::nullopt);
  EXPECT_EQ(json_whole<int16_t>(*object.find("byte")), 300);
  EXPECT_EQ(json_whole<int8_t>(*object.find("low")), std::nullopt);
  int32_t n = 7;
  EXPECT_EQ(said(fields.whole("byte", 1, 299, n)), "byte: expected a whole number from 1 to 299");
  EXPECT_EQ(n, 7);
  EXPECT_TRUE(fields.whole("byte", 1, 300, n));
  EXPECT_EQ(n, 300);
}

TEST(Fields, RealsThatAFloatHolds) {
  for (const char* wrong : {"\"1\"", "1e39", "-1e39", "1e999", "false"})
    EXPECT_EQ(json_real(json(wrong)), std::nullopt) << wrong;
  EXPECT_EQ(json_real(json("-1.5")), -1.5);
  EXPECT_EQ(json_real(json("3e38")), 3e38);
  EXPECT_EQ(json_real(json("7")), 7.0);
}

TEST(Fields, ProblemsNameThePath) {
  const JsonValue object = json(R"({"a": 1, "list": ["x", 2], "long": ["1", "2", "3"], "o": []})");
  const Fields root(object), inner(object, "messages[2]");
  std::string text;
  bool flag = false;
  float real = 0;
  std::vector<std::string> list = {"kept"};
  const JsonValue* value = nullptr;
  EXPECT_EQ(said(root.text("a", text)), "a: expected a string");
  EXPECT_EQ(said(inner.text("a", text)), "messages[2].a: expected a string");
  EXPECT_EQ(said(inner.boolean("a", flag)), "messages[2].a: expected true or false");
  EXPECT_EQ(said(root.real("list", real)), "list: expected a number");
  EXPECT_EQ(said(inner.texts("list", 4, true, list)), "messages[2].list[1]: expected a string");
  EXPECT_EQ(said(root.texts("long", 2, true, list)),
            "long: expected a string or an array of at most 2 strings");
  EXPECT_EQ(said(root.texts("a", 2, false, list)), "a: expected an array of at most 2 strings");
  EXPECT_EQ(said(root.object("o", value)), "o: expected an object");
  EXPECT_EQ(said(root.array("a", value)), "a: expected an array");
  EXPECT_EQ(list, (std::vector<std::string>{"kept"}));
  EXPECT_EQ(value, nullptr);
  EXPECT_EQ(inner.where(""), "messages[2]");
  EXPECT_EQ(root.where(""), "");
  EXPECT_EQ(inner.where("x", 3), "messages[2].x[3]");
  EXPECT_EQ(root.where("x"), "x");
}

TEST(Fields, OneStringIsAListWhereThatIsAllowed) {
  const JsonValue object = json(R"({"stop": "x"})");
  std::vector<std::string> list;
  EXPECT_TRUE(Fields(object).texts("stop", 1, true, list));
  EXPECT_EQ(list, std::vector<std::string>{"x"});
  EXPECT_FALSE(Fields(object).texts("stop", 1, false, list));
}

}  // namespace
}  // namespace hadal
