// POST /completions: the reader of its bodies, and the whole server on the bundled model.
#include "serve/openai/completions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "serve/service_fixture.h"

namespace hadal::serve {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

BodyRules any_model() {
  BodyRules rules;
  rules.choose_model = [](std::string_view name) -> Asked<ModelChoice> {
    return ModelChoice{std::string(name), std::nullopt, {}};
  };
  return rules;
}

Asked<CompletionAsk> read(const std::string& json) {
  const auto body = parse_json(json);
  EXPECT_TRUE(body) << json;
  return read_completion(any_model(), *body);
}

TEST(ReadCompletion, APromptHasFourForms) {
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(read(R"({"prompt":"x"})")->prompts, (std::vector<CompletionAsk::Prompt>{"x"}));
  EXPECT_EQ(read(R"({"prompt":["x","y"]})")->prompts, (std::vector<CompletionAsk::Prompt>{"x", "y"}));
  EXPECT_EQ(read(R"({"prompt":[5,6.0]})")->prompts, (std::vector<CompletionAsk::Prompt>{Ids{5, 6}}));
  EXPECT_EQ(read(R"({"prompt":[[5],[6,7]]})")->prompts,
            (std::vector<CompletionAsk::Prompt>{Ids{5}, Ids{6, 7}}));
  EXPECT_EQ(read(R"({"prompt":""})")->prompts, (std::vector<CompletionAsk::Prompt>{""}));
}

TEST(ReadCompletion, EveryFieldIsRead) {
  const auto ask =
      read(R"({"model":"m","prompt":"x","suffix":"y","logprobs":5,"n":2,"best_of":2,"stream":true,)"
           R"("stream_options":{"include_usage":true},"max_tokens":9})");
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->settings.model.name, "m");
  EXPECT_EQ(ask->suffix, "y");
  EXPECT_EQ(ask->settings.top_logprobs, 5);
  EXPECT_EQ(ask->settings.n, 2);
  EXPECT_TRUE(ask->settings.stream);
  EXPECT_TRUE(ask->include_usage);
  EXPECT_EQ(ask->settings.max_tokens, 9);
  EXPECT_FALSE(ask->nothing_new);
  const auto nothing = read(R"({"prompt":"x","echo":true,"max_tokens":0})");
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->echo);
  EXPECT_TRUE(nothing->nothing_new);
  EXPECT_EQ(nothing->settings.max_tokens, 1);
  EXPECT_EQ(nothing->settings.top_logprobs, -1);
}

TEST(ReadCompletion, WhatIsWrongIsNamed) {
  std::string many = R"({"prompt":["a")";
  for (size_t i = 0; i < kMostPrompts; ++i) many += R"(,"a")";
  many += "]}";
  std::string product = R"({"n":3,"prompt":["a")";
  for (size_t i = 1; i < kMostPrompts / 2; ++i) product += R"(,"a")";
  product += "]}";
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "missing field `prompt`"},
      {R"({"prompt":null})", "missing field `prompt`"},
      {R"({"prompt":7})", "prompt: expected a string, an array of strings"},
      {R"({"prompt":{}})", "prompt: expected a string"},
      {R"({"prompt":[]})", "prompt: expected at least one prompt"},
      {R"({"prompt":[[]]})", "prompt[0]: expected at least one token"},
      {R"({"prompt":["a",1]})", "prompt[1]: expected a string"},
      {R"({"prompt":[1,"a"]})", "prompt[1]: expected a token id"},
      {R"({"prompt":[1,-2]})", "prompt[1]: expected a token id"},
      {R"({"prompt":[1.5]})", "prompt[0]: expected a token id"},
      {R"({"prompt":[99999999999]})", "prompt[0]: expected a token id"},
      {R"({"prompt":[[1],[null]]})", "prompt[1][0]: expected a token id"},
      {R"({"prompt":[[1],"a"]})", "prompt[1]: expected a string"},
      {R"({"prompt":[true]})", "prompt[0]: expected a string"},
      {R"({"prompt":"x","model":5})", "model"},
      {R"({"prompt":"x","suffix":5})", "suffix"},
      {R"({"prompt":"x","echo":"yes"})", "echo"},
      {R"({"prompt":"x","suffix":"y","echo":true})", "echo: expected no suffix"},
      {R"({"prompt":[1],"suffix":"y"})", "suffix: expected prompts that are text"},
      {R"({"prompt":"x","max_tokens":0})", "max_tokens must be greater than zero"},
      {R"({"prompt":"x","logprobs":21})", "the valid range of logprobs is [0, 20]"},
      {R"({"prompt":"x","logprobs":true})", "the valid range of logprobs is [0, 20]"},
      {R"({"prompt":"x","best_of":2})", "best_of: expected the same as n"},
      {R"({"prompt":"x","temperature":9})", "temperature"},
      {many, "prompt: expected at most 1024 prompts"},
      {product, "n: expected at most 1024 choices in all"},
  };
  for (const auto& [body, says] : cases) {
    const auto ask = read(body);
    ASSERT_FALSE(ask) << body.substr(0, 80);
    EXPECT_EQ(ask.error().status, 400);
    EXPECT_NE(ask.error().message.find(says), std::string::npos) << ask.error().message;
  }
}

