// The fixed texts have the lengths of api.md A1.1 and A7; the official vectors of golden_test.cc compare
// their letters.
#include "chat/prompt_texts.h"

#include <gtest/gtest.h>

#include "chat/prompt_template.h"

namespace hadal {
namespace {

TEST(PromptTexts, HaveTheirLengths) {
  EXPECT_EQ(kEffortAbsolute.size(), 476u);
  EXPECT_EQ(kEffortBeyond.size(), 528u);
  const auto tools_block = [](std::string_view lines) {
    PromptWriter out;
    prompt_template(PromptGeneration::kV4Preview).write_tools(lines, out);
    return render_flat(out.take()).size();
  };
  EXPECT_EQ(tools_block(""), 989u);
  EXPECT_EQ(
      tools_block(R"({"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}})"),
      1074u);
}

TEST(PromptTexts, EndAsTheyShould) {
  EXPECT_TRUE(kEffortAbsolute.ends_with("is left unchecked.\n\n"));
  EXPECT_TRUE(kEffortBeyond.ends_with("remains undiscovered.\n\n"));
  EXPECT_TRUE(kResponseFormatHead.ends_with("schema to reply:\n"));
  EXPECT_TRUE(tools_block_tail().ends_with("invoke tool calls.\n"));
}

// A generation with other tag names changes every tag and nothing else.
TEST(PromptTexts, TagNamesAreTheTemplates) {
  const std::string v4 = tools_block_head(prompt_template(PromptGeneration::kV4Official).tags());
  const std::string other = tools_block_head({"|T|", " calls", " invoke", " parameter"});
  EXPECT_EQ(v4.find("|T|"), std::string::npos);
  EXPECT_EQ(other.find("DSML"), std::string::npos);
  EXPECT_NE(other.find("<|T| calls>\n<|T| invoke name=\"$TOOL_NAME\">\n<|T| parameter name="),
            std::string::npos);
  EXPECT_NE(other.find("</|T| parameter>\n...\n</|T| invoke>"), std::string::npos);
}

}  // namespace
}  // namespace hadal
