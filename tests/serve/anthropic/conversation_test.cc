#include "serve/anthropic/conversation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace hadal::serve::anthropic {
namespace {

Asked<Conversation> read(const std::string& messages, bool strict = false) {
  const auto value = parse_json(messages);
  EXPECT_TRUE(value) << messages;
  return read_conversation(*value, strict);
}

// One message a line: "role: content {reasoning} [id name arguments] <result of id> +" (+: to be continued).
std::string shown(const Asked<Conversation>& conversation) {
  if (!conversation) return "error: " + conversation.error().message;
  std::string out;
  for (const Message& message : conversation->messages) {
    out += message.role + ": " + message.content;
    if (!message.reasoning_content.empty()) out += " {" + message.reasoning_content + "}";
    for (const ToolCall& call : message.tool_calls)
      out += fmt::format(" [{} {} {}]", call.id, call.name, call.arguments);
    if (!message.tool_call_id.empty()) out += " <" + message.tool_call_id + ">";
    if (message.prefix) out += " +";
    out += "\n";
  }
  return out;
}
std::string shown(const std::string& messages, bool strict = false) {
  return shown(read(messages, strict));
}

std::string user(const std::string& blocks) {
  return R"([{"role":"user","content":[)" + blocks + "]}]";
}
std::string assistant(const std::string& blocks) {
  return R"([{"role":"user","content":"q"},{"role":"assistant","content":[)" + blocks +
         R"(]},{"role":"user","content":"r"}])";
}

TEST(AnthropicConversation, RolesAndStrings) {
  EXPECT_EQ(shown(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b"},
                      {"role":"ctx","content":"c"},{"role":"msg","content":"d"},
                      {"role":"system","content":"e"},
                      {"role":"system","content":[{"type":"text","text":"f"},{"type":"text","text":"g"}]}])"),
            "user: a\nassistant: b\nuser: c\nuser: d\n"
            "user: <system-reminder>\ne\n</system-reminder>\n"
            "user: <system-reminder>\nf\n\ng\n</system-reminder>\n");
}

TEST(AnthropicConversation, BlocksOfAUser) {
  EXPECT_EQ(shown(user(R"({"type":"text","text":"a","cache_control":{"type":"ephemeral"}},
                          {"type":"document","source":{}},{"type":"search_result","content":[]},
                          {"type":"tool_reference","tool_name":"grep"},{"type":"container_upload"},
                          {"type":"text","text":""})")),
            "user: a\nuser: [Unsupported Document]\nuser: [Unsupported Document]\nuser: grep\n"
            "user: [Unsupported container_upload]\nuser: \n");
  EXPECT_EQ(shown(user("")), "user: \n");
  EXPECT_EQ(shown(user(R"({"type":"image","source":{}})")), "error: This model does not support image");
}

TEST(AnthropicConversation, BlocksOfTheAssistant) {
  EXPECT_EQ(shown(assistant(R"({"type":"thinking","thinking":"t1","signature":"s"},
                               {"type":"redacted_thinking","data":"x"},
                               {"type":"thinking","thinking":"t2"},{"type":"text","text":"a"},
                               {"type":"server_tool_use","id":"s1","name":"web_search","input":{}},
                               {"type":"web_search_tool_result","tool_use_id":"s1","content":[]},
                               {"type":"text","text":"b"},{"type":"mcp_tool_use"})")),
            "user: q\nassistant: a\n\nb\n\n[Unsupported mcp_tool_use] {t1\n\nt2}\nuser: r\n");
  EXPECT_EQ(shown(assistant("")), "user: q\nassistant: \nuser: r\n");
}

TEST(AnthropicConversation, CallsAndTheirResults) {
  EXPECT_EQ(shown(R"([{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"text","text":"ok"},
        {"type":"tool_use","id":"t1","name":"f","input":{"b":1,"a":[1.0,"x"]}},
        {"type":"tool_use","id":"t2","name":"g"}]},
      {"role":"user","content":[{"type":"text","text":"first"},
        {"type":"tool_result","tool_use_id":"t2","content":"two","is_error":true},
        {"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"1"},
          {"type":"tool_reference","tool_name":"h"},{"type":"document"}]},
        {"type":"text","text":"last"}]}])"),
            "user: q\nassistant: ok [t1 f {\"b\": 1, \"a\": [1.0, \"x\"]}] [t2 g {}]\n"
            "user: first\ntool: two <t2>\ntool: 1\n\nh\n\n[Unsupported Document] <t1>\nuser: last\n");
  // In two messages of the user, and one without content.
  EXPECT_EQ(shown(R"([{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}},
                                     {"type":"tool_use","id":"t2","name":"f","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1"}]},
      {"role":"system","content":"note"},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":[]}]}])"),
            "user: q\nassistant:  [t1 f {}] [t2 f {}]\ntool:  <t1>\n"
            "user: <system-reminder>\nnote\n</system-reminder>\ntool:  <t2>\n");
}

