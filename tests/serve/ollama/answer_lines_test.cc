#include "serve/ollama/answer_lines.h"

#include <gtest/gtest.h>

#include "text/json_value.h"

namespace hadal::serve::ollama {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer all = Tokenizer::load(HADAL_SOURCE_DIR "/models/hadal-mini");
  return all;
}

LineForm make_form(bool stream, bool chat = true) {
  LineForm form;
  form.model = "deepseek-v4-flash";
  form.stream = stream;
  form.chat = chat;
  form.now = [] { return std::string("2026-08-17T10:00:00.123456789Z"); };
  return form;
}
std::unique_ptr<AnswerWriter> writer(bool stream, bool chat = true) {
  return make_line_writer(make_form(stream, chat), tokenizer());
}

void finish(AnswerWriter& to, FinishReason reason) {
  ChoiceEnd end;
  end.reason = reason;
  end.usage = {26, 20, 290, 5};
  end.prompt_seconds = 0.325953;
  end.answer_seconds = 4.709213;
  to.finished(0, end);
  to.ended(end.usage);
}

const std::string kHead = R"({"model":"deepseek-v4-flash","created_at":"2026-08-17T10:00:00.123456789Z",)";
const std::string kEnd =
    R"("total_duration":5035166000,"load_duration":0,"prompt_eval_count":26,"prompt_eval_duration":325953000,)"
    R"("eval_count":290,"eval_duration":4709213000})";

TEST(OllamaLines, AStreamOfAChatToTheLetter) {
  const auto to = writer(true);
  to->started({26, 20, 0, 0});
  EXPECT_EQ(to->take(), "");
  to->reasoning(0, "I need");
  to->content(0, "Hello\n");
  to->call(0, 0, "get_weather", "call_00_a");
  to->arguments(0, 0, R"({"location": "Hang)");
  EXPECT_EQ(to->take(),
            kHead + R"("message":{"role":"assistant","content":"","thinking":"I need"},"done":false})" +
                "\n" + kHead + R"("message":{"role":"assistant","content":"Hello\n"},"done":false})" + "\n");
  to->arguments(0, 0, "zhou\",\n\"n\": 1}");
  to->call(0, 1, "now", "call_01_b");
  EXPECT_EQ(
      to->take(),
      kHead + R"("message":{"role":"assistant","content":"","tool_calls":[{"id":"call_00_a","function":)" +
          R"({"index":0,"name":"get_weather","arguments":{"location": "Hangzhou", "n": 1}}}]},"done":false})" +
          "\n");
  finish(*to, FinishReason::kToolCalls);
  EXPECT_EQ(
      to->take(),
      kHead + R"("message":{"role":"assistant","content":"","tool_calls":[{"id":"call_01_b","function":)" +
          R"({"index":1,"name":"now","arguments":{}}}]},"done":false})" + "\n" + kHead +
          R"("message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",)" + kEnd + "\n");
}

TEST(OllamaLines, AWholeChatToTheLetter) {
  const auto to = writer(false);
  to->started({26, 20, 0, 0});
  to->reasoning(0, "I ");
  to->reasoning(0, "need");
  to->content(0, "Hel");
  to->content(0, "lo");
  to->call(0, 0, "f", "call_00_a");
  to->arguments(0, 0, R"({"a": 1})");
  to->call(0, 1, "g", "call_01_b");
  finish(*to, FinishReason::kToolCalls);
  EXPECT_EQ(to->take(),
            kHead + R"("message":{"role":"assistant","content":"Hello","thinking":"I need","tool_calls":[)" +
                R"({"id":"call_00_a","function":{"index":0,"name":"f","arguments":{"a": 1}}},)" +
                R"({"id":"call_01_b","function":{"index":1,"name":"g","arguments":{}}}]},"done":true,)" +
                R"("done_reason":"stop",)" + kEnd);
}

TEST(OllamaLines, GenerateHasAResponseInsteadOfAMessage) {
  const auto stream = writer(true, false);
  stream->reasoning(0, "hm");
  stream->content(0, "Hello");
  finish(*stream, FinishReason::kLength);
  EXPECT_EQ(stream->take(), kHead + R"("response":"","thinking":"hm","done":false})" + "\n" + kHead +
                                R"("response":"Hello","done":false})" + "\n" + kHead +
                                R"("response":"","done":true,"done_reason":"length",)" + kEnd + "\n");
  const auto whole = writer(false, false);
  whole->reasoning(0, "hm");
  whole->content(0, "Hello");
  finish(*whole, FinishReason::kStop);
  EXPECT_EQ(whole->take(),
            kHead + R"("response":"Hello","thinking":"hm","done":true,"done_reason":"stop",)" + kEnd);
}

