#include "serve/openai/tools.h"

#include <gtest/gtest.h>

#include <string>

namespace hadal::serve {
namespace {

Asked<void> check(const std::string& tools) {
  return check_tools(*parse_json(R"({"tools":)" + tools + "}"));
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
  EXPECT_TRUE(check_tools(*parse_json("{}")));
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
  EXPECT_EQ(check(tool(R"({"name":"f","strict":true})")).error().code, "unsupported_feature");
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