TEST(AnthropicConversation, AResultThatIsMissingIsEmpty) {
  const std::string interrupted = R"([{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}},
                                     {"type":"tool_use","id":"t2","name":"g","input":{}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"x"},
                                {"type":"text","text":"go on"}]},
      {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"f","input":{}}]}])";
  EXPECT_EQ(shown(interrupted),
            "user: q\nassistant:  [t1 f {}] [t2 g {}]\ntool:  <t1>\ntool: x <t2>\nuser: go on\n"
            "assistant:  [t1 f {}]\ntool:  <t1>\n");
  EXPECT_EQ(
      shown(interrupted, true),
      "error: messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1. "
      "Each `tool_use` block must have a corresponding `tool_result` block in the next message.");
  EXPECT_EQ(shown(R"([{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f"},
                                     {"type":"tool_use","id":"b","name":"f"}]}])",
                  true),
            "error: messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a, "
            "b. Each `tool_use` block must have a corresponding `tool_result` block in the next message.");
}

TEST(AnthropicConversation, ALastMessageOfTheAssistantIsContinued) {
  EXPECT_EQ(shown(R"([{"role":"user","content":"q"},{"role":"assistant","content":"So "}])"),
            "user: q\nassistant: So  +\n");
  EXPECT_EQ(shown(R"([{"role":"user","content":"q"},
                      {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"}]}])"),
            "user: q\nassistant:  {hm} +\n");
  // Nothing to go on with.
  EXPECT_EQ(shown(R"([{"role":"user","content":"q"},{"role":"assistant","content":""}])"), "user: q\n");
  const auto hidden = read(R"([{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s"}]}])");
  EXPECT_EQ(shown(hidden), "user: q\n");
  EXPECT_TRUE(hidden->hidden.empty());
}

TEST(AnthropicConversation, ThinkingWithoutItsTextIsKnownByItsSignature) {
  const auto read_back = read(R"([{"role":"user","content":"q"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"s1"},
                                     {"type":"tool_use","id":"t1","name":"f","input":{}}]},
      {"role":"user","content":"r"},
      {"role":"assistant","content":[{"type":"thinking","signature":"s2"},{"type":"text","text":"a"}]},
      {"role":"user","content":"r"},
      {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s3"},
                                     {"type":"thinking","thinking":"","signature":"s4"},
                                     {"type":"text","text":"a"}]},
      {"role":"user","content":"r"}])");
  ASSERT_TRUE(read_back);
  ASSERT_EQ(read_back->hidden.size(), 2u);
  EXPECT_EQ(read_back->hidden[0].message, 1u);
  EXPECT_EQ(read_back->hidden[0].signature, "s1");
  EXPECT_EQ(read_back->hidden[1].message, 4u);  // an empty result came before it
  EXPECT_EQ(read_back->messages[4].content, "a");
  EXPECT_EQ(read_back->hidden[1].signature, "s2");
}

