#include "serve/anthropic/tools.h"

#include <gtest/gtest.h>

namespace hadal::serve::anthropic {
namespace {

struct Outcome {
  std::vector<std::string> tools;
  std::string error, param;
  ChatAsk ask{};
};
Outcome read(const std::string& body) {
  ChatAsk ask;
  const auto value = parse_json(body);
  EXPECT_TRUE(value) << body;
  const auto done = read_tools(*value, ask);
  if (done) return {ask.chat.tools, "", "", ask};
  EXPECT_EQ(done.error().status, 400);
  return {ask.chat.tools, done.error().message, done.error().param, ask};
}

TEST(AnthropicTools, AToolAsThePromptShowsIt) {
  const auto tools = read(R"({"tools":[
      {"name":"f","description":"Does f.","input_schema":{"type":"object","properties":{"a":{"type":"string"}}},
       "cache_control":{"type":"ephemeral"}},
      {"type":"custom","name":"g","input_schema":{"properties":{}},"strict":false},
      {"name":"h","description":null,"input_schema":{"type":null}}]})")
                         .tools;
  ASSERT_EQ(tools.size(), 3u);
  EXPECT_EQ(tools[0], R"({"name": "f", "description": "Does f.", "parameters": {"type": "object", )"
                      R"("properties": {"a": {"type": "string"}}}})");
  EXPECT_EQ(tools[1],
            R"({"name": "g", "description": "", "parameters": {"properties": {}, "type": "object"}})");
  EXPECT_EQ(tools[2], R"({"name": "h", "description": "", "parameters": {"type": "object"}})");
}

TEST(AnthropicTools, WhatAServerWouldRunIsLeftOut) {
  const auto tools = read(R"({"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5},
      {"type":"bash_20250124","name":"bash"},
      {"type":"bash_20250124","name":"my_bash","input_schema":{"type":"object"}},
      {"type":"computer_20250124","display_width_px":3}]})")
                         .tools;
  ASSERT_EQ(tools.size(), 1u);
  EXPECT_EQ(tools[0], R"({"name": "my_bash", "description": "", "parameters": {"type": "object"}})");
}

TEST(AnthropicTools, TheChoice) {
  const std::string tools = R"("tools":[{"name":"f","input_schema":{}}],"tool_choice":)";
  const Outcome single = read("{" + tools + R"({"type":"auto","disable_parallel_tool_use":true}})");
  EXPECT_TRUE(single.tools.size() == 1 && !single.ask.must_call && !single.ask.answer.parallel);
  EXPECT_EQ(read("{" + tools + "null}").tools.size(), 1u);
  const Outcome none = read("{" + tools + R"({"type":"none"}})");
  EXPECT_TRUE(none.tools.empty() && none.error.empty());
  const Outcome any = read("{" + tools + R"({"type":"any"}})");
  EXPECT_TRUE(any.error.empty() && any.ask.must_call && any.ask.answer.parallel);
  const Outcome one = read(R"({"tools":[{"name":"e","input_schema":{}},{"name":"f","input_schema":{}}],
                               "tool_choice":{"type":"tool","name":"f"}})");
  EXPECT_TRUE(one.error.empty() && one.ask.must_call && !one.ask.answer.parallel);
  ASSERT_EQ(one.tools.size(), 1u);
  EXPECT_NE(one.tools[0].find("\"f\""), std::string::npos);
  EXPECT_EQ(read("{" + tools + R"({"type":"tool","name":"g"}})").error,
            "tool_choice: no tool named 'g' was specified");
  EXPECT_EQ(read("{" + tools + R"({"type":"tool"}})").error, "tool_choice.name: expected the name of a tool");
  for (const std::string wrong : {"\"auto\"", "{}", R"({"type":"some"})", R"({"type":["auto"]})"})
    EXPECT_EQ(read("{" + tools + wrong + "}").error, "tool_choice.type: expected auto, any, tool or none");
  EXPECT_EQ(read(R"({"tool_choice":{"type":"any"}})").error, "tool_choice: expected tools to choose from");
  EXPECT_EQ(read(R"({"tool_choice":{"type":"auto"}})").error, "");
}

TEST(AnthropicTools, EveryProblemNamesItsPlace) {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "tools: expected an array"},
      {"[[]]", "tools.0: expected an object"},
      {R"([{"type":1}])", "tools.0.type: expected a string"},
      {R"([{"name":1}])", "tools.0.name: expected a string"},
      {R"([{"input_schema":{}}])", "tools.0.name: expected 1 to 128 letters, digits, _ and -"},
      {R"([{"name":"a b","input_schema":{}}])", "tools.0.name: expected 1 to 128 letters, digits, _ and -"},
      {R"([{"name":")" + std::string(129, 'a') + R"(","input_schema":{}}])",
       "tools.0.name: expected 1 to 128 letters, digits, _ and -"},
      {R"([{"name":"f","input_schema":{}},{"name":"f","input_schema":{}}])",
       "tools.1.name: there is another tool called f"},
      {R"([{"name":"f"}])", "tools.0.input_schema: expected a JSON schema"},
      {R"([{"name":"f","input_schema":[]}])",
       "tools.0.input_schema: expected a JSON schema of type \"object\""},
      {R"([{"name":"f","input_schema":{"type":"array"}}])",
       "tools.0.input_schema: expected a JSON schema of type \"object\""},
      {R"([{"name":"f","input_schema":{"type":{}}}])",
       "tools.0.input_schema: expected a JSON schema of type \"object\""},
      {R"([{"name":"f","description":{},"input_schema":{}}])", "tools.0.description: expected a string"},
  };
  for (const auto& [tools, says] : cases) EXPECT_EQ(read(R"({"tools":)" + tools + "}").error, says);
  EXPECT_EQ(read(R"({"tools":[{"name":"f","input_schema":{},"strict":true},{"name":"g","input_schema":{}}]})")
                .ask.strict,
            std::vector<std::string>{"f"});
}

}  // namespace
}  // namespace hadal::serve::anthropic
