#include "text/json_equal.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "chat/python_json.h"

namespace hadal {
namespace {

bool same(std::string_view a, std::string_view b) {
  const auto x = parse_json(a), y = parse_json(b);
  EXPECT_TRUE(x && y) << a << ' ' << b;
  EXPECT_EQ(json_equal(*x, *y), json_equal(*y, *x));
  return json_equal(*x, *y);
}

TEST(JsonEqual, SpellingDoesNotMatter) {
  EXPECT_TRUE(same(R"({"a":1,"b":[true,null]})", "{ \"b\" : [ true , null ],\n\"a\" : 1 }"));
  EXPECT_TRUE(same(R"("é\/")", R"("\u00e9/")"));
  EXPECT_TRUE(same(R"({"a": 1, "a": 2})", R"({"a": 2})"));  // the last one counts
  EXPECT_TRUE(same("{}", " {} "));
}

TEST(JsonEqual, NumbersByValue) {
  for (const auto& [a, b] : {std::pair{"1", "1.0"},
                             {"1", "1e0"},
                             {"100", "1E2"},
                             {"0.1", "0.10"},
                             {"-0", "0"},
                             {"0e99", "0.0"},
                             {"0.1", "0.1000000000000000055"},
                             {"123456789012345678901234567890", "123456789012345678901234567890"}})
    EXPECT_TRUE(same(a, b)) << a << ' ' << b;
  for (const auto& [a, b] : {std::pair{"1", "2"},
                             {"1", "-1"},
                             {"1", "1.5"},
                             {"0", "1e-300"},
                             {"9007199254740993", "9007199254740992"},
                             {"1e999", "1e998"},
                             {"1", "\"1\""}})
    EXPECT_FALSE(same(a, b)) << a << ' ' << b;
}

TEST(JsonEqual, WhatDiffers) {
  EXPECT_FALSE(same(R"({"a": 1})", R"({"b": 1})"));
  EXPECT_FALSE(same(R"({"a": 1})", R"({"a": 1, "b": 2})"));
  EXPECT_FALSE(same(R"({"a": 1, "b": 2})", R"({"a": 2, "b": 1})"));
  EXPECT_FALSE(same("[1, 2]", "[2, 1]"));
  EXPECT_FALSE(same("[1]", "1"));
  EXPECT_FALSE(same("true", "false"));
  EXPECT_FALSE(same("null", "false"));
  EXPECT_FALSE(same(R"("a")", R"("a ")"));
  EXPECT_FALSE(same(R"([[{"a": []}]])", R"([[{"a": {}}]])"));
}

JsonValue random_value(int depth) {
  JsonValue out;
  const int kind = *rc::gen::inRange(0, depth > 0 ? 7 : 5);
  out.kind = static_cast<JsonValue::Kind>(kind);
  if (out.is(JsonValue::Kind::kNumber)) out.text = *rc::gen::element<std::string>("0", "1", "-2.5", "1e9");
  if (out.is_string()) out.text = *rc::gen::element<std::string>("", "x", "é\n");
  if (kind >= 5)
    for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
      if (out.is_object()) out.keys.push_back("k" + std::to_string(i));
      out.items.push_back(random_value(depth - 1));
    }
  return out;
}

void shuffle(JsonValue& value) {
  for (JsonValue& item : value.items) shuffle(item);
  if (!value.is_object()) return;
  std::reverse(value.keys.begin(), value.keys.end());
  std::reverse(value.items.begin(), value.items.end());
}

RC_GTEST_PROP(JsonEqualProperty, KeysInAnyOrder, ()) {
  const JsonValue a = random_value(4);
  JsonValue b = a;
  shuffle(b);
  RC_ASSERT(json_equal(a, b));
  const auto again = parse_json(python_json(b));
  RC_ASSERT(again.has_value());
  RC_ASSERT(json_equal(a, *again));
}

// Two values are equal only when their spelling with sorted keys is.
RC_GTEST_PROP(JsonEqualProperty, OthersDiffer, ()) {
  const JsonValue a = random_value(2), b = random_value(2);
  RC_ASSERT(json_equal(a, b) == (python_json(a) == python_json(b)));
}

}  // namespace
}  // namespace hadal
