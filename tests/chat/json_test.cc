// The JSON reader and the Python-style writer: the corner cases of api.md A8.2 and A8.3.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "chat/json_value.h"
#include "chat/python_json.h"

namespace hadal {
namespace {

std::string rewritten(std::string_view json) {
  const auto value = parse_json(json);
  return value ? python_json(*value) : "PROBLEM " + value.error().to_string();
}

TEST(PythonJson, SeparatorsAndLiterals) {
  EXPECT_EQ(rewritten(R"( {"b":1,"a":[true,false,null,{}],"c":[]} )"),
            R"({"b": 1, "a": [true, false, null, {}], "c": []})");
}

TEST(PythonJson, OnlyWhatMustBeEscapedIsEscaped) {
  EXPECT_EQ(rewritten("\"\\\"\\\\\\/\\b\\t\\n\\f\\r\\u0001\\u001F\x7f\\u00e9\\u2028\\u2029\""),
            "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xC3\xA9\xE2\x80\xA8\xE2\x80\xA9\"");
}

TEST(PythonJson, Surrogates) {
  EXPECT_EQ(rewritten(R"("\ud83d\ude00")"), "\"\xF0\x9F\x98\x80\"");
  EXPECT_EQ(rewritten(R"("\ud83d")"), "\"\xEF\xBF\xBD\"");
  EXPECT_EQ(rewritten(R"("\ude00x")"), "\"\xEF\xBF\xBDx\"");
  EXPECT_EQ(rewritten(R"("\ud83d\u0041")"),
            "\"\xEF\xBF\xBD"
            "A\"");
  EXPECT_EQ(rewritten(R"("\ud83d\ud83d\ude00")"), "\"\xEF\xBF\xBD\xF0\x9F\x98\x80\"");
}

TEST(PythonJson, Numbers) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.0", "-0.0"},
      {"123456789012345678901234567890", "123456789012345678901234567890"},
      {"-7331605780193", "-7331605780193"},
      {"1.0", "1.0"},
      {"2.50", "2.5"},
      {"0.1", "0.1"},
      {"1e5", "100000.0"},
      {"1E15", "1000000000000000.0"},
      {"1e16", "1e+16"},
      {"12345678901234567.0", "1.2345678901234568e+16"},
      {"1.5e300", "1.5e+300"},
      {"0.0001", "0.0001"},
      {"0.00001", "1e-05"},
      {"1.25e-7", "1.25e-07"},
      {"1e-400", "0.0"},
      {"-1e-400", "-0.0"},
      {"0e99999999999999999999", "0.0"},
      {"5e-324", "5e-324"},
      {"1.7976931348623157e308", "1.7976931348623157e+308"},
      {"1e400", "1e400"},
      {"-1E+400", "-1E+400"},
      {"1e99999999999999999999", "1e99999999999999999999"},
      {"1e-99999999999999999999", "0.0"},
      {"9007199254740993.0", "9007199254740992.0"},
      {"0.30000000000000004", "0.30000000000000004"}};
  for (const auto& [in, out] : cases) EXPECT_EQ(rewritten(in), out) << in;
}

TEST(PythonJson, OfRepeatedKeysTheLastValueStaysAtTheFirstPlace) {
  EXPECT_EQ(rewritten(R"({"a":1,"b":2,"a":{"x":3,"x":4}})"), R"({"a": {"x": 4}, "b": 2})");
  EXPECT_TRUE(parse_json(R"({"a":1,"a":2})")->had_repeats);
  EXPECT_FALSE(parse_json(R"({"a":1,"b":{"a":2}})")->had_repeats);
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const std::string bad : {"",
                                " ",
                                "{",
                                "[",
                                "[1",
                                "[1,",
                                "[1,]",
                                "{\"a\"}",
                                "{\"a\":}",
                                "{\"a\":1,}",
                                "{a:1}",
                                "'a'",
                                "\"",
                                "\"a",
                                "\"\\\"",
                                "\"\\x\"",
                                "\"\\u12\"",
                                "\"\\u12g4\"",
                                "\"\n\"",
                                "\"\t\"",
                                "01",
                                "+1",
                                "-",
                                "1.",
                                ".5",
                                "1e",
                                "1e+",
                                "NaN",
                                "Infinity",
                                "-Infinity",
                                "tru",
                                "nul",
                                "nullx",
                                "1 2",
                                "[1]]",
                                "\xFF",
                                "\"\xC0\x80\"",
                                "\"\xED\xA0\x80\"",
                                "\"\xE2\x82\""})
    EXPECT_FALSE(parse_json(bad)) << bad;
  EXPECT_EQ(parse_json("[1, x]").error().to_string(), "byte 4: expected a JSON value");
  EXPECT_TRUE(parse_json("\xEF\xBB\xBF{}"));
}

TEST(JsonReader, DepthIsLimited) {
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(kMaxJsonDepth)));
  EXPECT_FALSE(parse_json(nested(kMaxJsonDepth + 1)));
  EXPECT_FALSE(parse_json(std::string(10'000'000, '[')));
}

// Against another reader: the same values, whatever the text.
nlohmann::ordered_json random_json(int depth) {
  const int kind = *rc::gen::inRange(0, depth > 0 ? 7 : 5);
  if (kind == 0) return nullptr;
  if (kind == 1) return *rc::gen::arbitrary<bool>();
  if (kind == 2) return *rc::gen::arbitrary<int64_t>();
  if (kind == 3) return *rc::gen::arbitrary<double>();
  const auto letters =
      rc::gen::container<std::string>(rc::gen::elementOf(std::string("ab \"\\/\n\t\x01\x1f\x7f{}[],:")));
  if (kind == 4) return *letters;
  auto out = kind == 5 ? nlohmann::ordered_json::array() : nlohmann::ordered_json::object();
  const int n = *rc::gen::inRange(0, 4);
  for (int i = 0; i < n; ++i) {
    if (kind == 5)
      out.push_back(random_json(depth - 1));
    else
      out[*letters] = random_json(depth - 1);
  }
  return out;
}

RC_GTEST_PROP(JsonReader, AgreesWithAnotherReader, ()) {
  const auto value = random_json(3);
  const auto parsed = parse_json(value.dump(*rc::gen::inRange(-1, 3)));
  RC_ASSERT(parsed.has_value());
  const std::string again = python_json(*parsed);
  RC_ASSERT(nlohmann::ordered_json::parse(again) == value);
  RC_ASSERT(python_json(*parse_json(again)) == again);
}

}  // namespace
}  // namespace hadal