TEST(AnthropicConversation, EveryProblemNamesItsPlace) {
  const std::string call = R"({"type":"tool_use","id":"t1","name":"f","input":{}})";
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "messages: expected an array of messages"},
      {"[]", "messages: at least one message is required"},
      {"[1]", "messages.0: expected an object"},
      {R"([{"content":"a"}])", "messages.0.role: expected a string"},
      {R"([{"role":1,"content":"a"}])", "messages.0.role: expected a string"},
      {R"([{"role":"tool","content":"a"}])",
       "messages.0.role: expected user, assistant or system, found \"tool\""},
      {R"([{"role":"user"}])", "messages.0.content: expected a string or an array of content blocks"},
      {R"([{"role":"user","content":null}])",
       "messages.0.content: expected a string or an array of content blocks"},
      {R"([{"role":"user","content":{"type":"text"}}])",
       "messages.0.content: expected a string or an array of content blocks"},
      {R"([{"role":"system","content":[3]}])",
       "messages.0.content.0: expected a content block, which is an object"},
      {user("3"), "messages.0.content.0: expected a content block, which is an object"},
      {user("{}"), "messages.0.content.0.type: expected a string"},
      {user(R"({"type":3})"), "messages.0.content.0.type: expected a string"},
      {user(R"({"type":"text"})"), "messages.0.content.0.text: expected a string"},
      {user(R"({"type":"text","text":["a"]})"), "messages.0.content.0.text: expected a string"},
      {user(R"({"type":"tool_reference"})"), "messages.0.content.0.tool_name: expected a string"},
      {user(call), "messages.0.content.0: `tool_use` blocks can only be in `assistant` messages"},
      {user(R"({"type":"thinking","thinking":"x"})"),
       "messages.0.content.0: `thinking` blocks can only be in `assistant` messages"},
      {user(R"({"type":"redacted_thinking"})"),
       "messages.0.content.0: `redacted_thinking` blocks can only be in `assistant` messages"},
      {assistant(R"({"type":"tool_result","tool_use_id":"t1"})"),
       "messages.1.content.0: `tool_result` blocks can only be in `user` messages"},
      {assistant(R"({"type":"image"})"), "This model does not support image"},
      {assistant(R"({"type":"thinking","thinking":3})"), "messages.1.content.0.thinking: expected a string"},
      {assistant(R"({"type":"thinking","thinking":"x","signature":{}})"),
       "messages.1.content.0.signature: expected a string"},
      {assistant(R"({"type":"tool_use","name":"f","input":{}})"),
       "messages.1.content.0.id: expected a string that is not empty"},
      {assistant(R"({"type":"tool_use","id":5,"name":"f"})"), "messages.1.content.0.id: expected a string"},
      {assistant(R"({"type":"tool_use","id":"t1"})"),
       "messages.1.content.0.name: expected the name of a tool"},
      {assistant(R"({"type":"tool_use","id":"t1","name":"f","input":"{}"})"),
       "messages.1.content.0.input: expected an object"},
      {assistant(call + "," + call), "messages.1.content.1: `tool_use` ids must be unique, found another t1"},
      {user(R"({"type":"tool_result"})"), "messages.0.content.0.tool_use_id: expected a string"},
      {user(R"({"type":"tool_result","tool_use_id":"t9"})"),
       "unexpected `messages.0.content.0: tool_use_id` found in `tool_result` blocks: t9. Each `tool_result` "
       "block must have a corresponding `tool_use` block in the previous message."},
      {R"([{"role":"assistant","content":[)" + call +
           R"(]},{"role":"assistant","content":"x"},
          {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1"}]}])",
       "unexpected `messages.2.content.0: tool_use_id` found in `tool_result` blocks: t1. Each `tool_result` "
       "block must have a corresponding `tool_use` block in the previous message."},
      {R"([{"role":"assistant","content":[)" + call +
           R"(]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1"},
                                           {"type":"tool_result","tool_use_id":"t1"}]}])",
       "messages.1.content.1: each `tool_use` must have a single result. Found multiple `tool_result` blocks "
       "with id: t1"},
      {R"([{"role":"assistant","content":[)" + call +
           R"(]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":5}]}])",
       "messages.1.content.0.content: expected a string or an array of content blocks"},
      {R"([{"role":"assistant","content":[)" + call +
           R"(]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1",
              "content":[{"type":"image"}]}]}])",
       "This model does not support image"},
  };
  for (const auto& [messages, says] : cases) {
    const auto conversation = read(messages);
    ASSERT_FALSE(conversation) << messages << shown(conversation);
    EXPECT_EQ(conversation.error().status, 400);
    EXPECT_EQ(conversation.error().message, says);
  }
}

