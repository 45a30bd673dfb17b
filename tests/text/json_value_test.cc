// The JSON reader: what it keeps, what it refuses (api.md A8.2).
#include "text/json_value.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "chat/python_json.h"

namespace hadal {
namespace {

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

TEST(JsonReader, TheNumberOfValuesIsLimited) {
  const auto array_of = [](int64_t count) {
    std::string text = "[1";
    for (int64_t i = 1; i < count; ++i) text += ",1";
    return text + "]";
  };
  const auto most = parse_json(array_of(kMaxJsonValues - 1));  // and the array itself
  ASSERT_TRUE(most);
  EXPECT_EQ(most->items.size(), static_cast<size_t>(kMaxJsonValues - 1));
  const auto more = parse_json(array_of(kMaxJsonValues));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().what, "expected no more than 2097152 values");
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
