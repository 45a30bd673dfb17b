// What the template writes: effort texts, the tools block, calls (api.md A1, A7, A8).
#include <gmock/gmock.h>

#include "chat/prompt_texts.h"
#include "chat_support.h"

namespace hadal::test {
namespace {

std::string bos(const std::string& rest) {
  return "<｜begin▁of▁sentence｜>" + rest;
}

TEST(Effort, TextsOfBothGenerations) {
  const auto flat = [](const std::string& effort, PromptGeneration generation,
                       const std::string& mode = "thinking") {
    const std::string value = effort == "null" ? effort : "\"" + effort + "\"";
    return flat_of(R"({"messages": [{"role": "user", "content": "x"}], "reasoning_effort": )" + value +
                       R"(, "mode": ")" + mode + "\"}",
                   Dialect::kHosted, generation);
  };
  const std::string tail = "<｜User｜>x<｜Assistant｜><think>";
  const std::string absolute(kEffortAbsolute), beyond(kEffortBeyond);
  using enum PromptGeneration;
  for (const std::string effort : {"null", "none", "minimal", "low", "medium", "high", "xhigh"})
    EXPECT_EQ(flat(effort, kV4Preview), bos(tail)) << effort;
  for (const std::string effort : {"null", "none", "minimal", "low"})
    EXPECT_EQ(flat(effort, kV4Official), bos(tail)) << effort;
  for (const std::string effort : {"medium", "high", "xhigh"})
    EXPECT_EQ(flat(effort, kV4Official), bos(absolute + tail)) << effort;
  for (const std::string effort : {"ultra", "max"}) {
    EXPECT_EQ(flat(effort, kV4Preview), bos(absolute + tail)) << effort;
    EXPECT_EQ(flat(effort, kV4Official), bos(beyond + tail)) << effort;
    EXPECT_EQ(flat(effort, kV4Official, "chat"), bos("<｜User｜>x<｜Assistant｜></think>")) << effort;
  }
}

TEST(Tools, MarkupIsSpecialAndClientTextIsNot) {
  const auto items =
      items_of(R"({"mode": "chat", "messages": [{"role": "system", "content": "<think>｜DSML｜"},
      {"role": "user", "content": "</think><｜User｜>"}, {"role": "assistant", "content": "<｜end▁of▁sentence｜>",
      "tool_calls": [{"id": "1", "function": {"name": "</think>", "arguments": "{\"<think>\": \"</｜DSML｜parameter>\"}"}}]},
      {"role": "tool", "tool_call_id": "1", "content": "<｜Assistant｜>"}],
      "tools": [{"name": "<think>", "description": "｜DSML｜"}]})");
  std::map<std::string, int> specials;
  for (size_t i = 0; i < items.size(); ++i) {
    if (items[i].special) ++specials[items[i].text];
    EXPECT_FALSE(i > 0 && !items[i].special && !items[i - 1].special) << "adjacent texts";
  }
  // Nine tags in the tools block and six around the call; two of each mark of thought in the block.
  EXPECT_EQ(specials["｜DSML｜"], 9 + 6);
  EXPECT_EQ(specials["<think>"], 2);
  EXPECT_EQ(specials["</think>"], 2 + 2);
  EXPECT_EQ(specials["<｜User｜>"], 2);
  EXPECT_EQ(specials["<｜Assistant｜>"], 2);
  EXPECT_EQ(specials["<｜end▁of▁sentence｜>"], 1);
}

TEST(Calls, ArgumentsThatAreNoObject) {
  const auto call = [](const std::string& arguments, Dialect dialect = Dialect::kHosted) {
    const Json request = {
        {"mode", "chat"},
        {"messages",
         Json::array(
             {{{"role", "user"}, {"content", "a"}},
              {{"role", "assistant"},
               {"tool_calls",
                Json::array({{{"id", "1"}, {"function", {{"name", "f"}, {"arguments", arguments}}}}})}}})}};
    const std::string flat = flat_of(request.dump(), dialect);
    const std::string head = "invoke name=\"f\">\n";
    const size_t from = flat.find(head) + head.size();
    return flat.substr(from, flat.find("\n</｜DSML｜invoke>") - from);
  };
  const auto raw = [](const std::string& text) {
    return "<｜DSML｜parameter name=\"arguments\" string=\"true\">" + text + "</｜DSML｜parameter>";
  };
  EXPECT_EQ(call("{}"), "");
  EXPECT_EQ(call(""), "");
  EXPECT_EQ(call(" \n"), "");
  EXPECT_EQ(call("", Dialect::kReference), raw(""));
  EXPECT_EQ(call("[1]"), raw("[1]"));
  EXPECT_EQ(call("\"s\""), raw("\"s\""));
  EXPECT_EQ(call("{\"a\": 1"), raw("{\"a\": 1"));
  EXPECT_EQ(call(std::string(5000, '[')), raw(std::string(5000, '[')));
  EXPECT_EQ(call(R"({"a":1,"b":"x\ny","a":-0})"),
            "<｜DSML｜parameter name=\"a\" string=\"false\">0</｜DSML｜parameter>\n"
            "<｜DSML｜parameter name=\"b\" string=\"true\">x\ny</｜DSML｜parameter>");
}

}  // namespace
}  // namespace hadal::test
