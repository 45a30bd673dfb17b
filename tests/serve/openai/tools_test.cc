#include "serve/openai/tools.h"

#include <gtest/gtest.h>

#include <string>

namespace hadal::serve {
namespace {

Asked<void> check(const std::string& tools) {
  ChatAsk ask;
  return check_tools(*parse_json(R"({"tools":)" + tools + "}"), ask);
}
std::vector<std::string> strict(const std::string& tools) {
  ChatAsk ask;
  EXPECT_TRUE(check_tools(*parse_json(R"({"tools":)" + tools + "}"), ask));
  return ask.strict;
}
std::string tool(const std::string& function) {
  return R"([{"type":"function","function":)" + function + "}]";
}

TEST(Tools, Names) {
  EXPECT_TRUE(is_tool_name("get_weather-2"));
  EXPECT_TRUE(is_tool_name(std::string(128, 'a')));
  for (const std::string& name :
       {std::string(), std::string(129, 'a'), std::string("a b"), std::string("é"), std::string("a.b")})
    EXPECT_FALSE(is_tool_name(name)) << name;
}

TEST(Tools, WhatIsAccepted) {
  EXPECT_TRUE(strict("[]").empty());
  ChatAsk ask;
  EXPECT_TRUE(check_tools(*parse_json("{}"), ask));
  EXPECT_TRUE(check("null"));
  EXPECT_TRUE(check("[]"));
  EXPECT_TRUE(check(tool(R"({"name":"f"})")));
  EXPECT_TRUE(check(tool(R"({"name":"f","parameters":{}})")));
  EXPECT_TRUE(check(tool(R"({"name":"f","parameters":{"type":"object","properties":{}},"strict":false})")));
}

TEST(Tools, EveryProblemNamesItsPlace) {
  const std::pair<std::string, std::string> cases[] = {
      {"[{}]", "tools[0].function: expected an object"},
      {R"([{"function":"f"}])", "tools[0].function: expected an object"},
      {tool("{}"), "tools[0].function.name: expected 1 to 128 letters, digits, _ and -"},
      {tool(R"({"name":5})"), "tools[0].function.name: expected 1 to 128 letters, digits, _ and -"},
      {tool(R"({"name":"a b"})"), "tools[0].function.name: expected 1 to 128 letters, digits, _ and -"},
      {R"([{"function":{"name":"f"}},{"function":{"name":"f"}}])",
       "tools[1].function.name: there is another tool called f"},
      {tool(R"({"name":"f","parameters":[]})"),
       "tools[0].function.parameters: expected a JSON schema of type \"object\""},
      {tool(R"({"name":"f","parameters":{"type":"array"}})"),
       "tools[0].function.parameters: expected a JSON schema of type \"object\""},
  };
  for (const auto& [tools, says] : cases) {
    const auto checked = check(tools);
    ASSERT_FALSE(checked) << tools;
    EXPECT_EQ(checked.error().message, says);
    EXPECT_EQ(checked.error().status, 400);
  }
}

TEST(Tools, StrictOnesNameAllTheirParameters) {
  EXPECT_EQ(strict(tool(R"({"name":"f","strict":true})")), std::vector<std::string>{"f"});
  EXPECT_TRUE(
      strict(tool(R"({"name":"f","strict":false,"parameters":{"type":"object","properties":{"a":{}}}})"))
          .empty());
  EXPECT_EQ(
      strict(
          tool(
              R"({"name":"f","strict":true,"parameters":{"type":"object","properties":{"a":{}},"required":["a"]}})"))
          .size(),
      1u);
  const auto missing = check(tool(
      R"({"name":"f","strict":true,"parameters":{"type":"object","properties":{"a":{"type":"array","items":{
          "type":"object","properties":{"b":{}}}}},"required":["a"]}})"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().status, 400);
  EXPECT_EQ(missing.error().message,
            "tools[0].function.parameters.properties.a.items: with strict, `required` must "
            "list every property, and `b` is not in it");
}

TEST(Tools, SomeAreKept) {
  ChatRequest chat;
  chat.tools = {R"({"name":"a"})", R"({"type":"function","function":{"name":"b"}})", R"({"name":"c"})"};
  keep_tools({"c", "b", "x"}, chat);
  EXPECT_EQ(chat.tools.size(), 2u);
  keep_tools({"a"}, chat);
  EXPECT_TRUE(chat.tools.empty());
}

TEST(Tools, ThereIsALimit) {
  const auto some = [](int count) {
    std::string tools = "[";
    for (int i = 0; i < count; ++i)
      tools += (i > 0 ? "," : "") + (R"({"function":{"name":"f)" + std::to_string(i) + "\"}}");
    return check(tools + "]");
  };
  EXPECT_TRUE(some(128));
  EXPECT_EQ(some(129).error().message, "tools: expected at most 128, found 129");
}

}  // namespace
}  // namespace hadal::serve