TEST(OllamaLines, OnlyWholeCallsAreTold) {
  const auto calls = [](bool stream, FinishReason reason) {
    const auto to = writer(stream);
    to->call(0, 0, "f", "a");
    to->arguments(0, 0, "nonsense");
    to->call(0, 1, "g", "b");
    to->arguments(0, 1, R"({"x": "cu)");
    finish(*to, reason);
    const std::string out = to->take();
    std::string found;
    for (size_t at = 0; (at = out.find(R"("arguments":{)", at)) != std::string::npos; ++at)
      found += out.substr(at + 12, out.find("}}", at) - at - 11) + "\n";
    return found;
  };
  for (const bool stream : {true, false}) {
    // What the model wrote is kept where it had come to an end, and left out where it was cut.
    EXPECT_EQ(calls(stream, FinishReason::kToolCalls),
              "{\"arguments\": \"nonsense\"}\n{\"arguments\": \"{\\\"x\\\": \\\"cu\"}\n");
    EXPECT_EQ(calls(stream, FinishReason::kLength), "{\"arguments\": \"nonsense\"}\n");
  }
}

TEST(OllamaLines, EveryOrderOfPartsKeepsItsOrder) {
  std::vector<std::string> words = {""};
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i].size() < 4)
      for (const char part : {'r', 'c', 'f'}) words.push_back(words[i] + part);
  for (const std::string& word : words) {
    const auto to = writer(true);
    int calls = 0;
    for (const char part : word) {
      if (part == 'r') to->reasoning(0, "hm");
      if (part == 'c') to->content(0, "so");
      if (part == 'f') to->call(0, calls++, "f", "id");
    }
    finish(*to, FinishReason::kStop);
    const std::string out = to->take();
    std::string seen;
    for (size_t at = 0; at < out.size();) {
      const size_t end = out.find('\n', at);
      const auto line = parse_json(out.substr(at, end - at));
      at = end + 1;
      ASSERT_TRUE(line);
      const JsonValue* message = line->find("message");
      const bool done = line->find("done")->is(JsonValue::Kind::kTrue);
      EXPECT_EQ(done, at == out.size());
      if (done) break;
      seen += message->find("thinking") != nullptr ? 'r' : message->find("tool_calls") != nullptr ? 'f' : 'c';
    }
    EXPECT_EQ(seen, word);
  }
}

TEST(OllamaLines, LogProbabilitiesComeWithTheirText) {
  TokenProbs probs;
  const int32_t id = tokenizer().encode("a").front();
  probs.chosen = {id, -0.5f};
  probs.top = {{id, -0.5f}};
  const std::string entry =
      R"({"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[{"token":"a","logprob":-0.5,"bytes":[97]}]})";
  const auto stream = writer(true);
  stream->token(0, TokenPart::kContent, probs);
  stream->token(0, TokenPart::kMarkup, probs);
  stream->token(0, TokenPart::kContent, probs);
  stream->content(0, "aa");
  EXPECT_EQ(stream->take(), kHead +
                                R"("message":{"role":"assistant","content":"aa"},"done":false,"logprobs":[)" +
                                entry + "," + entry + "]}\n");
  stream->content(0, "b");
  EXPECT_EQ(stream->take().find("logprobs"), std::string::npos);
  const auto whole = writer(false, false);
  whole->token(0, TokenPart::kContent, probs);
  whole->content(0, "a");
  finish(*whole, FinishReason::kStop);
  EXPECT_EQ(whole->take(),
            kHead + R"("response":"a","done":true,"done_reason":"stop","logprobs":[)" + entry + "]," + kEnd);
}

TEST(OllamaLines, Errors) {
  const auto stream = writer(true);
  stream->content(0, "half");
  stream->take();
  stream->failed({.status = 503, .message = "Going\ndown."});
  EXPECT_EQ(stream->take(), "{\"error\":\"Going\\ndown.\"}\n");
  const auto broken = writer(true);
  finish(*broken, FinishReason::kInsufficientResource);
  EXPECT_EQ(broken->take(), "{\"error\":\"The server could not finish the answer.\"}\n");
  const auto whole = writer(false);
  whole->content(0, "half");
  finish(*whole, FinishReason::kInsufficientResource);
  EXPECT_EQ(whole->take(), "{\"error\":\"The server could not finish the answer.\"}");
  EXPECT_EQ(whole->head().status, 503);
}

TEST(OllamaLines, HeadAndNames) {
  LineForm form = make_form(true);
  form.headers = {{"Deprecation", "true"}};
  const auto stream = make_line_writer(form, tokenizer());
  EXPECT_EQ(stream->head().content_type, "application/x-ndjson");
  EXPECT_EQ(stream->head().headers.back().name, "Deprecation");
  EXPECT_EQ(stream->keep_alive(), "");
  EXPECT_EQ(stream->style(), ApiStyle::kOllama);
  form.stream = false;
  EXPECT_EQ(make_line_writer(form, tokenizer())->head().content_type, "application/json");
  EXPECT_EQ(LineForm{}.now().size(), 30u);
}

TEST(OllamaLines, ARequestForNothing) {
  EXPECT_EQ(loaded_answer(make_form(true), false),
            kHead + R"("message":{"role":"assistant","content":""},"done":true,"done_reason":"load"})");
  EXPECT_EQ(loaded_answer(make_form(true, false), true),
            kHead + R"("response":"","done":true,"done_reason":"unload"})");
}

}  // namespace
}  // namespace hadal::serve::ollama
