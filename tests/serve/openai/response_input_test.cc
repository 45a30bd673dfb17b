#include "serve/openai/response_input.h"

#include <gtest/gtest.h>

namespace hadal::serve::responses {
namespace {

Asked<Conversation> read(const std::string& input, const std::string& instructions = "null") {
  const auto said = parse_json(input), first = parse_json(instructions);
  EXPECT_TRUE(said && first) << input;
  return read_input(first->is_null() ? nullptr : &*first, said->is_null() ? nullptr : &*said, Tools());
}

// One line for each message: role, reasoning, content, calls.
std::string shape(const Asked<Conversation>& conversation) {
  if (!conversation) return conversation.error().message;
  std::string out;
  for (const Message& message : conversation->messages) {
    out += message.role;
    if (!message.reasoning_content.empty()) out += " <" + message.reasoning_content + ">";
    if (!message.tool_call_id.empty()) out += " " + message.tool_call_id;
    out += ": " + message.content;
    for (const ToolCall& call : message.tool_calls)
      out += " [" + call.id + " " + call.name + " " + call.arguments + "]";
    out += "\n";
  }
  return out;
}

TEST(ResponseInput, TextIsWhatTheUserSays) {
  EXPECT_EQ(shape(read("\"Hello\"")), "user: Hello\n");
  EXPECT_EQ(shape(read("\"\"")), "user: \n");
  EXPECT_EQ(shape(read("\"Hello\"", "\"Be kind.\"")), "system: Be kind.\nuser: Hello\n");
  EXPECT_EQ(shape(read("\"Hello\"", "\"\"")), "user: Hello\n");
  EXPECT_EQ(shape(read("null", "\"Be kind.\"")), "system: Be kind.\n");
}

TEST(ResponseInput, Messages) {
  EXPECT_EQ(
      shape(read(R"([{"role":"user","content":"a"},)"
                 R"({"type":"message","role":"assistant","content":[{"type":"output_text","text":"b"}]},)"
                 R"({"type":"message","role":"user","content":[{"type":"input_text","text":"c"},)"
                 R"({"type":"text","text":"d"}],"id":"msg_1","status":"completed"},)"
                 R"({"role":"assistant","content":[{"type":"refusal","refusal":"e"}]},)"
                 R"({"role":"user"}])")),
      "user: a\nassistant: b\nuser: c\n\nd\nassistant: e\nuser: \n");
}

TEST(ResponseInput, InstructionsLeadAndAreUserTextLater) {
  EXPECT_EQ(shape(read(R"([{"role":"developer","content":"a"},{"role":"system","content":"b"},)"
                       R"({"role":"user","content":"c"},{"role":"developer","content":"d"},)"
                       R"({"role":"system","content":"e"}])",
                       "\"i\"")),
            "system: i\nsystem: a\nsystem: b\nuser: c\nuser: d\nuser: e\n");
  EXPECT_EQ(shape(read(R"([{"role":"assistant","content":"a"},{"role":"developer","content":"b"}])")),
            "assistant: a\nuser: b\n");
}

TEST(ResponseInput, WhatTheAssistantSaysInOneGoIsOneMessage) {
  EXPECT_EQ(
      shape(read(R"([{"role":"user","content":"q"},)"
                 R"({"type":"reasoning","content":[{"type":"reasoning_text","text":"r"},)"
                 R"({"type":"reasoning_text","text":"s"}],"summary":[{"type":"summary_text","text":"no"}]},)"
                 R"({"role":"assistant","content":"a"},{"role":"assistant","content":"b"},)"
                 R"({"type":"function_call","call_id":"1","name":"f","arguments":"{}"},)"
                 R"({"type":"reasoning","content":[{"type":"reasoning_text","text":"t"}]},)"
                 R"({"type":"function_call","call_id":"2","name":"g","arguments":{"x":1}},)"
                 R"({"type":"function_call_output","call_id":"2","output":"two"},)"
                 R"({"type":"function_call_output","call_id":"1","output":"one"},)"
                 R"({"role":"assistant","content":"c"},{"role":"user","content":"q"}])")),
      "user: q\nassistant <r\ns\nt>: a\n\nb [1 f {}] [2 g {\"x\": 1}]\ntool 2: two\ntool 1: one\n"
      "assistant: c\nuser: q\n");
}

TEST(ResponseInput, EveryRoundOfCallsIsATurn) {
  EXPECT_EQ(shape(read(R"([{"type":"function_call","call_id":"1","name":"f","arguments":""},)"
                       R"({"type":"function_call_output","call_id":"1","output":"one"},)"
                       R"({"type":"function_call","call_id":"1","name":"f","arguments":""},)"
                       R"({"type":"function_call_output","call_id":"1","output":"uno"},)"
                       R"({"type":"reasoning","content":[{"type":"reasoning_text","text":"r"}]},)"
                       R"({"type":"function_call","call_id":"3","name":"f"},)"
                       R"({"type":"function_call_output","call_id":"3"}])")),
            "assistant:  [1 f ]\ntool 1: one\nassistant:  [1 f ]\ntool 1: uno\nassistant <r>:  [3 f ]\n"
            "tool 3: \n");
}

TEST(ResponseInput, CustomToolsAndNamespaces) {
  EXPECT_EQ(
      shape(read(R"([{"type":"custom_tool_call","call_id":"1","name":"apply_patch","input":"a\n\"b\""},)"
                 R"({"type":"function_call","call_id":"2","name":"get","namespace":"web","arguments":"{}"},)"
                 R"({"type":"custom_tool_call_output","call_id":"1","output":"done"},)"
                 R"({"type":"function_call_output","call_id":"2","output":[{"type":"input_text","text":"x"},)"
                 R"({"type":"input_image","image_url":"data:"},{"type":"input_text","text":"y"}]}])")),
      "assistant:  [1 apply_patch {\"input\": \"a\\n\\\"b\\\"\"}] [2 web::get {}]\ntool 1: done\n"
      "tool 2: x\n\n[Unsupported input_image]\n\ny\n");
}