// Wrong types at every place of a body that has every kind of block: an error or not, but never a crash.
TEST(AnthropicConversation, WrongTypesAreProblems) {
  const std::string body = R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"document"}]},
      {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},
        {"type":"text","text":"b"},{"type":"tool_use","id":"t1","name":"f","input":{"a":[1]}}]},
      {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"c"}]},
        {"type":"tool_reference","tool_name":"d"}]},{"role":"system","content":[{"type":"text","text":"e"}]}])";
  const auto whole = parse_json(body);
  ASSERT_TRUE(whole && read_conversation(*whole, true));
  int accepted = 0, refused = 0;
  const auto try_all = [&](auto&& self, JsonValue& here, JsonValue& root) -> void {
    for (size_t i = 0; i < here.items.size(); ++i) {
      for (const char* other :
           {"null", "true", "3", "\"x\"", "[]", "{}", "[{}]", "[[\"x\"]]", "{\"type\":1}"}) {
        const JsonValue kept = std::exchange(here.items[i], *parse_json(other));
        for (const bool strict : {false, true}) ++(read_conversation(root, strict) ? accepted : refused);
        here.items[i] = kept;
      }
      self(self, here.items[i], root);
    }
  };
  JsonValue root = *whole;
  try_all(try_all, root, root);
  EXPECT_GT(accepted, 50);
  EXPECT_GT(refused, 300);
}

TEST(AnthropicSystem, ATextOrBlocks) {
  const auto system = [](const std::string& json) {
    const auto text = read_system(*parse_json(json));
    return text ? *text : "error: " + text.error().message;
  };
  EXPECT_EQ(system(R"("Be kind.")"), "Be kind.");
  EXPECT_EQ(system(R"([{"type":"text","text":"a"},{"type":"text","text":"b","cache_control":{}}])"),
            "a\n\nb");
  EXPECT_EQ(system("[]"), "");
  EXPECT_EQ(system("3"), "error: system: expected a string or an array of text blocks");
  EXPECT_EQ(system("[3]"), "error: system.0: expected a content block, which is an object");
  EXPECT_EQ(system(R"([{"type":"text"}])"), "error: system.0.text: expected a string");
  EXPECT_EQ(system(R"([{"type":"image"}])"), "error: This model does not support image");
}

TEST(AnthropicSystem, WhoPaysIsNotForTheModel) {
  const auto system = [](const std::string& json) { return *read_system(*parse_json(json)); };
  const std::string header = "x-anthropic-billing-header: cc_version=2.1.36; cch=abc12;";
  EXPECT_EQ(system(R"([{"type":"text","text":")" + header + R"("},{"type":"text","text":"You are"}])"),
            "You are");
  EXPECT_EQ(system("\"" + header + R"(\n\nYou are\nhere")"), "You are\nhere");
  EXPECT_EQ(system("\"" + header + R"(\r\nYou are")"), "You are");
  EXPECT_EQ(system("\"" + header + "\""), "");
  EXPECT_EQ(system(R"([{"type":"text","text":")" + header + R"("}])"), "");
  EXPECT_EQ(system(R"([{"type":"text","text":")" + header + R"(\nrest"},{"type":"text","text":""}])"),
            "rest\n\n");
  const std::string quoted = "About x-anthropic-billing-header: it is a header.";
  EXPECT_EQ(system("\"" + quoted + "\""), quoted);
}

}  // namespace
}  // namespace hadal::serve::anthropic
