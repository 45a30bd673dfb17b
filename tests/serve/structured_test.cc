// Answers that must be something, through every API, by a model that knows nothing of JSON: whatever it
// draws, what comes out fits, or was cut by max_tokens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "service_fixture.h"

namespace hadal::serve {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

TestServer& server() {
  static TestServer server;
  return server;
}

std::string text(const Reply& reply, std::string_view path) {
  return at(reply.json(), path).text;
}

// A short document even from a model that would never end one.
constexpr std::string_view kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":10,"pattern":"^[a-z ]*$"},)"
    R"("legs":{"type":"integer","minimum":0,"maximum":8},"kind":{"enum":["cat","fox","star"]}},)"
    R"("required":["name","legs","kind"],"additionalProperties":false})";

void expect_animal(const std::string& json, const std::string& of) {
  const auto value = parse_json(json);
  ASSERT_TRUE(value && value->is_object()) << json << "\nof " << of;
  EXPECT_EQ(value->keys, (std::vector<std::string>{"name", "legs", "kind"})) << json;
  EXPECT_TRUE(std::regex_match(value->items[0].text, std::regex("[a-z ]{0,10}"))) << json;
  EXPECT_TRUE(value->items[1].is(JsonValue::Kind::kNumber) && std::stoi(value->items[1].text) <= 8) << json;
  EXPECT_THAT(value->items[2].text, testing::AnyOf("cat", "fox", "star"));
}

Reply chat(const std::string& fields, int seed = 1) {
  return server().post(
      "/v1/chat/completions",
      R"({"messages":[{"role":"user","content":"Tell me of an animal in json."}],"max_tokens":300,)"
      R"("seed":)" +
          std::to_string(seed) + "," + fields + "}");
}

const std::string kOff = R"("thinking":{"type":"disabled"},)";
const std::string kFormat =
    R"("response_format":{"type":"json_schema","json_schema":{"name":"animal","schema":)" +
    std::string(kSchema) + "}}";

TEST(Structured, ChatKeepsToASchema) {
  std::set<std::string> seen;
  for (int seed = 0; seed < 8; ++seed) {
    const Reply reply = chat(kOff + kFormat, seed);
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(text(reply, "choices.0.finish_reason"), "stop");
    expect_animal(text(reply, "choices.0.message.content"), reply.body);
    seen.insert(text(reply, "choices.0.message.content"));
  }
  EXPECT_GT(seen.size(), 4u);
  // Also in a stream, and each of several.
  const Reply stream = chat(kOff + kFormat + R"(,"stream":true)");
  std::string content;
  for (const std::string& event : stream.events())
    if (const auto value = parse_json(event)) content += at(*value, "choices.0.delta.content").text;
  expect_animal(content, stream.body);
  const Reply three = chat(kOff + kFormat + R"(,"n":3)");
  for (const char* path :
       {"choices.0.message.content", "choices.1.message.content", "choices.2.message.content"})
    expect_animal(text(three, path), three.body);
}

TEST(Structured, ThePromptShowsTheFormat) {
  const auto prompt = [](const std::string& fields) {
    const Reply reply =
        server().post("/apply-template", R"({"messages":[{"role":"user","content":"Hi"}],)" + fields + "}");
    return text(reply, "prompt");
  };
  EXPECT_THAT(prompt(kFormat),
              testing::HasSubstr("## Response Format:\n\nYou MUST strictly adhere to the following "
                                 "schema to reply:\n{\"type\": \"object\", \"properties\": {\"name\""));
  EXPECT_THAT(prompt(R"("response_format":{"type":"json_object"})"),
              testing::HasSubstr("reply:\n{\"type\": \"json_object\"}<"));
  EXPECT_THAT(prompt(R"("guided_regex":"a+")"), testing::Not(testing::HasSubstr("Response Format")));
}

TEST(Structured, WhatHasNoEffectIsSaid) {
  const std::string schema =
      R"({"type":"object","col\"o\nur":1,"properties":{"a":{"format":"wish"}},"additionalProperties":false})";
  const Reply reply =
      chat(kOff + R"("response_format":{"type":"json_schema","json_schema":{"name":"x","schema":)" + schema +
           "}}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.all("Warning"),
            (std::vector<std::string>{
                R"(299 - "schema: #/colour: not a keyword of JSON Schema: no effect")",
                R"(299 - "schema: #/properties/a/format: wish is not a format of JSON Schema: no effect")"}));
  EXPECT_TRUE(chat(kOff + kFormat).all("Warning").empty());
  const Reply ollama = server().post(
      "/api/chat",
      R"({"model":"hadal-mini","think":false,"options":{"num_predict":5},"messages":[{"role":"user","content":"json"}],"format":)" +
          schema + "}");
  EXPECT_EQ(ollama.all("Warning").size(), 2u) << ollama.body;
}

TEST(Structured, AfterThinking) {
  // A mind that never comes to an end is cut; one that is made to end says what it must.
  const Reply reply = chat(kFormat);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_FALSE(text(reply, "choices.0.message.reasoning_content").empty());
  if (text(reply, "choices.0.finish_reason") == "length")
    EXPECT_EQ(text(reply, "choices.0.message.content").substr(0, 1).find_first_not_of("{"),
              std::string::npos);
  else
    expect_animal(text(reply, "choices.0.message.content"), reply.body);
}

TEST(Structured, CutByTheLimitItSaysSo) {
  const Reply reply = chat(kOff + kFormat + R"(,"max_completion_tokens":300)");
  EXPECT_EQ(text(reply, "choices.0.finish_reason"), "stop");
  const Reply cut = server().post(
      "/v1/chat/completions",
      R"({"messages":[{"role":"user","content":"json"}],"max_tokens":3,)" + kOff + kFormat + "}");
  EXPECT_EQ(text(cut, "choices.0.finish_reason"), "length");
  EXPECT_EQ(text(cut, "choices.0.message.content").substr(0, 2), "{\"");
}

TEST(Structured, AnObject) {
  for (int seed = 0; seed < 4; ++seed) {
    const Reply reply = chat(kOff + R"("response_format":{"type":"json_object"})", seed);
    ASSERT_EQ(reply.status, 200) << reply.body;
    const std::string content = text(reply, "choices.0.message.content");
    EXPECT_EQ(content[0], '{');
    EXPECT_TRUE(text(reply, "choices.0.finish_reason") == "length" || parse_json(content)) << content;
  }
}

TEST(Structured, AsClientsOfVllmAsk) {
  for (const std::string ask :
       {R"("guided_regex":"[A-C]{3}-\\d{2}")", R"("structured_outputs":{"regex":"[A-C]{3}-\\d{2}"})"}) {
    const std::string content = text(chat(kOff + ask), "choices.0.message.content");
    EXPECT_TRUE(std::regex_match(content, std::regex("[A-C]{3}-[0-9]{2}"))) << content;
  }
  EXPECT_THAT(text(chat(kOff + R"("guided_choice":["\n yes \n","no"])"), "choices.0.message.content"),
              testing::AnyOf("\n yes \n", "no"));
  expect_animal(text(chat(kOff + R"("guided_json":)" + std::string(kSchema)), "choices.0.message.content"),
                "");
  const Reply plain = server().post(
      "/v1/completions", R"({"prompt":"A fox has","max_tokens":50,"guided_choice":["four legs","no legs"]})");
  EXPECT_THAT(text(plain, "choices.0.text"), testing::AnyOf("four legs", "no legs"));
  EXPECT_EQ(text(plain, "choices.0.finish_reason"), "stop");
}

TEST(Structured, WhatCannotBeKeptToIsNamed) {
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"a":{"type":"strung"}}}}})",
       "response_format.json_schema.schema", "properties/a"},
      {R"("guided_regex":"(a")", "guided_regex", "guided_regex: "},
      {R"("tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","properties":{"a":{"type":"string","pattern":"(?<=x)y"}},"required":["a"]}}}])",
       "tools", "pattern"},
      {R"("response_format":{"type":"regex"})", "response_format", "only text, json_object and json_schema"}};
  for (const auto& [fields, param, says] : cases) {
    const Reply reply = chat(kOff + fields);
    EXPECT_EQ(reply.status, 400) << fields;
    EXPECT_EQ(text(reply, "error.type"), "invalid_request_error");
    EXPECT_EQ(text(reply, "error.param"), param);
    EXPECT_THAT(text(reply, "error.message"), testing::HasSubstr(says));
  }
}

