#include "serve/plain_stream.h"

#include <gtest/gtest.h>

#include "chat/collect.h"
#include "text/utf8.h"

namespace hadal::serve {
namespace {

const Tokenizer& tokenizer() {
  static const Tokenizer all = Tokenizer::load(HADAL_SOURCE_DIR "/models/hadal-mini");
  return all;
}

// Every delta must be whole characters.
struct Sink : CollectingSink {
  void on_content(std::string_view delta) override {
    EXPECT_EQ(utf8_valid_prefix(delta), delta.size());
    EXPECT_FALSE(delta.empty());
    CollectingSink::on_content(delta);
  }
};

ParsedMessage run(const std::string& text, std::vector<std::string> stops,
                  FinishCause cause = FinishCause::kEos) {
  Sink sink;
  PlainStream stream(tokenizer(), std::move(stops), sink);
  for (const int32_t id : tokenizer().encode_with_added(text)) stream.push(id);
  stream.finish(cause);
  EXPECT_TRUE(stream.finished());
  return sink.message;
}

TEST(PlainStream, EverythingIsText) {
  const std::string text = "a <think>b</think> ü 深\n\n<｜User｜>c";
  const ParsedMessage message = run(text, {});
  EXPECT_EQ(message.content, text);
  EXPECT_EQ(message.reason, FinishReason::kStop);
  EXPECT_EQ(run(text, {}, FinishCause::kLength).reason, FinishReason::kLength);
  EXPECT_EQ(run(text, {}, FinishCause::kFailure).reason, FinishReason::kInsufficientResource);
}

TEST(PlainStream, AStopStringEndsIt) {
  const ParsedMessage message = run("one two 深深 three", {"深 ", "深深", "zzz"});
  EXPECT_EQ(message.content, "one two ");
  EXPECT_EQ(message.stop, "深深");
  EXPECT_EQ(message.reason, FinishReason::kStop);
  EXPECT_EQ(run("ends with thr", {"three"}, FinishCause::kLength).content, "ends with thr")
      << "what was held comes out";
}

TEST(PlainStream, ACutCharacterIsReplaced) {
  std::vector<int32_t> ids = tokenizer().encode("深");
  if (ids.size() < 2) GTEST_SKIP() << "the tokenizer has the character whole";
  ids.pop_back();
  Sink sink;
  PlainStream stream(tokenizer(), {}, sink);
  for (const int32_t id : ids) stream.push(id);
  EXPECT_EQ(sink.message.content, "");
  stream.finish(FinishCause::kLength);
  EXPECT_EQ(sink.message.content, "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace hadal::serve
