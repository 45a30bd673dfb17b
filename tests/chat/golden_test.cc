// Whole prompts: the official vectors, those of api.md V3 and the 400 random conversations.
#include "chat/collect.h"
#include "chat/prompt_texts.h"
#include "chat/special_tokens.h"
#include "chat_support.h"

namespace hadal::test {
namespace {

TEST(GoldenPrompts, Official) {
  for (int i = 1; i <= 4; ++i) {
    Json input = Json::parse(read_text(kGolden / ("official_input_" + std::to_string(i) + ".json")));
    if (input.is_array()) input = Json{{"messages", input}};
    input["mode"] = i == 4 ? "chat" : "thinking";
    const std::string wanted = read_text(kGolden / ("official_output_" + std::to_string(i) + ".txt"));
    for (const Dialect dialect : {Dialect::kHosted, Dialect::kReference})
      for (const auto generation : {PromptGeneration::kV4Preview, PromptGeneration::kV4Official})
        EXPECT_EQ(flat_of(input.dump(), dialect, generation), wanted) << i;
  }
}

TEST(GoldenPrompts, OfTheSpecification) {
  for (const Json& vector : Json::parse(read_text(kGolden / "prompts.json"))) {
    const auto generation = generation_from_name(vector["generation"].get<std::string>());
    ASSERT_TRUE(generation);
    for (const Dialect dialect : {Dialect::kHosted, Dialect::kReference}) {
      if (dialect == Dialect::kHosted && vector["reference_only"].get<bool>()) continue;
      const std::string flat = flat_of(vector["request"].dump(), dialect, *generation);
      std::string wanted =
          std::string(special::kBos) + std::string(kEffortBeyond) + "<｜User｜>Hi<｜Assistant｜><think>";
      if (!vector["prompt"].is_null()) wanted = vector["prompt"];
      if (vector["after_tools"].get<bool>()) {
        const size_t end = flat.find("invoke tool calls.\n<｜User｜>");
        ASSERT_NE(end, std::string::npos) << flat;
        EXPECT_EQ(flat.substr(end + std::string("invoke tool calls.\n").size()), wanted) << vector["name"];
      } else {
        EXPECT_EQ(flat, wanted) << vector["name"];
      }
    }
  }
}

std::vector<Json> random_cases() {
  std::vector<Json> cases;
  std::ifstream file(kShared / "golden" / "encoding" / "random.jsonl");
  for (std::string line; std::getline(file, line);) cases.push_back(Json::parse(line));
  return cases;
}

TEST(GoldenPrompts, RandomConversations) {
  const std::vector<Json> cases = random_cases();
  if (cases.empty()) GTEST_SKIP() << "no ../shared/golden/encoding/random.jsonl";
  for (const Json& c : cases) {
    const Json request = {{"messages", c["messages"]},
                          {"tools", c["tools"]},
                          {"mode", c["mode"]},
                          {"reasoning_effort", c["reasoning_effort"]}};
    EXPECT_EQ(flat_of(request.dump(), Dialect::kReference), c["prompt"].get<std::string>()) << c["id"];
  }
}

TEST(GoldenCompletions, RandomCompletions) {
  const std::vector<Json> cases = random_cases();
  if (cases.empty()) GTEST_SKIP() << "no ../shared/golden/encoding/random.jsonl";
  for (const Json& c : cases) {
    for (const size_t fragment : {0, 1, 2, 3, 5, 7}) {
      ParserOptions options;
      options.start = c["mode"] == "thinking" ? ParserStart::kReasoning : ParserStart::kContent;
      options.lenient = false;
      options.exact_newlines = true;
      ChatParser parser(options);
      CollectingSink sink;
      push_flat(parser, c["completion"].get<std::string>(), fragment, sink);
      ASSERT_TRUE(sink.message.finished) << c["id"];
      const Json& wanted = c["parsed"];
      EXPECT_EQ(sink.message.content, wanted["content"].get<std::string>()) << c["id"];
      EXPECT_EQ(sink.message.reasoning, wanted["reasoning_content"].get<std::string>()) << c["id"];
      ASSERT_EQ(sink.message.calls.size(), wanted["tool_calls"].size()) << c["id"];
      for (size_t i = 0; i < sink.message.calls.size(); ++i) {
        EXPECT_EQ(sink.message.calls[i].name, wanted["tool_calls"][i]["function"]["name"].get<std::string>());
        EXPECT_EQ(sink.message.calls[i].arguments,
                  wanted["tool_calls"][i]["function"]["arguments"].get<std::string>());
      }
    }
  }
}

}  // namespace
}  // namespace hadal::test