const std::string kTools =
    R"("tools":[{"type":"function","function":{"name":"animal","description":"An animal.","parameters":)" +
    std::string(kSchema) + R"(}},{"type":"function","function":{"name":"stop"}}])";

TEST(Structured, ForcedCalls) {
  for (int seed = 0; seed < 6; ++seed) {
    const Reply reply =
        chat(kTools + R"(,"tool_choice":{"type":"function","function":{"name":"animal"}})", seed);
    ASSERT_EQ(reply.status, 200) << reply.body;
    EXPECT_EQ(text(reply, "choices.0.finish_reason"), "tool_calls");
    EXPECT_EQ(text(reply, "choices.0.message.content"), "");
    EXPECT_EQ(at(reply.json(), "choices.0.message.tool_calls").items.size(), 1u);
    EXPECT_EQ(text(reply, "choices.0.message.tool_calls.0.function.name"), "animal");
    expect_animal(text(reply, "choices.0.message.tool_calls.0.function.arguments"), reply.body);
    // Nobody asked to think, so nobody does (B6).
    EXPECT_EQ(at(reply.json(), "choices.0.message.reasoning_content").kind, JsonValue::Kind::kNull);
  }
  for (int seed = 0; seed < 4; ++seed) {
    const Reply reply = chat(kTools + R"(,"tool_choice":"required","parallel_tool_calls":false)", seed);
    ASSERT_EQ(reply.status, 200) << reply.body;
    const JsonValue calls = at(reply.json(), "choices.0.message.tool_calls");
    ASSERT_EQ(calls.items.size(), 1u);
    const std::string name = at(calls, "0.function.name").text,
                      arguments = at(calls, "0.function.arguments").text;
    EXPECT_TRUE(name != "stop" || arguments == "{}") << arguments;
    if (name == "animal") expect_animal(arguments, reply.body);
  }
}