TestServer& server() {
  static TestServer all;
  return all;
}

Reply complete(const std::string& fields, const std::string& path = "/v1/completions") {
  return server().post(path, R"({"model":"hadal-mini",)" + fields + "}");
}

std::string field(const Reply& reply, std::string_view path) {
  return at(reply.json(), path).text;
}

std::string ids_of(std::string_view text) {
  return fmt::format("[{}]", fmt::join(server().text().tokenizer().encode(text), ","));
}

TEST(Completions, TextGoesOn) {
  const Reply reply = complete(R"("prompt":"Once upon a time","max_tokens":12,"temperature":0)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(field(reply, "object"), "text_completion");
  EXPECT_EQ(field(reply, "model"), "hadal-mini");
  EXPECT_FALSE(field(reply, "choices.0.text").empty());
  const size_t prompt = server().text().tokenizer().encode("Once upon a time").size();
  EXPECT_EQ(field(reply, "usage.prompt_tokens"), std::to_string(prompt + 1)) << "BOS counts";
  for (const char* path : {"/completions", "/beta/completions", "/beta/v1/completions", "/v1/v1/completions"})
    EXPECT_EQ(field(complete(R"("prompt":"Once upon a time","max_tokens":12,"temperature":0)", path),
                    "choices.0.text"),
              field(reply, "choices.0.text"));
}

TEST(Completions, TheTemperatureOfTheClientCounts) {
  const std::string body = R"("prompt":"Once upon a time","max_tokens":20,"temperature":0,"seed":)";
  EXPECT_EQ(field(complete(body + "1"), "choices.0.text"), field(complete(body + "2"), "choices.0.text"));
  const std::string warm = R"("prompt":"Once upon a time","max_tokens":20,"seed":)";
  EXPECT_NE(field(complete(warm + "1"), "choices.0.text"), field(complete(warm + "2"), "choices.0.text"));
  EXPECT_EQ(field(complete(warm + "1"), "choices.0.text"), field(complete(warm + "1"), "choices.0.text"));
}

TEST(Completions, IdsAreTakenAsTheyAre) {
  const Reply text = complete(R"("prompt":"The cat","max_tokens":8,"temperature":0)");
  const std::string ids = "[0," + ids_of("The cat").substr(1);
  const Reply same = complete(R"("max_tokens":8,"temperature":0,"prompt":)" + ids);
  ASSERT_EQ(same.status, 200) << same.body;
  EXPECT_EQ(field(same, "choices.0.text"), field(text, "choices.0.text"));
  EXPECT_EQ(field(same, "usage.prompt_tokens"), field(text, "usage.prompt_tokens"));
  const Reply bare = complete(R"("max_tokens":8,"temperature":0,"prompt":)" + ids_of("The cat"));
  EXPECT_EQ(std::stoi(field(bare, "usage.prompt_tokens")) + 1, std::stoi(field(text, "usage.prompt_tokens")));
  const Reply unknown = complete(R"("prompt":[129279])");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(field(unknown, "error.message").find("129279 is not in the vocabulary"), std::string::npos)
      << unknown.body;
  EXPECT_EQ(field(unknown, "error.param"), "prompt");
}

TEST(Completions, AnEmptyTextBeginsWithTheBeginning) {
  const std::string body = R"("prompt":"","max_tokens":4,"seed":2,"temperature":2)";
  const Reply reply = complete(body);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(field(reply, "usage.prompt_tokens"), "1");
  const Reply echoed = complete(body + R"(,"echo":true,"logprobs":1)");
  ASSERT_EQ(echoed.status, 200) << echoed.body;
  EXPECT_EQ(field(echoed, "choices.0.text"), field(reply, "choices.0.text"));
  const JsonValue logprobs = at(echoed.json(), "choices.0.logprobs.token_logprobs");
  ASSERT_FALSE(logprobs.items.empty());
  EXPECT_FALSE(logprobs.items[0].is_null()) << "it is of the answer";
}

TEST(Completions, ManyPromptsHaveTheirChoicesInOrder) {
  const Reply both =
      complete(R"("prompt":["The cat","Once upon a time there was"],"n":2,"max_tokens":8,"seed":3)");
  ASSERT_EQ(both.status, 200) << both.body;
  ASSERT_EQ(at(both.json(), "choices").items.size(), 4u);
  int prompt = 0, completion = 0, index = 0;
  for (const std::string text : {"The cat", "Once upon a time there was"}) {
    const Reply one = complete(R"("n":2,"max_tokens":8,"seed":3,"prompt":")" + text + "\"");
    for (int i = 0; i < 2; ++i, ++index) {
      EXPECT_EQ(field(both, fmt::format("choices.{}.text", index)),
                field(one, fmt::format("choices.{}.text", i)));
      EXPECT_EQ(field(both, fmt::format("choices.{}.index", index)), std::to_string(index));
    }
    prompt += std::stoi(field(one, "usage.prompt_tokens"));
    completion += std::stoi(field(one, "usage.completion_tokens"));
  }
  EXPECT_EQ(field(both, "usage.prompt_tokens"), std::to_string(prompt)) << "each prompt once";
  EXPECT_EQ(field(both, "usage.completion_tokens"), std::to_string(completion));
}

