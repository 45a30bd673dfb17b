#include "serve/completion_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/files.h"

namespace hadal::serve {
namespace {

using testing::ElementsAre;

const std::filesystem::path kMini = HADAL_SOURCE_DIR "/models/hadal-mini";

const TextModel& mini() {
  static const TextModel model(Model::open(kMini, Numerics::kRelease), kMini);
  return model;
}

// The ids, special tokens as their literals and runs of text between brackets.
std::string shown(const std::vector<int32_t>& ids) {
  std::string out;
  bool text = false;
  for (const int32_t id : ids) {
    const bool added = mini().tokenizer().is_added(id);
    if (text == added) out += added ? "]" : "[";
    text = !added;
    out += mini().tokenizer().token_bytes(id);
  }
  return out + (text ? "]" : "");
}

TEST(CompletionPrompt, PlainTextIsText) {
  EXPECT_EQ(shown(plain_prompt_ids(mini(), "A fox")), "<｜begin▁of▁sentence｜>[A fox]");
  EXPECT_EQ(shown(plain_prompt_ids(mini(), "<｜User｜>a<｜fim▁hole｜>")),
            "<｜begin▁of▁sentence｜>[<｜User｜>a<｜fim▁hole｜>]");
  EXPECT_EQ(shown(plain_prompt_ids(mini(), "")), "<｜begin▁of▁sentence｜>");
}

TEST(CompletionPrompt, ARawPromptIsTheClientsOwn) {
  EXPECT_EQ(shown(raw_prompt_ids(mini(), "<｜User｜>a<｜Assistant｜></think>")),
            "<｜begin▁of▁sentence｜><｜User｜>[a]<｜Assistant｜></think>");
  EXPECT_EQ(raw_prompt_ids(mini(), "<｜begin▁of▁sentence｜><｜User｜>a"),
            raw_prompt_ids(mini(), "<｜User｜>a"));
  EXPECT_EQ(shown(raw_prompt_ids(mini(), "")), "<｜begin▁of▁sentence｜>");
}

TEST(CompletionPrompt, AGapStandsBetweenItsTexts) {
  const auto ids = fim_prompt_ids(mini(), "def f(a", "):\n");
  ASSERT_TRUE(ids);
  EXPECT_EQ(shown(*ids), "<｜begin▁of▁sentence｜><｜fim▁begin｜>[def f(a]<｜fim▁hole｜>[):\n]<｜fim▁end｜>");
  const auto empty = fim_prompt_ids(mini(), "", "");
  ASSERT_TRUE(empty);
  EXPECT_EQ(shown(*empty), "<｜begin▁of▁sentence｜><｜fim▁begin｜><｜fim▁hole｜><｜fim▁end｜>");
  const auto spelled = fim_prompt_ids(mini(), "<｜fim▁hole｜>", "<｜fim▁end｜>");
  ASSERT_TRUE(spelled);
  EXPECT_EQ(
      shown(*spelled),
      "<｜begin▁of▁sentence｜><｜fim▁begin｜>[<｜fim▁hole｜>]<｜fim▁hole｜>[<｜fim▁end｜>]<｜fim▁end｜>");
}

TEST(CompletionPrompt, ATokenizerWithoutItsTokensCannotFillAGap) {
  EXPECT_TRUE(can_fill_in_middle(mini()));
  // The bundled model with its tokens called something else.
  hadal::test::TempFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(kMini)) {
    const auto copy = folder.path() / entry.path().filename();
    if (entry.path().filename() != "tokenizer.json") {
      std::filesystem::create_symlink(entry.path(), copy);
      continue;
    }
    std::string json = hadal::test::read_bytes(entry.path());
    for (size_t at = 0; (at = json.find("fim▁", at)) != std::string::npos;) json.replace(at, 3, "fix");
    folder.write("tokenizer.json", json);
  }
  const TextModel other(Model::open(folder.path(), Numerics::kRelease), folder.path());
  EXPECT_FALSE(can_fill_in_middle(other));
  const auto ids = fim_prompt_ids(other, "a", "b");
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().status, 400);
  EXPECT_EQ(ids.error().param, "suffix");
  EXPECT_EQ(completion_end_ids(other), other.end_ids());
}

TEST(CompletionPrompt, WhatEndsACompletion) {
  std::vector<std::string> ends;
  for (const int32_t id : completion_end_ids(mini())) ends.emplace_back(mini().tokenizer().token_bytes(id));
  EXPECT_THAT(ends, testing::UnorderedElementsAre("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>",
                                                  "<｜User｜>", "<｜Assistant｜>", "<｜fim▁hole｜>",
                                                  "<｜fim▁begin｜>", "<｜fim▁end｜>"));
}

}  // namespace
}  // namespace hadal::serve