TEST(Structured, ForcedCallsAndThinking) {
  const std::string forced = kTools + R"(,"tool_choice":"required","max_tokens":40)";
  EXPECT_EQ(chat(forced + R"(,"reasoning_effort":"high")").status, 200);
  const Reply both = chat(forced + R"(,"thinking":{"type":"enabled"})");
  EXPECT_EQ(both.status, 400);
  EXPECT_EQ(text(both, "error.message"), "Thinking mode does not support this tool_choice");
  const Reply unknown = chat(kTools + R"(,"tool_choice":{"type":"function","function":{"name":"dog"}})");
  EXPECT_EQ(text(unknown, "error.message"), "tool_choice: no tool named 'dog' was specified");
  EXPECT_EQ(chat(R"("tool_choice":"required")").status, 400);
  // The prompt opens the block; of the tools, only the named one is there (A13).
  const Reply prompt = server().post(
      "/apply-template", R"({"messages":[{"role":"user","content":"Hi"}],)" + kTools +
                             R"(,"tool_choice":{"type":"function","function":{"name":"animal"}}})");
  EXPECT_TRUE(text(prompt, "prompt").ends_with("</think>\n\n<｜DSML｜tool_calls>\n"))
      << text(prompt, "prompt");
  EXPECT_EQ(text(prompt, "prompt").find("\"stop\""), std::string::npos);
}

TEST(Structured, StrictToolsThatNobodyMustCall) {
  std::string strict = kTools;
  strict.insert(strict.find("\"description\""), "\"strict\":true,");
  const Reply reply = chat(kOff + strict);
  ASSERT_EQ(reply.status, 200) << reply.body;
  for (const JsonValue& call : at(reply.json(), "choices.0.message.tool_calls").items)
    if (at(call, "function.name").text == "animal")
      expect_animal(at(call, "function.arguments").text, reply.body);
}

