#include "serve/ollama/chat_body.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace hadal::serve::ollama {
namespace {

Asked<CommonAsk> read_body(const std::string& body) {
  static const ModelNames names("hadal-mini", {});
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  const auto value = parse_json(body);
  EXPECT_TRUE(value) << body;
  return read_chat_body(rules, *value);
}
Asked<CommonAsk> read(const std::string& messages) {
  return read_body(R"({"messages":)" + messages + "}");
}

// One message a line: "role: content {reasoning} [id name arguments] <result of id> +" (+: to be continued).
std::string shown(const std::string& messages) {
  const auto ask = read(messages);
  if (!ask) return "error: " + ask.error().message;
  std::string out;
  for (const Message& message : ask->chat.chat.messages) {
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

TEST(OllamaChatBody, Messages) {
  EXPECT_EQ(shown(R"([{"role":"system","content":"s"},{"role":"user","content":"u","images":[]},
                      {"role":"assistant","content":"a","thinking":"t"},{"role":"user"}])"),
            "system: s\nuser: u\nassistant: a {t}\nuser: \n");
  EXPECT_EQ(shown("[]"), "");
  EXPECT_TRUE(read_body("{}")->chat.chat.messages.empty());
}

TEST(OllamaChatBody, ALastMessageOfTheAssistantIsContinued) {
  EXPECT_EQ(shown(R"([{"role":"user","content":"u"},{"role":"assistant","content":"So "}])"),
            "user: u\nassistant: So  +\n");
  EXPECT_EQ(shown(R"([{"role":"user","content":"u"},{"role":"assistant","content":""}])"),
            "user: u\nassistant: \n");
}

TEST(OllamaChatBody, ResultsFindTheirCalls) {
  const std::string call = R"({"function":{"name":"NAME","arguments":{"a":1}}})";
  const auto named = [&](const std::string& name, const std::string& id = "") {
    std::string one = call;
    one.replace(one.find("NAME"), 4, name);
    if (!id.empty()) one.insert(1, R"("id":")" + id + R"(",)");
    return one;
  };
  const auto conversation = [](const std::string& calls, const std::string& results) {
    return shown(R"([{"role":"assistant","content":"","tool_calls":[)" + calls + "]}," + results + "]");
  };
  const std::string f = "messages[0].tool_calls[0]#0", g = "messages[0].tool_calls[1]#1";
  const std::string both = "assistant:  [" + f + " f {\"a\": 1}] [" + g + " g {\"a\": 1}]\n";
  // In their order.
  EXPECT_EQ(conversation(named("f") + "," + named("g"),
                         R"({"role":"tool","content":"1"},{"role":"tool","content":"2"})"),
            both + "tool: 1 <" + f + ">\ntool: 2 <" + g + ">\n");
  // By the name of the tool, in both spellings.
  EXPECT_EQ(conversation(
                named("f") + "," + named("g"),
                R"({"role":"tool","content":"1","tool_name":"g"},{"role":"tool","content":"2","name":"f"})"),
            both + "tool: 1 <" + g + ">\ntool: 2 <" + f + ">\n");
  // Of one tool in their order, by an id where there is one.
  EXPECT_EQ(
      conversation(
          named("f", "x") + "," + named("f", "y"),
          R"({"role":"tool","content":"1","tool_name":"f"},{"role":"tool","content":"2","tool_name":"f"})"),
      "assistant:  [x f {\"a\": 1}] [y f {\"a\": 1}]\ntool: 1 <x>\ntool: 2 <y>\n");
  EXPECT_EQ(conversation(named("f", "x") + "," + named("f", "y"),
                         R"({"role":"tool","content":"1","tool_call_id":"y"},{"role":"tool","content":"2"})"),
            "assistant:  [x f {\"a\": 1}] [y f {\"a\": 1}]\ntool: 1 <y>\ntool: 2 <x>\n");
  EXPECT_EQ(conversation(named("f"), R"({"role":"tool","content":"1"},{"role":"tool","content":"2"})"),
            "error: messages[2]: expected a tool call before it that it is the result of");
  EXPECT_EQ(shown(R"([{"role":"tool","content":"1"}])"),
            "error: messages[0]: expected a tool call before it that it is the result of");
}

TEST(OllamaChatBody, ArgumentsOfAnyForm) {
  const auto arguments = [](const std::string& member) {
    const auto ask = read(R"([{"role":"assistant","tool_calls":[{"function":{"name":"f")" + member + "}}]}]");
    return ask ? ask->chat.chat.messages[0].tool_calls[0].arguments : ask.error().message;
  };
  EXPECT_EQ(arguments(R"(,"arguments":{"b":[1.50,null],"a":"é"})"), R"({"b": [1.5, null], "a": "é"})");
  EXPECT_EQ(arguments(R"(,"arguments":"{\"a\":1}")"), R"({"a":1})");
  EXPECT_EQ(arguments(""), "");
  EXPECT_EQ(arguments(R"(,"arguments":[1])"),
            "messages[0].tool_calls[0].function.arguments: expected an object");
}

TEST(OllamaChatBody, Tools) {
  const auto ask = read_body(
      R"({"messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]})");
  ASSERT_TRUE(ask);
  ASSERT_EQ(ask->chat.chat.tools.size(), 1u);
  EXPECT_EQ(ask->chat.chat.tools[0],
            R"({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}})");
}

TEST(OllamaChatBody, BadFieldsAreNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"messages":{}})", "messages: expected an array"},
      {R"({"messages":[1]})", "messages[0]: expected an object"},
      {R"({"messages":[{}]})", "messages[0].role: expected one of system, user, assistant, tool, found \"\""},
      {R"({"messages":[{"role":"developer"}]})",
       "messages[0].role: expected one of system, user, assistant, tool, found \"developer\""},
      {R"({"messages":[{"role":[]}]})", "messages[0].role: expected a string"},
      {R"({"messages":[{"role":"user","content":[]}]})", "messages[0].content: expected a string"},
      {R"({"messages":[{"role":"user","images":["x"]}]})", "This model does not support image"},
      {R"({"messages":[{"role":"assistant","thinking":1}]})", "messages[0].thinking: expected a string"},
      {R"({"messages":[{"role":"assistant","tool_calls":{}}]})", "messages[0].tool_calls: expected an array"},
      {R"({"messages":[{"role":"assistant","tool_calls":[1]}]})",
       "messages[0].tool_calls[0]: expected an object"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"id":1}]}]})",
       "messages[0].tool_calls[0].id: expected a string"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{}]}]})",
       "messages[0].tool_calls[0].function: expected an object"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":[]}]}]})",
       "messages[0].tool_calls[0].function: expected an object"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":1}}]}]})",
       "messages[0].tool_calls[0].function.name: expected a string"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]})",
       "messages[0].tool_calls[0].function.name: expected the name of a tool"},
      {R"({"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]},{"role":"tool","tool_name":5}]})",
       "messages[1].tool_name: expected a string"},
      {R"({"tools":{}})", "tools: expected an array"},
      {R"({"tools":[1]})", "tools[0]: expected an object"},
      {R"({"tools":[{"function":{"name":"a b"}}]})", "tools[0].function.name: expected 1 to 128"},
      {R"({"options":3})", "options: expected an object"},
  };
  for (const auto& [body, says] : cases) {
    const auto ask = read_body(body);
    ASSERT_FALSE(ask) << body;
    EXPECT_EQ(ask.error().status, 400);
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
  }
}

