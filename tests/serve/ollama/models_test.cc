#include "serve/ollama/models.h"

#include <gtest/gtest.h>

#include "serve/service_fixture.h"

namespace hadal::serve::ollama {
namespace {

using test::at;
using test::Reply;
using test::TestServer;

TestServer& server() {
  static TestServer all([] {
    TestServer::Options options;
    options.service.parameters = 8'300'000;
    options.service.model_bytes = 9'000'000;
    options.aliases = {"tales:7b"};
    return options;
  }());
  return all;
}

TEST(OllamaModels, TheListHasEveryName) {
  const Reply reply = server().get("/api/tags");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const JsonValue models = at(reply.json(), "models");
  std::vector<std::string> names;
  for (const JsonValue& model : models.items) {
    names.push_back(at(model, "name").text);
    EXPECT_EQ(at(model, "model").text, names.back());
    EXPECT_EQ(at(model, "size").text, "9000000");
    EXPECT_EQ(at(model, "details.parameter_size").text, "8.3M");
    EXPECT_EQ(at(model, "details.family").text, "deepseek4");
    EXPECT_EQ(at(model, "details.families.0").text, "deepseek4");
    EXPECT_FALSE(at(model, "details.quantization_level").text.empty());
    EXPECT_EQ(at(model, "details.parent_model").kind, JsonValue::Kind::kString);
    const std::string digest = at(model, "digest").text;
    EXPECT_EQ(digest.size(), 64u);
    EXPECT_EQ(digest.find_first_not_of("0123456789abcdef"), std::string::npos);
    EXPECT_EQ(digest, at(models, "0.digest").text);
    EXPECT_EQ(at(model, "modified_at").text.size(), 20u);
  }
  ASSERT_GE(names.size(), 2u);
  EXPECT_EQ(names[0], "hadal-mini:latest");
  EXPECT_EQ(names[1], "tales:7b");
  EXPECT_EQ(server().get("/api/tags").body, reply.body);
}

TEST(OllamaModels, WhatRunsIsTheModel) {
  const JsonValue models = at(server().get("/api/ps").json(), "models");
  ASSERT_EQ(models.items.size(), 1u);
  EXPECT_EQ(at(models, "0.name").text, "hadal-mini:latest");
  EXPECT_EQ(at(models, "0.context_length").text, "16384");
  EXPECT_FALSE(at(models, "0.expires_at").text.empty());
  EXPECT_EQ(at(models, "0.size_vram").kind, JsonValue::Kind::kNumber);
}

TEST(OllamaModels, WhatIsShownOfIt) {
  for (const char* body : {R"({"model":"hadal-mini"})", R"({"name":"hadal-mini:latest","verbose":true})",
                           R"({"model":"deepseek-v4-flash"})", "{}"}) {
    const Reply reply = server().post("/api/show", body);
    ASSERT_EQ(reply.status, 200) << reply.body;
    const JsonValue shown = reply.json();
    const JsonValue info = at(shown, "model_info");
    const auto value = [&](const char* key) { return info.find(key) != nullptr ? info.find(key)->text : ""; };
    EXPECT_EQ(value("general.architecture"), "deepseek4");
    EXPECT_EQ(value("general.parameter_count"), "8300000");
    EXPECT_EQ(value("deepseek4.context_length"), "16384");
    std::vector<std::string> capabilities;
    for (const JsonValue& one : at(shown, "capabilities").items) capabilities.push_back(one.text);
    EXPECT_EQ(capabilities, (std::vector<std::string>{"completion", "tools", "thinking", "insert"}));
    EXPECT_TRUE(at(shown, "thinking.values.0").is(JsonValue::Kind::kFalse));
    EXPECT_EQ(at(shown, "thinking.values.3").text, "max");
    EXPECT_EQ(at(shown, "thinking.default").text, "high");
    EXPECT_EQ(at(shown, "parameters").text, "temperature 1\ntop_p 1");
    EXPECT_EQ(at(shown, "details.format").text, "safetensors");
    for (const char* member : {"license", "modelfile", "template", "modified_at"})
      EXPECT_EQ(at(shown, member).kind, JsonValue::Kind::kString) << member;
  }
  EXPECT_EQ(server().post("/api/show", R"({"model":"llama3"})").status, 404);
  EXPECT_EQ(server().post("/api/show", R"({"model":[]})").body, R"({"error":"model: expected a string"})");
}

TEST(OllamaModels, TheVersionIsANumber) {
  EXPECT_EQ(server().get("/api/version").body, R"({"version":"0.18.3"})");
}

TEST(OllamaModels, WhatIsThereNeedsNoPull) {
  const Reply stream = server().post("/api/pull", R"({"model":"hadal-mini"})");
  EXPECT_EQ(stream.body, "{\"status\":\"success\"}\n");
  EXPECT_EQ(stream.content_type, "application/x-ndjson");
  EXPECT_EQ(server().post("/api/pull", R"({"name":"hadal-mini","stream":false})").body,
            R"({"status":"success"})");
  const Reply other = server().post("/api/pull", R"({"model":"llama3"})");
  EXPECT_EQ(other.status, 501);
  EXPECT_EQ(other.body, R"({"error":"not supported"})");
}

TEST(OllamaModels, FilesOfModelsAreNotForThisServer) {
  for (const char* path : {"/api/embed", "/api/embeddings", "/api/push", "/api/create", "/api/copy"}) {
    const Reply reply = server().post(path, "{}");
    EXPECT_EQ(reply.status, 501) << path;
    EXPECT_EQ(reply.body, R"({"error":"not supported"})");
  }
  EXPECT_EQ(server().ask("DELETE", "/api/delete", "{}").status, 501);
}

TEST(OllamaModels, ShortNumbers) {
  const std::pair<int64_t, const char*> cases[] = {{0, "0"},
                                                   {999, "999"},
                                                   {1000, "1K"},
                                                   {8'300'000, "8.3M"},
                                                   {99'960'000, "100M"},
                                                   {284'000'000'000, "284B"},
                                                   {999'600'000, "1B"},
                                                   {1'600'000'000'000, "1.6T"},
                                                   {5'000'000'000'000'000, "5000T"}};
  for (const auto& [number, text] : cases) EXPECT_EQ(short_number(number), text);
}

}  // namespace
}  // namespace hadal::serve::ollama
