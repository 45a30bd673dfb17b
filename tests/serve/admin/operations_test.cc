#include "serve/admin/operations.h"

#include <gtest/gtest.h>

#include "serve/service_fixture.h"

namespace hadal::serve {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

TestServer& server() {
  static TestServer all;
  return all;
}

TEST(Operations, TextsBecomeTokensAndTextsAgain) {
  const std::string text = "Once upon a time, ü 深 <think>";
  const Reply tokens = server().post("/tokenize", R"({"content":")" + text + R"(","parse_special":false})");
  ASSERT_EQ(tokens.status, 200) << tokens.body;
  std::string list = tokens.body.substr(tokens.body.find('['));
  list.pop_back();
  EXPECT_EQ(at(server().post("/detokenize", R"({"tokens":)" + list + "}").json(), "content").text, text);
  const size_t plain = at(tokens.json(), "tokens").items.size();
  const Reply special = server().post("/tokenize", R"({"content":")" + text + R"("})");
  EXPECT_LT(at(special.json(), "tokens").items.size(), plain) << "<think> is one token";
}

TEST(Operations, PiecesPutTogetherAreTheText) {
  const Reply reply = server().post("/tokenize", R"({"content":"größe 深","with_pieces":true})");
  std::string text;
  for (const JsonValue& token : at(reply.json(), "tokens").items) {
    const JsonValue piece = at(token, "piece");
    text += piece.text;
    for (const JsonValue& byte : piece.items) text.push_back(static_cast<char>(std::stoi(byte.text)));
  }
  EXPECT_EQ(text, "größe 深");
}

TEST(Operations, TheOtherDialectCountsAMessage) {
  const Reply prompt = server().post("/tokenize", R"({"prompt":"Hi"})");
  EXPECT_EQ(at(prompt.json(), "count").text, std::to_string(at(prompt.json(), "tokens").items.size()));
  EXPECT_EQ(at(prompt.json(), "max_model_len").text, "16384");
  const std::string messages = R"("messages":[{"role":"user","content":"Hi"}],"max_tokens":1)";
  const Reply chat = server().post("/tokenize", "{" + messages + "}");
  const Reply answer = server().post("/v1/chat/completions", "{" + messages + "}");
  EXPECT_EQ(at(chat.json(), "count").text, at(answer.json(), "usage.prompt_tokens").text);
}

TEST(Operations, TheEndOfATurnIsOneToken) {
  const Reply info = server().get("/tokenizer_info");
  for (const char* name : {"bos_token", "eos_token"}) {
    const Reply ids = server().post(
        "/tokenize", R"({"add_special_tokens":false,"prompt":")" + at(info.json(), name).text + R"("})");
    EXPECT_EQ(at(ids.json(), "tokens").items.size(), 1U) << name;
  }
}

TEST(Operations, BadTokensAreRefused) {
  for (const char* body :
       {R"({"tokens":5})", R"({"tokens":[-1]})", R"({"tokens":[99999999999]})", R"({"tokens":["a"]})", "{}"})
    EXPECT_EQ(server().post("/detokenize", body).status, 400) << body;
  EXPECT_EQ(server().post("/tokenize", "{}").status, 400);
  EXPECT_EQ(server().post("/tokenize", R"({"content":7})").status, 400);
}

TEST(Operations, MetricsCountWhatWasDone) {
  TestServer server;  // its own: what others asked for may be counted late
  const auto value = [&](const std::string& name) {
    const std::string all = "\n" + server.get("/metrics").body;
    const size_t found = all.find("\n" + name);
    EXPECT_NE(found, std::string::npos) << name;
    return found == std::string::npos ? -1.0 : std::stod(all.substr(all.find(' ', found + 1)));
  };
  const double before = value("vllm:generation_tokens_total");
  const Reply reply =
      server.post("/v1/chat/completions", R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":5})");
  const double made = std::stod(at(reply.json(), "usage.completion_tokens").text);
  // The engine tells its counts after the tokens themselves.
  while (value("vllm:generation_tokens_total") < before + made) std::this_thread::yield();
  EXPECT_EQ(value("vllm:generation_tokens_total"), before + made);
  EXPECT_GE(value("llamacpp:tokens_predicted_total"), made);
}

TEST(Operations, PropsAndVersion) {
  EXPECT_EQ(at(server().get("/props").json(), "default_generation_settings.n_ctx").text, "16384");
  EXPECT_EQ(at(server().get("/version").json(), "version").text, "0.0.0");
  EXPECT_EQ(server().get("/slots").status, 501) << "only where it is wanted";
}

}  // namespace
}  // namespace hadal::serve