// The other APIs.
TEST(Structured, Responses) {
  const auto respond = [](const std::string& fields) {
    return server().post(
        "/v1/responses",
        R"({"input":"An animal in json.","reasoning":{"effort":"none"},"max_output_tokens":300,)" + fields +
            "}");
  };
  const Reply format =
      respond(R"("text":{"format":{"type":"json_schema","name":"animal","strict":true,"schema":)" +
              std::string(kSchema) + "}}");
  ASSERT_EQ(format.status, 200) << format.body;
  expect_animal(text(format, "output.0.content.0.text"), format.body);
  EXPECT_EQ(text(format, "text.format.name"), "animal");
  const Reply call = respond(
      R"("tool_choice":{"type":"function","name":"animal"},"tools":[{"type":"function","name":"animal","parameters":)" +
      std::string(kSchema) + "}]");
  ASSERT_EQ(call.status, 200) << call.body;
  EXPECT_EQ(text(call, "output.0.type"), "function_call");
  expect_animal(text(call, "output.0.arguments"), call.body);
}

TEST(Structured, Anthropic) {
  const auto messages = [](const std::string& fields, const std::string& more = "") {
    return server().post("/v1/messages",
                         R"({"max_tokens":300,"messages":[{"role":"user","content":"An animal in json."})" +
                             more + "]," + fields + "}");
  };
  const std::string off = R"("thinking":{"type":"disabled"},)";
  const Reply format = messages(off + R"("output_config":{"format":{"type":"json_schema","schema":)" +
                                std::string(kSchema) + "}}");
  ASSERT_EQ(format.status, 200) << format.body;
  expect_animal(text(format, "content.0.text"), format.body);
  const std::string tools =
      R"("tools":[{"name":"animal","strict":true,"input_schema":)" + std::string(kSchema) + "}]";
  for (const std::string choice :
       {R"({"type":"tool","name":"animal"})", R"({"type":"any","disable_parallel_tool_use":true})"}) {
    const Reply call = messages(tools + R"(,"tool_choice":)" + choice);
    ASSERT_EQ(call.status, 200) << call.body;
    EXPECT_EQ(text(call, "stop_reason"), "tool_use");
    EXPECT_EQ(text(call, "content.0.type"), "tool_use");
    EXPECT_EQ(at(call.json(), "content.0.input").keys, (std::vector<std::string>{"name", "legs", "kind"}));
  }
  const Reply both =
      messages(tools + R"(,"thinking":{"type":"enabled","budget_tokens":1024},"tool_choice":{"type":"any"})");
  EXPECT_EQ(both.status, 400);
  EXPECT_EQ(text(both, "error.type"), "invalid_request_error");
  // An answer that the client began is gone on with.
  const std::string format_field =
      off + R"("output_config":{"format":{"type":"json_schema","schema":)" + std::string(kSchema) + "}}";
  const Reply begun = messages(format_field, R"(,{"role":"assistant","content":"{\"name\":\"mia\","})");
  ASSERT_EQ(begun.status, 200) << begun.body;
  expect_animal("{\"name\":\"mia\"," + text(begun, "content.0.text"), begun.body);
  EXPECT_EQ(messages(format_field, R"(,{"role":"assistant","content":"Well,"})").status, 400);
}

TEST(Structured, Ollama) {
  const Reply reply = server().post(
      "/api/chat",
      R"({"stream":false,"think":false,"options":{"num_predict":300},"messages":[{"role":"user","content":"An animal."}],"format":)" +
          std::string(kSchema) + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  expect_animal(text(reply, "message.content"), reply.body);
  const Reply generate = server().post(
      "/api/generate", R"({"stream":false,"raw":true,"prompt":"x","options":{"num_predict":300},"format":)" +
                           std::string(kSchema) + "}");
  ASSERT_EQ(generate.status, 200) << generate.body;
  expect_animal(text(generate, "response"), generate.body);
  EXPECT_EQ(
      server()
          .post("/api/chat", R"({"messages":[{"role":"user","content":"x"}],"format":{"type":"strung"}})")
          .status,
      400);
}

TEST(Structured, TheNumbersAreCounted) {
  chat(kOff + R"("guided_choice":["one","two"])");
  chat(kOff + R"("guided_choice":["one","two"])");
  const Reply metrics = server().get("/metrics");
  for (const char* name :
       {"hadal_grammar_compiles_total", "hadal_grammar_cache_hits_total", "hadal_masked_tokens_total"}) {
    const size_t found = metrics.body.find(std::string("\n") + name + " ");
    ASSERT_NE(found, std::string::npos) << name;
    EXPECT_GT(std::stod(metrics.body.substr(found + std::string(name).size() + 2)), 0) << name;
  }
}

}  // namespace
}  // namespace hadal::serve