TEST(ResponseInput, ReasoningMayComeBackByName) {
  const auto conversation = read(
      R"([{"role":"user","content":"q"},{"type":"reasoning","summary":[],"encrypted_content":"abc"},)"
      R"({"role":"assistant","content":"a"},{"role":"user","content":"q"},)"
      R"({"type":"reasoning","content":[{"type":"reasoning_text","text":"r"}],"encrypted_content":"def"},)"
      R"({"role":"assistant","content":"b"},{"role":"user","content":"q"}])");
  ASSERT_TRUE(conversation);
  EXPECT_EQ(shape(conversation), "user: q\nassistant: a\nuser: q\nassistant <r>: b\nuser: q\n");
  ASSERT_EQ(conversation->hidden.size(), 1u) << "the text counts where there is one";
  EXPECT_EQ(conversation->hidden[0].message, 1u);
  EXPECT_EQ(conversation->hidden[0].handle, "abc");
}

TEST(ResponseInput, UnknownItemsAreLeftOut) {
  EXPECT_EQ(shape(read(R"([{"role":"user","content":"a"},{"type":"web_search_call","id":"ws_1"},)"
                       R"({"type":"compaction"},{"type":"local_shell_call_output","call_id":""}])")),
            "user: a\n");
}

TEST(ResponseInput, WhatIsWrongIsNamed) {
  const std::string call = R"({"type":"function_call","call_id":"1","name":"f","arguments":"{}"})";
  const std::string output = R"({"type":"function_call_output","call_id":"1","output":"x"})";
  const std::pair<std::string, std::string> cases[] = {
      {"null", "Either input or instructions must be provided"},
      {"[]", "Input items array must not be empty"},
      {"5", "input: expected a string or an array of items"},
      {"{}", "input: expected a string or an array of items"},
      {R"([{"type":"web_search_call"}])", "input: expected at least one message"},
      {"[5]", "input[0]: expected an object"},
      {"[{}]", "input[0]: expected a type or a role"},
      {R"([{"type":5}])", "input[0].type: expected a string"},
      {R"([{"type":"message","content":"x"}])",
       "input[0].role: expected user, assistant, system or developer"},
      {R"([{"role":"tool","content":"x"}])", "found \"tool\""},
      {R"([{"role":"user","content":5}])", "input[0].content: expected a string or an array of parts"},
      {R"([{"role":"user","content":[5]}])", "input[0].content[0]: expected an object"},
      {R"([{"role":"user","content":[{"type":"input_text","text":5}]}])", "input[0].content[0].text"},
      {R"([{"role":"user","content":[{"type":"strange"}]}])", "input_text or output_text, found \"strange\""},
      {R"([{"role":"user","content":[{"type":"input_image"}]}])", "This model does not support image"},
      {R"([{"role":"user","content":[{"type":"input_file"}]}])", "This model does not support file"},
      {R"([{"type":"reasoning","content":"x"}])", "input[0].content: expected an array"},
      {R"([{"type":"reasoning","content":[1]}])", "input[0].content[0]: expected an object"},
      {R"([{"type":"reasoning","encrypted_content":1}])", "input[0].encrypted_content"},
      {R"([{"type":"function_call","call_id":"","name":"f"}])",
       "Invalid 'input[0].call_id': empty string. Expected a string with minimum length 1"},
      {R"([{"type":"function_call","name":"f"}])", "Invalid 'input[0].call_id': empty string."},
      {R"([{"type":"function_call","call_id":"1"}])", "input[0].name: expected the name of a tool"},
      {R"([{"type":"function_call","call_id":"1","name":"f","arguments":5}])", "input[0].arguments"},
      {R"([{"type":"custom_tool_call","call_id":"1","name":"f","input":5}])", "input[0].input"},
      {R"([{"type":"function_call_output","call_id":"","output":""}])", "Invalid 'input[0].call_id': empty"},
      {"[" + output + "]", "No tool call found for tool output with call_id 1."},
      {"[" + call + "]", "No tool output found for tool call 1."},
      {"[" + call + R"(,{"role":"user","content":"x"},)" + output + "]",
       "No tool output found for tool call 1."},
      {"[" + call + R"(,{"role":"assistant","content":"x"},)" + output + "]",
       "No tool output found for tool call 1."},
      {"[" + call + "," + call + "," + output + "]", "Duplicate 'call_id': 1."},
      {"[" + call + "," + output + "," + output + "]", "Duplicate 'call_id': 1."},
      {R"([{"type":"item_reference","id":"msg_1"}])", "item_reference is not supported; replay full input"},
  };
  for (const auto& [input, says] : cases) {
    const auto conversation = read(input);
    ASSERT_FALSE(conversation) << input;
    EXPECT_EQ(conversation.error().status, 400);
    EXPECT_NE(conversation.error().message.find(says), std::string::npos) << conversation.error().message;
  }
  EXPECT_NE(shape(read("\"x\"", "5")).find("instructions: expected a string"), std::string::npos);
}

}  // namespace
}  // namespace hadal::serve::responses