// As lm-evaluation-harness sums it up: tokens of the prompt behind the context, without the one made anew.
std::pair<double, bool> loglikelihood(const JsonValue& choice, size_t context) {
  const JsonValue logprobs = at(choice, "logprobs.token_logprobs"), top = at(choice, "logprobs.top_logprobs");
  double sum = 0;
  bool greedy = true;
  for (size_t i = context; i + 1 < logprobs.items.size(); ++i) {
    const double own = std::stod(logprobs.items[i].text);
    double best = -1e9;
    for (const JsonValue& other : top.items[i].items) best = std::max(best, std::stod(other.text));
    sum += own;
    greedy = greedy && own == best;
  }
  return {sum, greedy};
}

TEST(Completions, ProbabilitiesOfAGivenTextAsHarnessesAskForThem) {
  const Tokenizer& tokenizer = server().text().tokenizer();
  const std::vector<int32_t> context = tokenizer.encode("Once upon a time there was a");
  const Reply made = complete(R"("prompt":)" + ids_of("Once upon a time there was a") +
                              R"(,"max_tokens":5,"temperature":0,"logprobs":1)");
  ASSERT_EQ(made.status, 200) << made.body;
  double sum = 0;
  for (const JsonValue& logprob : at(made.json(), "choices.0.logprobs.token_logprobs").items)
    sum += std::stod(logprob.text);
  const std::string text = field(made, "choices.0.text");

  std::vector<int32_t> greedy = context, other = context;
  for (const int32_t id : tokenizer.encode(text)) greedy.push_back(id);
  for (const int32_t id : tokenizer.encode(" zebra!")) other.push_back(id);
  const Reply reply = complete(fmt::format(
      R"("prompt":[[{}],[{}]],"temperature":0,"max_tokens":1,"logprobs":1,"seed":1234,"echo":true)",
      fmt::join(greedy, ","), fmt::join(other, ",")));
  ASSERT_EQ(reply.status, 200) << reply.body;
  const JsonValue first = at(reply.json(), "choices.0"), second = at(reply.json(), "choices.1");
  EXPECT_EQ(at(first, "logprobs.token_logprobs").items.size(), greedy.size() + 1);
  EXPECT_TRUE(at(first, "logprobs.token_logprobs").items[0].is_null());
  EXPECT_TRUE(at(first, "logprobs.top_logprobs").items[0].is_null());
  const auto [likely, is_greedy] = loglikelihood(first, context.size());
  EXPECT_TRUE(is_greedy);
  EXPECT_NEAR(likely, sum, 1e-3) << "the same text, as it was made";
  const auto [unlikely, not_greedy] = loglikelihood(second, context.size());
  EXPECT_FALSE(not_greedy);
  EXPECT_LT(unlikely, likely);
}