// Wrong types at every place of a body that has everything: an error or not, but never a crash.
TEST(OllamaChatBody, WrongTypesAreProblems) {
  JsonValue root = *parse_json(R"({"model":"hadal-mini","stream":false,"think":"low","keep_alive":"5m",
      "options":{"temperature":1,"stop":["a"],"seed":1},"tools":[{"function":{"name":"f","parameters":{}}}],
      "messages":[{"role":"user","content":"u"},
        {"role":"assistant","content":"a","thinking":"t","tool_calls":[{"id":"i","function":{"name":"f","arguments":{}}}]},
        {"role":"tool","content":"r","tool_name":"f","tool_call_id":"i"}]})");
  static const ModelNames names("hadal-mini", {});
  BodyRules rules;
  rules.choose_model = [](std::string_view name) { return names.resolve(name); };
  ASSERT_TRUE(read_chat_body(rules, root));
  int accepted = 0, refused = 0;
  const auto try_all = [&](auto&& self, JsonValue& here) -> void {
    for (size_t i = 0; i < here.items.size(); ++i) {
      for (const char* other : {"null", "true", "3", "\"x\"", "[]", "{}", "[{}]", "[[\"x\"]]"}) {
        const JsonValue kept = std::exchange(here.items[i], *parse_json(other));
        ++(read_chat_body(rules, root) ? accepted : refused);
        here.items[i] = kept;
      }
      self(self, here.items[i]);
    }
  };
  try_all(try_all, root);
  EXPECT_GT(accepted, 30);
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace hadal::serve::ollama
