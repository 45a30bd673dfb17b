#include "serve/openai/completion_writer.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

namespace hadal::serve {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer all = Tokenizer::load(HADAL_SOURCE_DIR "/models/hadal-mini");
  return all;
}

CompletionForm form(bool stream) {
  CompletionForm out;
  out.name = {"X", 1787000000, "deepseek-v4-pro", "fp_0"};
  out.stream = stream;
  return out;
}

ChoiceEnd end_with(FinishReason reason, std::string stop = {}) {
  ChoiceEnd end;
  end.reason = reason;
  end.stop = std::move(stop);
  return end;
}

const std::string kHead =
    R"({"id":"X","object":"text_completion","created":1787000000,"model":"deepseek-v4-pro","system_fingerprint":"fp_0",)";
const std::string kUsage =
    R"("usage":{"prompt_tokens":20,"completion_tokens":14,"total_tokens":34,"prompt_tokens_details":{"cached_tokens":5},"completion_tokens_details":{"reasoning_tokens":0},"prompt_cache_hit_tokens":5,"prompt_cache_miss_tokens":15})";
const TokenUsage kTokens{20, 5, 14, 0};

TEST(CompletionWriter, AWholeAnswerHasTheFormOfTheApi) {
  const auto writer = make_completion_writer(form(false), tokenizer());
  writer->content(0, "\n    if a < 2:");
  writer->content(0, "\n        return a\n");
  writer->finished(0, end_with(FinishReason::kStop));
  EXPECT_EQ(writer->take(), "");
  writer->ended(kTokens);
  EXPECT_EQ(writer->take(),
            kHead +
                R"("choices":[{"index":0,"text":"\n    if a < 2:\n        return a\n","logprobs":null,)"
                R"("finish_reason":"stop"}],)" +
                kUsage + "}");
  EXPECT_EQ(writer->head().content_type, "application/json");
}

TEST(CompletionWriter, AStreamHasTheFormOfTheApi) {
  const auto writer = make_completion_writer(form(true), tokenizer());
  writer->content(0, "Hello");
  writer->content(0, " you");
  writer->finished(0, end_with(FinishReason::kLength));
  writer->ended(kTokens);
  const std::string open = R"("choices":[{"index":0,"text":)";
  EXPECT_EQ(writer->take(),
            "data: " + kHead + open + R"("Hello","logprobs":null,"finish_reason":null}]})" + "\n\n" +
                "data: " + kHead + open + R"(" you","logprobs":null,"finish_reason":null}]})" + "\n\n" +
                "data: " + kHead + open + R"("","logprobs":null,"finish_reason":"length"}],)" + kUsage +
                "}\n\ndata: [DONE]\n\n");
  EXPECT_TRUE(writer->head().content_type.starts_with("text/event-stream"));
  EXPECT_EQ(writer->keep_alive(), ": keep-alive\n\n");
}

TEST(CompletionWriter, UsageStandsWhereTheServerIsToldToPutIt) {
  CompletionForm wanted = form(true);
  wanted.include_usage = true;
  auto writer = make_completion_writer(wanted, tokenizer());
  writer->content(0, "a");
  writer->finished(0, end_with(FinishReason::kStop));
  writer->ended(kTokens);
  std::string text = writer->take();
  EXPECT_NE(text.find(R"("finish_reason":null}],"usage":null})"), std::string::npos);
  EXPECT_NE(text.find(R"("finish_reason":"stop"}],)" + kUsage), std::string::npos);

  wanted.usage_in_own_chunk = true;
  writer = make_completion_writer(wanted, tokenizer());
  writer->content(0, "a");
  writer->finished(0, end_with(FinishReason::kStop));
  writer->ended(kTokens);
  text = writer->take();
  EXPECT_NE(text.find(R"("finish_reason":"stop"}],"usage":null})"), std::string::npos);
  EXPECT_NE(text.find(R"("choices":[],)" + kUsage), std::string::npos);
}

