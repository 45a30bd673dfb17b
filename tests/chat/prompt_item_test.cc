// Collecting items: what is special, and that texts are never left in pieces.
#include "chat/prompt_item.h"

#include <gtest/gtest.h>

#include <array>

namespace hadal {
namespace {

using Items = std::vector<PromptItem>;

TEST(PromptWriter, JoinsAdjacentTexts) {
  PromptWriter out;
  EXPECT_TRUE(out.empty());
  out.text("");
  out.text("a");
  out.text("b");
  out.special("<s>");
  out.special("<s>");
  out.text("c");
  out.append({{false, "d"}, {true, "<t>"}});
  const Items items = out.take();
  EXPECT_EQ(items, (Items{{false, "ab"}, {true, "<s>"}, {true, "<s>"}, {false, "cd"}, {true, "<t>"}}));
  EXPECT_EQ(render_flat(items), "ab<s><s>cd<t>");
}

TEST(PromptWriter, MarkupIsCutAtTheLiterals) {
  const std::array<std::string_view, 2> literals = {"<s>", "</s>"};
  const auto cut = [&](std::string_view text) {
    PromptWriter out;
    out.markup(text, literals);
    return out.take();
  };
  EXPECT_EQ(cut("a<s>b</s></s>c"),
            (Items{{false, "a"}, {true, "<s>"}, {false, "b"}, {true, "</s>"}, {true, "</s>"}, {false, "c"}}));
  EXPECT_EQ(cut("<s>"), (Items{{true, "<s>"}}));
  EXPECT_EQ(cut("none"), (Items{{false, "none"}}));
  EXPECT_EQ(cut(""), Items{});
}

}  // namespace
}  // namespace hadal