TEST(Completions, ATextThatIsOverStillHasOneTokenMore) {
  // Ids after which the end is the likeliest: a question with an answer that ended by itself.
  const Reply question = server().post(
      "/apply-template", R"({"messages":[{"role":"user","content":"Tell me a story"}],"think":false})");
  std::vector<std::string> ids;
  for (const JsonValue& id : at(question.json(), "tokens").items) ids.push_back(id.text);
  const Reply made =
      complete(fmt::format(R"("prompt":[{}],"max_tokens":2000,"temperature":0)", fmt::join(ids, ",")));
  ASSERT_EQ(field(made, "choices.0.finish_reason"), "stop") << made.body;
  for (const int32_t id : server().text().tokenizer().encode(field(made, "choices.0.text")))
    ids.push_back(std::to_string(id));
  for (const std::string more : {"1", "7"}) {
    const Reply reply =
        complete(fmt::format(R"("temperature":0,"max_tokens":{},"logprobs":1,"echo":true,"prompt":[{}])",
                             more, fmt::join(ids, ",")));
    ASSERT_EQ(reply.status, 200) << reply.body;
    const JsonValue choice = at(reply.json(), "choices.0");
    EXPECT_EQ(at(choice, "logprobs.tokens").items.size(), ids.size() + 1);
    EXPECT_EQ(at(choice, "logprobs.tokens").items.back().text, "<｜end▁of▁sentence｜>");
    EXPECT_EQ(at(choice, "finish_reason").text, "stop");
    EXPECT_TRUE(at(choice, "text").text.ends_with(field(made, "choices.0.text")));
    EXPECT_EQ(field(reply, "usage.completion_tokens"), "0");
  }
}

TEST(Completions, AnEchoIsTheTextWithItsTokens) {
  const std::string prompt = "The cat sat — 中文 😀 on";
  for (const std::string more :
       {R"("max_tokens":6)", R"("max_tokens":0)", R"("max_tokens":6,"stream":true)"}) {
    const Reply reply = complete(R"("echo":true,"logprobs":2,"seed":4,"prompt":")" + prompt + "\"," + more);
    ASSERT_EQ(reply.status, 200) << reply.body;
    std::string text, tokens;
    size_t count = 0, offsets = 0;
    for (const std::string& event :
         reply.content_type == "application/json" ? std::vector{reply.body} : reply.events()) {
      if (event == "[DONE]") break;
      const JsonValue choice = at(*parse_json(event), "choices.0");
      text += at(choice, "text").text;
      for (const JsonValue& token : at(choice, "logprobs.tokens").items) {
        std::string bytes = token.text;
        if (bytes.starts_with("bytes:")) {
          std::string raw;
          for (size_t i = 6; i < bytes.size(); ++i)
            if (bytes[i] == '\\') {
              raw += static_cast<char>(std::stoi(bytes.substr(i + 2, 2), nullptr, 16));
              i += 3;
            } else {
              raw += bytes[i];
            }
          bytes = raw;
        }
        tokens += bytes;
        ++count;
      }
      for (const JsonValue& top : at(choice, "logprobs.top_logprobs").items)
        EXPECT_TRUE(top.is_null() || (top.items.size() >= 1 && top.items.size() <= 3));
      offsets += at(choice, "logprobs.text_offset").items.size();
    }
    EXPECT_EQ(text, tokens);
    EXPECT_TRUE(text.starts_with(prompt)) << text;
    EXPECT_EQ(text.size() == prompt.size(), more.ends_with(":0"));
    EXPECT_EQ(count, offsets);
  }
}

