#include "serve/openai/response_tools.h"

#include <gtest/gtest.h>

#include "chat/python_json.h"

namespace hadal::serve::responses {
namespace {

Asked<Tools> read(const std::string& json) {
  const auto value = parse_json(json);
  EXPECT_TRUE(value) << json;
  return Tools::read(*value);
}

TEST(ResponseTools, AFunctionIsShownWithWhatThePromptShows) {
  const auto tools = read(
      R"([{"type":"function","name":"f","description":"d","strict":false,)"
      R"("parameters":{"type":"object","properties":{"x":{"type":"string"}}}},{"type":"function","name":"g"}])");
  ASSERT_TRUE(tools);
  ASSERT_EQ(tools->shown().size(), 2u);
  EXPECT_EQ(
      tools->shown()[0],
      R"({"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}})");
  EXPECT_EQ(tools->shown()[1], R"({"name": "g", "description": "", "parameters": {}})");
  EXPECT_EQ(tools->name_of("f"), (ToolName{"f", "", false}));
  EXPECT_TRUE(tools->has({"g", "", false}));
  EXPECT_FALSE(tools->has({"g", "", true}));
}

TEST(ResponseTools, ANamespaceIsPartOfTheName) {
  const auto tools =
      read(R"([{"type":"namespace","name":"mcp__web","description":"The web.","tools":[)"
           R"({"type":"function","name":"get","description":"Gets."},{"type":"function","name":"put"},)"
           R"({"type":"other"}]}])");
  ASSERT_TRUE(tools);
  ASSERT_EQ(tools->shown().size(), 2u);
  EXPECT_EQ(tools->shown()[0],
            R"({"name": "mcp__web::get", "description": "The web.\nGets.", "parameters": {}})");
  EXPECT_EQ(tools->shown()[1], R"({"name": "mcp__web::put", "description": "The web.", "parameters": {}})");
  EXPECT_EQ(tools->name_of("mcp__web::get"), (ToolName{"get", "mcp__web", false}));
  EXPECT_EQ(tools->prompt_name({"get", "mcp__web", false}), "mcp__web::get");
}

TEST(ResponseTools, NamesThatAreInNoList) {
  const Tools none;
  EXPECT_EQ(none.name_of("a::b::c"), (ToolName{"b::c", "a", false}));
  EXPECT_EQ(none.name_of("plain"), (ToolName{"plain", "", false}));
  EXPECT_EQ(none.prompt_name({"b", "a", false}), "a::b");
  EXPECT_EQ(none.prompt_name({"apply_patch", "", true}), "apply_patch");
}

TEST(ResponseTools, NamesThatClashAreNumbered) {
  const auto tools =
      read(R"([{"type":"function","name":"apply_patch"},{"type":"custom","name":"apply_patch"},)"
           R"({"type":"function","name":"apply_patch","description":"again"}])");
  ASSERT_TRUE(tools);
  EXPECT_EQ(tools->name_of("apply_patch"), (ToolName{"apply_patch", "", false}));
  EXPECT_EQ(tools->name_of("apply_patch_1"), (ToolName{"apply_patch", "", true}));
  EXPECT_EQ(tools->name_of("apply_patch_2"), (ToolName{"apply_patch", "", false}));
  EXPECT_EQ(tools->prompt_name({"apply_patch", "", true}), "apply_patch_1");
  EXPECT_NE(tools->shown()[2].find("apply_patch_2"), std::string::npos);
}

