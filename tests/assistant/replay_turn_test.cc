#include "assistant/replay_turn.h"

#include <gtest/gtest.h>

#include "assistant/assistant_support.h"

namespace hadal {
namespace {

using namespace test;

const PromptTemplate& style() {
  return prompt_template(PromptGeneration::kV4Official);
}
PromptItem special_item(std::string_view literal) {
  return {true, std::string(literal)};
}
PromptItem text_item(std::string text) {
  return {false, std::move(text)};
}

TEST(Hasher, GrowsAndTellsApart) {
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5};
  Hasher whole, parts, other;
  whole.add("x");
  whole.add(ids);
  parts.add("x");
  parts.add(std::span(ids).first(2));
  const Hash128 before = parts.digest();
  parts.add(std::span(ids).subspan(2));
  EXPECT_EQ(whole.digest(), parts.digest());
  EXPECT_NE(before, parts.digest());
  other.add("xy");
  EXPECT_NE(other.digest(), Hasher().digest());
  Hasher a, b;
  a.add("ab");
  a.add("c");
  b.add("a");
  b.add("bc");
  EXPECT_NE(a.digest(), b.digest());
}

TEST(TurnItems, AreThoseOfTheNextPrompt) {
  Message message;
  message.reasoning_content = "Hm.";
  message.content = "Yes.";
  EXPECT_EQ(turn_items(message, Mode::kThinking, style()),
            (std::vector{special_item(special::kThink), text_item("Hm."), special_item(special::kEndThink),
                         text_item("Yes.")}));
  EXPECT_EQ(turn_items(message, Mode::kChat, style()),
            (std::vector{special_item(special::kEndThink), text_item("Yes.")}));
  message.prefix = true;  // what was continued is over now
  EXPECT_EQ(turn_items(message, Mode::kChat, style())->size(), 2u);
  message.tool_calls.push_back({"call_1", "f", R"({"a": 1})"});
  const auto with_call = turn_items(message, Mode::kChat, style());
  ASSERT_TRUE(with_call);
  EXPECT_EQ(
      render_flat(*with_call),
      "</think>Yes.\n\n<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"f\">\n<｜DSML｜parameter name=\"a\" "
      "string=\"false\">1</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>");
  EXPECT_EQ(turn_items({}, Mode::kThinking, style())->size(), 2u);
}

TEST(TurnBegin, OfTheTurnThatIsAnswered) {
  const auto begin = [](const std::vector<std::string>& tokens) {
    return turn_begin(ids_of(tokens), mini_tokenizer());
  };
  const std::string bos(special::kBos), user(special::kUser), assistant(special::kAssistant),
      think(special::kThink), eos(special::kEos);
  EXPECT_EQ(begin({bos, user, "x", assistant, think}), 4u);
  EXPECT_EQ(begin({bos, user, "x", assistant}), 4u);
  EXPECT_EQ(begin({bos, user, "x", assistant, think, "x", "x"}), 4u);
  EXPECT_EQ(begin({bos, user, "x", assistant, think, "x", eos, user, "x", assistant, think}), 10u);
  // An end, a task: no turn of the assistant is open.
  EXPECT_EQ(begin({bos, user, "x", assistant, think, "x", eos, "<｜title｜>"}), 0u);
  EXPECT_EQ(begin({bos, user, "x", "<｜query｜>"}), 0u);
  EXPECT_EQ(begin({bos, "x"}), 0u);
  EXPECT_EQ(begin({}), 0u);
}

class IdsAlong : public testing::Test {
 protected:
  static std::vector<int32_t> along(const std::vector<PromptItem>& items,
                                    const std::vector<std::string>& sampled) {
    const auto ids = ids_along(items, ids_of(sampled), mini_tokenizer());
    EXPECT_TRUE(ids);
    return ids.value_or(std::vector<int32_t>{});
  }
  static std::vector<int32_t> usual(const std::vector<PromptItem>& items) {
    return *prompt_ids(items, mini_tokenizer());
  }
  const std::string end_{special::kEndThink};
};

TEST_F(IdsAlong, KeepsAnotherTokenisationOfTheSameText) {
  const std::vector<PromptItem> items = {text_item("hello"), special_item(end_), text_item("there")};
  const std::vector<std::string> sampled = {"h", "e", "l", "l", "o", end_, "t", "h", "e", "r", "e"};
  EXPECT_EQ(along(items, sampled), ids_of(sampled));
  EXPECT_NE(along(items, sampled), usual(items));
}

TEST_F(IdsAlong, IsUsualFromTheFirstDifferenceOn) {
  const std::vector<PromptItem> items = {text_item("hello"), special_item(end_), text_item("there")};
  EXPECT_EQ(along(items, {}), usual(items));
  EXPECT_EQ(along(items, {"x"}), usual(items));
  EXPECT_EQ(along(items, {end_}), usual(items));
  std::vector<int32_t> want = ids_of({"h", "e"}),
                       rest = usual({text_item("llo"), special_item(end_), text_item("there")});
  want.insert(want.end(), rest.begin(), rest.end());
  EXPECT_EQ(along(items, {"h", "e"}), want);
  EXPECT_EQ(along(items, {"h", "e", "x"}), want);
  EXPECT_EQ(along(items, {"h", "e", end_}), want);
  // The same letters as a special token and as text are two things.
  std::vector<std::string> spelled = {"h", "e", "l", "l", "o", "<"};
  want = ids_of({"h", "e", "l", "l", "o", end_});
  rest = usual({text_item("there")});
  want.insert(want.end(), rest.begin(), rest.end());
  EXPECT_EQ(along(items, spelled), want);
  // More than there is.
  EXPECT_EQ(along({text_item("h")}, {"h", "e"}), ids_of({"h"}));
  // A token that goes beyond an item.
  EXPECT_EQ(along({text_item("t"), special_item(end_)}, {" the"}), ids_of({"t", end_}));
}

TEST_F(IdsAlong, NeverCutsACharacter) {
  const std::string text = "aé";
  std::vector<int32_t> bytes = ids_of({"a"});
  // The bytes of "é" one by one.
  for (int32_t id = 0; id < mini_tokenizer().vocab_size(); ++id)
    if (mini_tokenizer().has_token(id) && mini_tokenizer().token_bytes(id) == "\xC3") bytes.push_back(id);
  ASSERT_EQ(bytes.size(), 2u);
  const auto ids = ids_along({text_item(text)}, bytes, mini_tokenizer());
  ASSERT_TRUE(ids);
  EXPECT_EQ(text_of(*ids), text);
  std::vector<int32_t> want = ids_of({"a"}), rest = ids_of({"é"});
  want.insert(want.end(), rest.begin(), rest.end());
  EXPECT_EQ(*ids, want);
}

}  // namespace
}  // namespace hadal