TEST(CompletionWriter, TheEchoComesFirstAndItsFirstTokenIsUnknown) {
  const std::vector<int32_t> ids = tokenizer().encode("The cat sat");
  const std::vector<int32_t> more = tokenizer().encode(" down");
  ASSERT_GT(ids.size(), 1u);
  for (const bool stream : {false, true}) {
    for (const int64_t unseen : {0, 1}) {
      CompletionForm wanted = form(stream);
      wanted.echoed = {ids};
      wanted.unseen = unseen;
      wanted.logprobs = true;
      const auto writer = make_completion_writer(wanted, tokenizer());
      for (size_t i = 1; i < ids.size() + static_cast<size_t>(unseen); ++i)
        writer->prompt_token(0, static_cast<int64_t>(i), {{ids[i - static_cast<size_t>(unseen)], -1.5f}, {}});
      for (const int32_t id : more) writer->token(0, TokenPart::kContent, {{id, -0.25f}, {}});
      writer->content(0, " down");
      writer->finished(0, end_with(FinishReason::kStop));
      writer->ended(kTokens);
      const std::string out = writer->take();
      std::string text, tokens;
      std::vector<std::string> logprobs;
      for (size_t at = 0; at != std::string::npos && at < out.size();) {
        const size_t begin = stream ? at + 6 : 0, stop = stream ? out.find('\n', at) : out.size();
        const std::string event = out.substr(begin, stop - begin);
        at = stream ? stop + 2 : out.size();
        if (event == "[DONE]") break;
        const auto value = parse_json(event);
        ASSERT_TRUE(value) << event;
        const JsonValue& choice = value->find("choices")->items[0];
        text += choice.find("text")->text;
        const JsonValue* list = choice.find("logprobs");
        if (list == nullptr) continue;
        for (const JsonValue& token : list->find("tokens")->items) tokens += token.text;
        for (const JsonValue& logprob : list->find("token_logprobs")->items)
          logprobs.push_back(logprob.is_null() ? "null" : logprob.text);
      }
      EXPECT_EQ(text, "The cat sat down");
      EXPECT_EQ(tokens, text);
      ASSERT_EQ(logprobs.size(), ids.size() + more.size());
      EXPECT_EQ(logprobs[0], "null");
      EXPECT_EQ(logprobs[1], "-1.5");
      EXPECT_EQ(logprobs.back(), "-0.25");
    }
  }
}

TEST(CompletionWriter, OnlyThePromptComesBackWhereNothingElseWasAskedFor) {
  CompletionForm wanted = form(false);
  wanted.echoed = {tokenizer().encode("The cat")};
  wanted.logprobs = wanted.prompt_only = true;
  const auto writer = make_completion_writer(wanted, tokenizer());
  const int32_t next = tokenizer().encode(" sat")[0];
  writer->token(0, TokenPart::kContent, {{next, -0.25f}, {}});
  writer->content(0, " sat");
  writer->finished(0, end_with(FinishReason::kStop));
  writer->ended({20, 5, 1, 0});
  const auto value = parse_json(writer->take());
  ASSERT_TRUE(value);
  const JsonValue& choice = value->find("choices")->items[0];
  EXPECT_EQ(choice.find("text")->text, "The cat");
  EXPECT_EQ(choice.find("finish_reason")->text, "length");
  EXPECT_EQ(choice.find("logprobs")->find("tokens")->items.size(), 1u);
  EXPECT_EQ(value->find("usage")->find("completion_tokens")->text, "0");
  EXPECT_EQ(value->find("usage")->find("total_tokens")->text, "20");
}

TEST(CompletionWriter, AStopStringTakesItsTokensAlong) {
  CompletionForm wanted = form(true);
  wanted.logprobs = true;
  const auto writer = make_completion_writer(wanted, tokenizer());
  for (const char* piece : {" a", " b", " c"})
    writer->token(0, TokenPart::kContent, {{tokenizer().encode(piece)[0], -1}, {}});
  writer->content(0, " a");
  writer->finished(0, end_with(FinishReason::kStop, " b c"));
  writer->ended(kTokens);
  const std::string out = writer->take();
  EXPECT_NE(out.find(R"("tokens":[" a"])"), std::string::npos) << out;
  EXPECT_EQ(out.find(R"(" b")"), std::string::npos) << out;
}

TEST(CompletionWriter, ATokenThatEndsTheAnswerHasNoText) {
  CompletionForm wanted = form(false);
  wanted.logprobs = true;
  wanted.end_ids = {1};
  wanted.echoed = {{}};
  const auto writer = make_completion_writer(wanted, tokenizer());
  writer->token(0, TokenPart::kContent, {{1, -0.5f}, {}});
  writer->finished(0, end_with(FinishReason::kStop));
  writer->ended(kTokens);
  const auto value = parse_json(writer->take());
  ASSERT_TRUE(value);
  const JsonValue& choice = value->find("choices")->items[0];
  EXPECT_EQ(choice.find("text")->text, "");
  EXPECT_EQ(choice.find("logprobs")->find("token_logprobs")->items[0].text, "-0.5");
}

TEST(CompletionWriter, AFailureIsAnEventAndTheEnd) {
  const auto writer = make_completion_writer(form(true), tokenizer());
  writer->content(0, "a");
  writer->take();
  writer->failed({.status = 500, .message = "broken"});
  const std::string out = writer->take();
  EXPECT_TRUE(out.starts_with(R"(data: {"error":{"message":"broken","type":"server_error")")) << out;
  EXPECT_TRUE(out.ends_with("data: [DONE]\n\n"));
}

}  // namespace
}  // namespace hadal::serve