TEST(Completions, AStreamIsTheSameAnswer) {
  const std::string body = R"("prompt":["Once upon a time","The cat"],"max_tokens":20,"seed":9,"logprobs":1)";
  const Reply whole = complete(body), stream = complete(body + R"(,"stream":true)");
  ASSERT_EQ(stream.status, 200) << stream.body;
  std::string texts[2], tokens[2], reasons[2];
  const std::vector<std::string> events = stream.events();
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    const auto chunk = parse_json(events[i]);
    ASSERT_TRUE(chunk) << events[i];
    const JsonValue choice = at(*chunk, "choices.0");
    const int index = std::stoi(at(choice, "index").text);
    texts[index] += at(choice, "text").text;
    reasons[index] += at(choice, "finish_reason").text;
    for (const JsonValue& token : at(choice, "logprobs.tokens").items) tokens[index] += token.text;
    EXPECT_EQ(chunk->find("usage") != nullptr, i + 2 == events.size());
  }
  EXPECT_EQ(events.back(), "[DONE]");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(texts[i], field(whole, fmt::format("choices.{}.text", i)));
    EXPECT_EQ(reasons[i], field(whole, fmt::format("choices.{}.finish_reason", i)));
    EXPECT_EQ(tokens[i], texts[i]);
  }
}

TEST(Completions, AGapIsFilled) {
  const Reply reply = complete(R"("prompt":"The cat","suffix":" down.","max_tokens":8,"temperature":0)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Tokenizer& tokenizer = server().text().tokenizer();
  EXPECT_EQ(field(reply, "usage.prompt_tokens"),
            std::to_string(4 + tokenizer.encode("The cat").size() + tokenizer.encode(" down.").size()));
}

TEST(Completions, StopStringsEndTheText) {
  const Reply free = complete(R"("prompt":"Once upon a time","max_tokens":30,"seed":5)");
  const std::string text = field(free, "choices.0.text");
  ASSERT_GT(text.size(), 12u);
  std::string quoted;
  JsonOut(quoted).value(text.substr(6, 4));
  const Reply stopped =
      complete(R"("prompt":"Once upon a time","max_tokens":30,"seed":5,"logprobs":0,"stop":)" + quoted);
  ASSERT_EQ(stopped.status, 200) << stopped.body;
  const std::string left = text.substr(0, text.find(text.substr(6, 4)));
  EXPECT_EQ(field(stopped, "choices.0.text"), left);
  EXPECT_EQ(field(stopped, "choices.0.finish_reason"), "stop");
  for (const JsonValue& offset : at(stopped.json(), "choices.0.logprobs.text_offset").items)
    EXPECT_LT(std::stoul(offset.text), left.size());
}

TEST(Completions, TheContextLimitsEachPromptByItself) {
  std::string words;
  for (int i = 0; i < 20000; ++i) words += "word ";
  const Reply reply = complete(R"("prompt":["a",")" + words + "\"]");
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(field(reply, "error.code"), "context_length_exceeded");
  EXPECT_EQ(field(reply, "error.param"), "prompt");
  EXPECT_EQ(field(reply, "error.n_ctx"), "16384");

  TestServer::Options options;
  options.service.rules.context_tokens = 40;
  TestServer small(options);
  const Reply both = small.post(
      "/v1/completions",
      R"({"prompt":["Once upon a time there was a cat and a dog","The"],"max_tokens":38,"seed":2})");
  ASSERT_EQ(both.status, 200) << both.body;
  const auto tokens = [&](int i) {
    return small.text().tokenizer().encode(field(both, fmt::format("choices.{}.text", i))).size();
  };
  EXPECT_LE(tokens(0), 40u);
  EXPECT_LE(std::stoi(field(both, "usage.total_tokens")), 80);
}

TEST(Completions, AnUnknownModelIsNotFound) {
  const Reply reply = server().post("/v1/completions", R"({"model":"llama","prompt":"x"})");
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(field(reply, "error.code"), "model_not_found");
}

}  // namespace
}  // namespace hadal::serve
