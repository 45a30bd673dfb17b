// The Python-style writer: the corner cases of api.md A8.3.
#include "chat/python_json.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace hadal
