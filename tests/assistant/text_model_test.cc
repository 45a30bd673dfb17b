#include "assistant/text_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assistant/assistant_support.h"
#include "base/error.h"

namespace hadal {
namespace {

using namespace test;

const TextModel& mini() {
  static const TextModel model(Model::open(kMini, Numerics::kRelease), kMini);
  return model;
}

ChatRequest ask(const std::string& text, Mode mode) {
  ChatRequest request;
  request.mode = mode;
  Message message;
  message.role = "user";
  message.content = text;
  request.messages.push_back(message);
  return request;
}

TEST(TextModel, APromptAndWhereItsAnswerStarts) {
  auto prompt = mini().prompt(ask("Hello", Mode::kChat));
  ASSERT_TRUE(prompt);
  EXPECT_EQ(text_of(prompt->ids), "<｜begin▁of▁sentence｜><｜User｜>Hello<｜Assistant｜></think>");
  EXPECT_EQ(prompt->start, ParserStart::kContent);
  prompt = mini().prompt(ask("Hello", Mode::kThinking));
  ASSERT_TRUE(prompt);
  EXPECT_EQ(text_of(prompt->ids), "<｜begin▁of▁sentence｜><｜User｜>Hello<｜Assistant｜><think>");
  EXPECT_EQ(prompt->start, ParserStart::kReasoning);
  EXPECT_EQ(render_flat(*mini().items(ask("Hello", Mode::kThinking))), text_of(prompt->ids));
  EXPECT_FALSE(mini().prompt(ChatRequest{}));
}

TEST(TextModel, PlainTextStandsAfterBos) {
  const TextModel::Prompt prompt = mini().plain_prompt("<｜User｜>");
  EXPECT_EQ(text_of(prompt.ids), "<｜begin▁of▁sentence｜><｜User｜>");
  EXPECT_GT(prompt.ids.size(), 2u);  // the text is text
  EXPECT_EQ(prompt.start, ParserStart::kContentContinued);
  EXPECT_EQ(mini().plain_prompt("").ids.size(), 1u);
}

TEST(TextModel, WhatEndsAnAnswer) {
  std::vector<std::string> ends;
  for (const int32_t id : mini().end_ids()) ends.emplace_back(mini().tokenizer().token_bytes(id));
  EXPECT_THAT(ends, testing::IsSupersetOf({"<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"}));
  EXPECT_THAT(ends, testing::Not(testing::Contains("</think>")));
}

TEST(TextModel, OnlyIdsWithATokenAreSampled) {
  const auto vocab = static_cast<int32_t>(mini().model()->config().vocab_size);
  for (int32_t id = 0; id < vocab; ++id) {
    const bool allowed =
        !mini().allowed() || ((*mini().allowed())[static_cast<size_t>(id / 32)] >> (id % 32) & 1) != 0;
    EXPECT_EQ(allowed, mini().tokenizer().has_token(id)) << id;
  }
}

TEST(TextModel, AFolderWithoutATokenizer) {
  EXPECT_THROW(TextModel(mini().model(), "/nowhere"), Error);
}

}  // namespace
}  // namespace hadal