TEST(ResponseTools, APatchIsAFunctionWithOneText) {
  const auto tools =
      read(R"([{"type":"custom","name":"apply_patch","description":"?","format":{"type":"grammar"}}])");
  ASSERT_TRUE(tools);
  const auto shown = parse_json(tools->shown()[0]);
  ASSERT_TRUE(shown);
  EXPECT_EQ(
      python_json(*shown->find("parameters")),
      R"({"type": "object", "additionalProperties": false, "properties": {"input": {"type": "string", )"
      R"("description": "The entire contents of the apply_patch command (the *** Begin Patch ... *** End )"
      R"(Patch envelope)."}}, "required": ["input"]})");
  for (const char* word : {"*** Begin Patch", "*** End Patch", "*** Add File: ", "*** Delete File: ",
                           "*** Update File: ", "*** Move to: ", "@@", "*** End of File", "relative"})
    EXPECT_NE(shown->find("description")->text.find(word), std::string::npos) << word;
  EXPECT_TRUE(tools->name_of("apply_patch").custom);
  EXPECT_EQ(custom_arguments("a\n\"b\""), R"({"input": "a\n\"b\""})");
}

TEST(ResponseTools, WhatThisServerDoesNotRunIsLeftOut) {
  const auto tools = read(
      R"([{"type":"web_search"},{"type":"web_search_preview_2025_03_11"},{"type":"local_shell"},)"
      R"({"type":"image_generation"},{"type":"function","name":"f","description":null,"parameters":null,"strict":null}])");
  ASSERT_TRUE(tools);
  EXPECT_EQ(tools->shown().size(), 1u);
}

TEST(ResponseTools, StrictOnesByTheirNameInThePrompt) {
  const auto tools = read(R"([{"type":"function","name":"f"},{"type":"function","name":"f","strict":true},
      {"type":"namespace","name":"n","tools":[{"type":"function","name":"g","strict":true}]}])");
  ASSERT_TRUE(tools);
  EXPECT_EQ(tools->strict(), (std::vector<std::string>{"f_1", "n::g"}));
}

TEST(ResponseTools, WhatIsWrongIsNamed) {
  std::string many = R"([{"type":"function","name":"f"})";
  for (size_t i = 0; i < kMostTools; ++i) many += R"(,{"type":"function","name":"f"})";
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "tools: expected an array of tools"},
      {"[1]", "tools[0]: expected an object with a type"},
      {"[{}]", "tools[0]: expected an object with a type"},
      {R"([{"type":5}])", "tools[0]: expected an object with a type"},
      {R"([{"type":"function"}])", "tools[0].name: expected 1 to 128 letters"},
      {R"([{"type":"function","name":"a b"}])", "tools[0].name: expected 1 to 128 letters"},
      {R"([{"type":"function","name":"a","description":5}])", "tools[0].description: expected a string"},
      {R"([{"type":"function","name":"a","parameters":[]}])", "tools[0].parameters: expected a JSON schema"},
      {R"([{"type":"function","name":"a","parameters":{"type":"string"}}])", "tools[0].parameters"},
      {R"([{"type":"function","name":"a","strict":true,"parameters":{"type":"object","properties":{"x":{}}}}])",
       "tools[0].parameters: with strict, `required` must list every property, and `x` is not in it"},
      {R"([{"type":"custom","name":"other"}])",
       "Unsupported custom tool: 'other'. Only 'apply_patch' is supported"},
      {R"([{"type":"custom"}])", "Unsupported custom tool: ''."},
      {R"([{"type":"namespace","name":"n::m","tools":[]}])", "tools[0].name: expected"},
      {R"([{"type":"namespace","name":"n"}])", "tools[0].tools: expected an array of functions"},
      {R"([{"type":"namespace","name":"n","tools":[1]}])", "tools[0].tools[0]: expected an object"},
      {R"([{"type":"namespace","name":"n","tools":[{"type":"function"}]}])", "tools[0].tools[0].name"},
      {many + "]", "tools[1024]: expected at most 1024 tools"},
  };
  for (const auto& [json, says] : cases) {
    const auto tools = read(json);
    ASSERT_FALSE(tools) << json.substr(0, 80);
    EXPECT_EQ(tools.error().status, 400);
    EXPECT_NE(tools.error().message.find(says), std::string::npos) << tools.error().message;
  }
}

}  // namespace
}  // namespace hadal::serve::responses
